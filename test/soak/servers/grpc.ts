import grpc from "@grpc/grpc-js";
import { EchoClient } from "../echo-service.ts";

export async function startGrpc(): Promise<{ readonly port: number }> {
  const server = new grpc.Server();
  server.addService(EchoClient.service, {
    once: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => done(null, call.request),
    parts: (call: grpc.ServerWritableStream<string, string>) => {
      const text = call.request;
      const size = Math.ceil(text.length / 5);
      for (let part = 0; part < 5; part++) call.write(text.slice(part * size, (part + 1) * size));
      call.end();
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { port };
}
