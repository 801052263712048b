/** An error, and those behind its `cause` and among its `errors` (of an AggregateError), at any depth: outermost first, each once. */
export function errorsBehind(error: unknown): ReadonlySet<unknown> {
  const found = new Set([error]);
  // A set gives what is added while it is walked, too.
  for (const each of found) {
    if (typeof each !== "object" || each === null) continue;
    const { cause, errors } = each as { cause?: unknown; errors?: unknown };
    if (cause !== undefined) found.add(cause);
    if (Array.isArray(errors)) for (const one of errors as unknown[]) found.add(one);
  }
  return found;
}
