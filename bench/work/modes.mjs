// How a piece of work runs: `direct` (faultcore is not loaded), `idle` (loaded, used once, the scope over), `steered` (inside a scope).
import { connect } from "node:net";
import { once } from "node:events";

export async function inMode(mode, port, body) {
  if (mode === "direct") return body();
  const { withFaults } = await import("faultcore");
  if (mode === "steered") return withFaults({}, body);
  await withFaults({}, async () => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    await once(socket, "close");
  });
  return body();
}
