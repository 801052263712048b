/** The process warnings of faultcore: each has a code of its own, so that a program can tell them from others. */

export function warnUnsteered(): void {
  process.emitWarning(
    "A connection that was opened before faultcore steered it is used in a scope: it cannot be faulted. " +
      'Start the program with `node --import faultcore/register`, or call install({ steer: "always" }) before it connects. ' +
      "Each scope's report counts such sockets as `unsteered`.",
    { type: "FaultcoreWarning", code: "FAULTCORE_UNSTEERED" },
  );
}

export function warnRelayDied(cause: Error | undefined, flows: number): void {
  const why = cause === undefined ? "its thread was ended" : `${cause.name}: ${cause.message}`;
  process.emitWarning(`The faultcore relay died (${why}); ${flows} connection(s) were reset. The next connection gets a new relay.`, {
    type: "FaultcoreWarning",
    code: "FAULTCORE_RELAY_DIED",
  });
}
