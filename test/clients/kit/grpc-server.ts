/** A gRPC server whose messages are raw bytes: no schema, no code generated from one. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { MethodDefinition, ServerWritableStream, ServiceDefinition, sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { localhost } from "../../helpers/certificates.mjs";
import type { Started } from "./http-server.ts";

export const ECHO = "/test.Echo/Echo";
export const COUNT = "/test.Echo/Count";
export const bytes = (value: Buffer): Buffer => value;

const method = (path: string, responseStream: boolean): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

const service: ServiceDefinition = { echo: method(ECHO, false), count: method(COUNT, true) };

/** `Echo` answers with what it is asked, `Count` with as many messages of 1,000 bytes as the number that it is asked. */
export async function startGrpc(tls = false): Promise<Started> {
  const server = new Server();
  server.addService(service, {
    echo: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => answer(null, request),
    count: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (let number = Number(call.request); number > 0; number--) call.write(Buffer.alloc(1_000, number));
      call.end();
    },
  });
  const pair = { private_key: Buffer.from(localhost.key), cert_chain: Buffer.from(localhost.cert) };
  const credentials = tls ? ServerCredentials.createSsl(null, [pair]) : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { port, stop: async () => server.forceShutdown() };
}
