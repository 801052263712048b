/**
 * HTTP/2: the session moves its bytes without any stream call, so a request binds its connection when it is made. The latest request
 * governs while its stream is open; requests of several scopes at once share the connection, and their reports say so.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import type { Patches } from "./patches.ts";
import type { Router } from "./router.ts";
import { steeredOf, uplinkOffset, withFlow } from "./sockets.ts";
import type { Steered } from "./sockets.ts";

type Request = ClientHttp2Session["request"];

/** The class of client sessions is not exported: one over a dead stream, closed at once, shows it. */
function sessionPrototype(): ClientHttp2Session {
  // Not imported above: loading it costs every process 10 ms, and this runs only where it is loaded already.
  const http2 = process.getBuiltinModule("node:http2");
  const dead = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const session = http2.connect("http://localhost", { createConnection: () => dead });
  session.on("error", () => {});
  session.destroy();
  return Object.getPrototypeOf(session) as ClientHttp2Session;
}

export function patchHttp2(patches: Patches, router: Router): void {
  let requests = 0;
  patches.replace(sessionPrototype(), "request", (original: Request): Request => {
    return function request(this: ClientHttp2Session, ...args: Parameters<Request>): ClientHttp2Stream {
      if (!router.isBusy() || this.destroyed) return original.apply(this, args);
      // The session hands out a proxy of its socket, which passes symbols on.
      const socket = this.socket;
      if (socket === undefined) return original.apply(this, args);
      const announced = steeredOf(socket);
      const caller = announced?.requestBy ?? router.caller();
      if (announced !== undefined) announced.requestBy = undefined;
      const offset = uplinkOffset(socket);
      const number = ++requests;
      let latest: Steered | undefined;
      const steered = withFlow(socket, (state) => {
        latest = state;
        // The first request belongs to the connect that was made for it.
        const first = !state.announced;
        state.announced = true;
        state.flow.useBy(caller, () => offset, !first);
        state.flow.requestOpened(number);
      });
      if (!steered) router.unsteeredUse(socket, caller);
      const stream = original.apply(this, args);
      stream.once("response", () => latest?.flow.requestAnswered(number));
      const over = (): void => latest?.flow.requestClosed(number);
      // Ended on both sides, the stream is over; its 'close' comes a turn later, when the next request may have begun.
      stream.once("end", () => {
        if (stream.writableEnded) over();
      });
      stream.once("close", over);
      return stream;
    };
  });
}
