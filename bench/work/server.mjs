// The other side of all work, in a process of its own: http, https, h2, echo, bulk in both directions, datagrams, and delays by the clock.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { createServer } from "node:net";
import { localhost } from "../../test/helpers/certificates.mjs";

const chunk = Buffer.alloc(65_536);

/** Writes for as long as the other side wants to read, or so many bytes. */
function pour(stream, bytes = Infinity) {
  let left = bytes;
  const write = () => {
    while (left > 0 && !stream.destroyed) {
      left -= chunk.length;
      if (!stream.write(chunk)) return;
    }
    if (left <= 0) stream.end();
  };
  stream.on("error", () => {}).on("drain", write);
  write();
}

/** `/close` closes the connection, `/<bytes>` answers with so many (rounded up to 64 KiB), anything else is answered with a word. */
function answer(request, response) {
  const bytes = Number(request.url.slice(1));
  if (bytes > 0) return pour(response, bytes);
  if (request.url === "/close") response.setHeader("connection", "close");
  response.end("hello");
}

const http = createHttpServer(answer);
const https = createHttpsServer(localhost, answer);
const h2 = createSecureServer(localhost, answer).on("sessionError", () => {});
for (const server of [http, https]) server.keepAliveTimeout = 60_000;

const echo = createServer({ noDelay: true }, (socket) => socket.on("error", () => {}).pipe(socket));

/** First byte `d`: send until the client has had enough. `u`: count until the client ends, then answer with one byte. */
const bulk = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (first) => {
    if (first[0] === 0x75) socket.on("end", () => socket.end("!")).resume();
    else pour(socket);
  });
});

/** Each 8 bytes are when they were sent, by the clock that all processes share; the answer is how long they took, in ns. */
const stamp = createServer({ noDelay: true }, (socket) => {
  let rest = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (data) => {
    const now = process.hrtime.bigint();
    rest = Buffer.concat([rest, data]);
    for (; rest.length >= 8; rest = rest.subarray(8)) {
      const delay = Buffer.alloc(8);
      delay.writeBigInt64LE(now - rest.readBigInt64LE());
      socket.write(delay);
    }
  });
});

const udp = createSocket("udp4", (message, { port, address }) => udp.send(message, port, address)).bind(0, "127.0.0.1");
await once(udp, "listening");

const ports = { udp: udp.address().port };
for (const [name, server] of Object.entries({ http, https, h2, echo, bulk, stamp })) {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  ports[name] = server.address().port;
}
console.log(JSON.stringify(ports));
