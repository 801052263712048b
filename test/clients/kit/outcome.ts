/** How an operation ended, in a form in which the same ending of two runs is equal: no ports, no times, no stacks. */

export type Outcome = { readonly ok: true } | { readonly pending: true } | { readonly error: unknown };

/** Operations that have not ended by the limit are `pending`: their client would wait on. */
export async function outcomeOf(operation: () => Promise<unknown>, limitMs: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ pending: true }), limitMs);
  });
  const ended = Promise.resolve()
    .then(operation)
    .then(
      (): Outcome => ({ ok: true }),
      (error: unknown): Outcome => ({ error: shapeOf(error) }),
    );
  try {
    return await Promise.race([ended, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function shapeOf(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error) || depth > 4) return String(error);
  const { name, code, errno, syscall, cause, errors } = error as NodeJS.ErrnoException & { errors?: unknown[] };
  return {
    name,
    message: error.message
      .replaceAll(/:\d{2,5}\b/g, ":PORT")
      // What took no time at all is left out by gRPC.
      .replaceAll(/,[a-z ]+: \d+\.\d+s\b/gi, "")
      .replaceAll(/\b\d+(\.\d+)?\s*m?s\b/g, "TIME"),
    code,
    errno,
    syscall,
    ...(cause === undefined ? {} : { cause: shapeOf(cause, depth + 1) }),
    ...(errors === undefined ? {} : { errors: errors.map((one) => shapeOf(one, depth + 1)) }),
  };
}
