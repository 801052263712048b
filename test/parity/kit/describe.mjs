// How sockets and errors appear in a trace.

export function addressesOf(socket) {
  const { remoteAddress, remoteFamily, remotePort, localAddress, localFamily, localPort } = socket;
  return { remoteAddress, remoteFamily, remotePort, localAddress, localFamily, localPort, address: socket.address() };
}

const flags = [
  ...["connecting", "pending", "destroyed", "closed", "readable", "writable"],
  ...["readableEnded", "writableEnded", "writableFinished", "allowHalfOpen"],
];

export function stateOf(socket, { bytes = true, ends = true } = {}) {
  const { readyState, timeout, bytesRead, bytesWritten } = socket;
  const counts = bytes ? { bytesRead, bytesWritten } : {};
  const errored = socket.errored === null ? {} : { errored: socket.errored?.code ?? socket.errored?.message };
  const shown = flags.filter((flag) => socket[flag] && (ends || flag !== "readableEnded"));
  return { readyState, is: shown.join(" "), timeout, ...errored, ...counts };
}

export function describeError(error, depth = 0) {
  if (!(error instanceof Error)) return { notAnError: String(error) };
  const description = { class: error.constructor.name, name: error.name, message: stable(error.message), code: error.code };
  description.keys = Object.keys(error).join(" ");
  for (const key of Object.keys(error)) {
    if (!(key in description) && key !== "errors") description[key] = describeValue(error[key], depth);
  }
  if (Array.isArray(error.errors)) description.errors = error.errors.map((inner) => describeError(inner, depth + 1));
  if (error.cause !== undefined && depth < 4) description.cause = describeError(error.cause, depth + 1);
  return description;
}

function describeValue(value, depth) {
  if (typeof value === "string") return stable(value);
  if (typeof value !== "object" || value === null) return typeof value === "function" ? "<function>" : value;
  if (value instanceof Error) return depth < 4 ? describeError(value, depth + 1) : "<error>";
  if (Array.isArray(value)) return value.map((item) => describeValue(item, depth + 1));
  // undici describes the socket of a failed request in a plain object; anything richer is named only.
  const plain = Object.getPrototypeOf(value) === Object.prototype && depth < 2 && Object.keys(value).length < 12;
  if (!plain) return `<${value.constructor?.name ?? "object"}>`;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, describeValue(item, depth + 1)]));
}

/** OpenSSL starts its messages with the number of the thread. */
function stable(text) {
  return text.replace(/[0-9A-F]{8,16}:error:/g, "<thread>:error:");
}
