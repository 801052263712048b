// HTTP/2, over TLS and in the clear.
import http2 from "node:http2";
import { closedPort } from "../kit/case.mjs";
import { describeError } from "../kit/describe.mjs";
import { connect, request, serve } from "../kit/http2.mjs";

const echo = (stream) => {
  stream.respond({ ":status": 200 });
  stream.pipe(stream);
};

const roundTrip = (secure) => async (t) => {
  const server = await serve(t, echo, { secure });
  const { session, closed } = connect(t, server);
  await request(t, session, { ":method": "POST" }, { body: "over HTTP/2" }).done;
  session.close();
  await closed;
};

const multiplexed = (secure) => async (t) => {
  const server = await serve(t, echo, { secure });
  const { session, closed } = connect(t, server);
  const streams = Array.from({ length: 10 }, (_, index) => {
    const options = { actor: `stream ${index}`, body: Buffer.alloc(20_000 * (index + 1), `${index}`) };
    return request(t, session, { ":method": "POST", ":path": `/${index}` }, options).done;
  });
  await Promise.all(streams);
  session.close();
  await closed;
};

const fails = (arrange) => async (t) => {
  const { session, closed } = connect(t, await arrange(t));
  const { done } = request(t, session);
  await done;
  await closed;
};

/** Whether the server still reads the last frames of a client that is destroyed is a race. */
const withoutServer = (t) => {
  t.trace.drop((actor) => actor.startsWith("server"));
};

export const cases = {
  "HTTP/2": roundTrip(true),
  "HTTP/2 in the clear": roundTrip(false),
  "HTTP/2 with ten streams": multiplexed(true),
  "HTTP/2 in the clear with ten streams": multiplexed(false),

  "HTTP/2 with informational headers and trailers": async (t) => {
    const server = await serve(t, (stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
      stream.end("with trailers");
    });
    const { session, closed } = connect(t, server);
    await request(t, session).done;
    session.close();
    await closed;
  },

  "HTTP/2 ping": async (t) => {
    const server = await serve(t, echo);
    const { session, closed } = connect(t, server);
    await t.event(session, "connect");
    const payload = Buffer.from("12345678");
    await new Promise((resolve) =>
      session.ping(payload, (error, _, answer) => {
        t.log("session", "pong", { error, same: answer.equals(payload) });
        resolve();
      }),
    );
    session.close();
    await closed;
  },

  "HTTP/2 closes while a request is open": async (t) => {
    const server = await serve(t, (stream) => {
      stream.respond({ ":status": 200 });
      setTimeout(() => stream.end("late"), 50);
    });
    const { session, closed } = connect(t, server);
    const { done, stream } = request(t, session);
    await t.event(stream, "response");
    session.close(() => t.log("session", "close callback"));
    await done;
    await closed;
  },

  "the HTTP/2 server goes away": async (t) => {
    const server = await serve(t, (stream) => {
      stream.respond({ ":status": 200 });
      stream.session.goaway(0);
      setTimeout(() => stream.end("last one"), 30);
    });
    const { session, closed } = connect(t, server);
    await request(t, session).done;
    session.close();
    await closed;
  },

  "the HTTP/2 server resets a stream": async (t) => {
    const server = await serve(t, (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
    const { session, closed } = connect(t, server);
    await request(t, session).done;
    await request(t, session, {}, { actor: "stream after" }).done;
    session.close();
    await closed;
  },

  "the HTTP/2 client resets a stream": async (t) => {
    const server = await serve(t, (stream) => stream.respond({ ":status": 200 }));
    const { session, closed } = connect(t, server);
    const { stream, done } = request(t, session);
    await t.event(stream, "response");
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await done;
    await t.sleep(20);
    session.close();
    await closed;
  },

  "an HTTP/2 request is aborted by a signal": async (t) => {
    const server = await serve(t, (stream) => stream.respond({ ":status": 200 }));
    const { session, closed } = connect(t, server);
    const controller = new AbortController();
    const { stream, done } = request(t, session, {}, { signal: controller.signal });
    await t.event(stream, "response");
    controller.abort();
    await done;
    await t.sleep(20);
    session.close();
    await closed;
  },

  "an HTTP/2 session is destroyed": async (t) => {
    const server = await serve(t, (stream) => stream.respond({ ":status": 200 }));
    const { session, closed } = connect(t, server);
    const { stream } = request(t, session);
    await t.event(stream, "response");
    session.destroy();
    await closed;
    withoutServer(t);
  },

  "an HTTP/2 session is destroyed with an error": async (t) => {
    const server = await serve(t, (stream) => stream.respond({ ":status": 200 }));
    const { session, closed } = connect(t, server);
    const { stream } = request(t, session);
    await t.event(stream, "response");
    session.destroy(new Error("mine"));
    await closed;
    withoutServer(t);
  },

  "an HTTP/2 session is destroyed while it connects": async (t) => {
    const server = await serve(t, echo);
    const { session, closed } = connect(t, server);
    request(t, session);
    session.destroy();
    await closed;
    await t.sleep(20);
  },

  "the HTTP/2 server destroys its session": async (t) => {
    const server = await serve(t, (stream) => {
      stream.respond({ ":status": 200 });
      setTimeout(() => stream.session.destroy(), 30);
    });
    const { session, closed } = connect(t, server);
    request(t, session);
    await closed;
  },

  "an HTTP/2 stream times out": async (t) => {
    const server = await serve(t, () => {});
    const { session, closed } = connect(t, server);
    const { stream, done } = request(t, session);
    stream.setTimeout(300, () => stream.close(http2.constants.NGHTTP2_CANCEL));
    await done;
    session.close();
    await closed;
  },

  "an HTTP/2 session times out": async (t) => {
    const server = await serve(t, () => {});
    const { session, closed } = connect(t, server);
    request(t, session);
    session.setTimeout(400, () => session.destroy());
    await closed;
    withoutServer(t);
  },

  "the connection of an HTTP/2 session is reset": async (t) => {
    const accepted = [];
    const server = await serve(t, (stream) => stream.respond({ ":status": 200 }), { secure: false });
    server.server.on("connection", (socket) => accepted.push(socket));
    const { session, closed } = connect(t, server);
    const { stream } = request(t, session);
    await t.event(stream, "response");
    accepted[0].resetAndDestroy();
    await closed;
    t.trace.drop((actor) => actor.startsWith("server"));
  },

  "HTTP/2 is refused": fails(() => ({ port: closedPort, secure: true })),
  "HTTP/2 in the clear is refused": fails(() => ({ port: closedPort, secure: false })),
  "HTTP/2 to a server that ends": fails(async (t) => {
    const { port } = await t.listen((socket) => socket.once("data", () => socket.end()), { watch: { bytes: false, data: false } });
    return { port, secure: false };
  }),
  "HTTP/2 to a server that resets": fails(async (t) => {
    const { port } = await t.listen((socket) => socket.once("data", () => socket.resetAndDestroy()), {
      watch: { bytes: false, data: false },
    });
    return { port, secure: false };
  }),
  "HTTP/2 to a server that speaks HTTP/1": fails(async (t) => {
    const { port } = await t.listen((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")), {
      watch: { bytes: false, data: false },
    });
    return { port, secure: false };
  }),
  "HTTP/2 with an unknown authority": async (t) => {
    const server = await serve(t, echo);
    const { session, closed } = connect(t, server, { ca: [] });
    await request(t, session).done;
    await closed;
  },

  "an HTTP/2 request after the end": async (t) => {
    const server = await serve(t, echo);
    const { session, closed } = connect(t, server);
    await request(t, session).done;
    session.close();
    await closed;
    try {
      request(t, session, {}, { actor: "too late" });
    } catch (error) {
      t.log("session", "request threw", describeError(error));
    }
    await t.sleep(10);
  },
};
