// What a connection does to the life of its process, and connections of other threads and processes.
import { program, start } from "../kit/programs.mjs";
import { silentPorts } from "../kit/silent.mjs";

const endSoon = (socket) => setTimeout(() => socket.end("time to go"), 200);

export const cases = {
  "an idle connection that is unreferenced does not keep the process": program("unref after connect"),
  "a connect that is unreferenced keeps the process until it is done": program("unref before connect"),
  "a connection that is referenced again keeps the process": program("unref and ref again", endSoon),
  "a connection keeps the process until the server ends it": program("kept alive until the server ends", endSoon),
  "what was written arrives when the process has nothing left to do": program("write and end, then nothing to do"),
  "a connection from a worker thread": program("in a worker thread"),
  "a terminated worker thread ends its connection": program("a terminated worker thread"),
  "a blocked event loop while connecting": program("a blocked loop while it connects"),
  "a socket sent to another process": program("a socket sent to another process"),

  "what was written leaves although the event loop is blocked": async (t) => {
    const server = await t.listen();
    const { exited } = start(t, "a blocked loop after a write", server.port);
    const socket = await server.socket();
    await t.received(socket, 15);
    const ended = t.event(socket, "end").then(() => "ended");
    t.log("server", "before the program goes on", await Promise.race([ended, t.sleep(200).then(() => "data only")]));
    await exited;
  },

  "a connect to a silent peer that is unreferenced": async (t) => {
    const { ipv4 } = await silentPorts();
    await start(t, "unref while dialling a silent peer", ipv4).exited;
  },
};
