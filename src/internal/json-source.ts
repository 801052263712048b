/**
 * Looks at JSON text as `JSON.parse` does not: where exactly an error is, and which keys a mapping has twice.
 *
 * Owns: the grammar of RFC 8259, for positions only; values are for `JSON.parse` to make.
 */

export interface SourceProblem {
  readonly message: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

/** Deeper than any file of ours; bounds the recursion. */
const MAX_DEPTH = 200;

/**
 * The first thing that is wrong with a JSON text: a syntax error or a duplicate key. Undefined where all is well.
 *
 * @example
 * findJsonProblem('{"a": 1, "a": 2}'); // { message: 'the key "a" is given twice', line: 1, column: 10 }
 */
export function findJsonProblem(text: string): SourceProblem | undefined {
  const scanner = new JsonScanner(text);
  try {
    scanner.document();
    return undefined;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, error.offset).split(/\r\n|\r|\n/);
    return { message: error.message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
}

class Stop extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

class JsonScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#stop("the end of the file");
  }

  #value(depth: number): void {
    if (depth > MAX_DEPTH) throw new Stop("is nested too deeply", this.#at);
    this.#space();
    const char = this.#text[this.#at];
    if (char === "{") this.#mapping(depth);
    else if (char === "[") this.#list(depth);
    else if (char === '"') this.#string();
    else if (!this.#take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y)) this.#stop("a value");
  }

  #mapping(depth: number): void {
    this.#at += 1;
    const keys = new Set<string>();
    this.#space();
    if (this.#takeChar("}")) return;
    do {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') this.#stop("a key in double quotes");
      const key = this.#string();
      if (keys.has(key)) throw new Stop(`the key ${JSON.stringify(key)} is given twice`, start);
      keys.add(key);
      this.#space();
      if (!this.#takeChar(":")) this.#stop("a colon");
      this.#value(depth + 1);
      this.#space();
    } while (this.#takeChar(","));
    if (!this.#takeChar("}")) this.#stop("a comma or }");
  }

  #list(depth: number): void {
    this.#at += 1;
    this.#space();
    if (this.#takeChar("]")) return;
    do {
      this.#value(depth + 1);
      this.#space();
    } while (this.#takeChar(","));
    if (!this.#takeChar("]")) this.#stop("a comma or ]");
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new Stop("a text has no end", start);
      if (char < " ") throw new Stop("a text holds a control character or a line end, which must be escaped", this.#at);
      if (char === "\\" && !this.#take(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y)) throw new Stop("a text holds an unknown escape", this.#at);
      else if (char === '"') break;
      else if (char !== "\\") this.#at += 1;
    }
    this.#at += 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #space(): void {
    this.#take(/[ \t\r\n]+/y);
  }

  #takeChar(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #stop(expected: string): never {
    const found = this.#text[this.#at];
    throw new Stop(`${found === undefined ? "the file ends" : `found ${JSON.stringify(found)}`} where ${expected} is expected`, this.#at);
  }
}
