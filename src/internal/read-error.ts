/** Input that is not what it should be. `expected` says what it should be; the message, what is wrong with it. */
export class ReadError extends Error {
  readonly expected: string;
  /** Where in the input, from its root. */
  readonly path: readonly (string | number)[];

  constructor(message: string, expected: string, path: readonly (string | number)[] = []) {
    super(message);
    this.expected = expected;
    this.path = path;
  }

  override get name(): string {
    return "ReadError";
  }
}
