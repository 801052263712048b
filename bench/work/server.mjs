// The other side of all work, in a process of its own: http, echo, and bulk in both directions.
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

const listening = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const chunk = Buffer.alloc(65_536);

const http = createHttpServer((_request, response) => response.end("hello"));
http.keepAliveTimeout = 60_000;
const echo = createServer({ noDelay: true }, (socket) => socket.on("error", () => {}).pipe(socket));
/** First byte `d`: send until the client has had enough. `u`: count until the client ends, then answer with one byte. */
const bulk = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (first) => {
    if (first[0] === 0x75) {
      socket.on("end", () => socket.end("!"));
      socket.resume();
      return;
    }
    const send = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on("drain", send);
    send();
  });
});
console.log(JSON.stringify({ http: await listening(http), echo: await listening(echo), bulk: await listening(bulk) }));
