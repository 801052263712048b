/**
 * From any input to a valid policy, or to one `FaultcoreError` that says where and what is wrong.
 *
 * Owns: the two spellings, the order of steps (plain copy, camelCase, schema), the error. Never throws anything but `FaultcoreError`.
 */
import { FaultcoreError } from "../errors.ts";
import { copyPlain } from "../internal/plain-copy.ts";
import { ReadError } from "../internal/read-error.ts";
import type { PolicyFields, PolicyOf, Read } from "./fields.ts";
import { pathText, toProblems, type Path, type Problem } from "./problems.ts";
import { policySchema } from "./schema.ts";
import { toCamel, toSnake } from "./spelling.ts";

export interface ParsedPolicy {
  /** The values, as numbers. */
  readonly fields: PolicyOf<Read>;
  /** A copy of what was given, in its own spelling. */
  readonly source: PolicyFields;
  /** The path of a field in the spelling that was given: `["packetLoss"]` → `packet_loss`. */
  readonly spell: (path: Path) => string;
}

/**
 * Reads the fields of one policy.
 *
 * @param input an ordinary object, with fields in camelCase or snake_case.
 * @param policy its name, for the error; undefined for inline fields.
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY` with `path`, `expected` and `policy`. Of several problems, the one that comes
 * first in the input is `path`; the message has them all.
 * @example
 * parsePolicy({ latency: "50ms" }).fields.latency; // 50_000_000 (ns)
 */
export function parsePolicy(input: unknown, policy?: string): ParsedPolicy {
  let source: unknown;
  try {
    source = copyPlain(input);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    throw invalidPolicy([{ path: error.path, message: error.message, expected: error.expected }], new Spelling(), policy);
  }
  const spelling = new Spelling();
  const fields = spelling.canonical(source, []);
  const result = policySchema.safeParse(fields, { reportInput: true });
  const problems = [...spelling.problems, ...(result.success ? [] : toProblems(result.error.issues))];
  if (!result.success || problems.length > 0) throw invalidPolicy(problems, spelling, policy);
  return { fields: result.data, source: source as PolicyFields, spell: (path) => spelling.spell(path) };
}

/** Brings one input to camelCase and remembers how each path was spelt. */
class Spelling {
  readonly problems: Problem[] = [];
  /** By canonical path: the path as it was given, and the places in the input of the value and of the last value in it. */
  readonly #given = new Map<string, { readonly path: string; readonly order: number; end: number }>();
  #snake = false;

  canonical(value: unknown, path: Path, given: Path = path): unknown {
    const place = { path: pathText(given), order: this.#given.size, end: 0 };
    this.#given.set(pathText(path), place);
    const copy = this.#members(value, path, given);
    place.end = this.#given.size;
    return copy;
  }

  #members(value: unknown, path: Path, given: Path): unknown {
    if (Array.isArray(value)) return value.map((item, index) => this.canonical(item, [...path, index], [...given, index]));
    if (typeof value !== "object" || value === null) return value;
    // Without a prototype, so that a key `__proto__` is a key like any other, and refused like any other.
    const fields = Object.create(null) as Record<string, unknown>;
    const spelt = new Map<string, string>();
    for (const [key, member] of Object.entries(value)) {
      const name = toCamel(key);
      if (name !== key) this.#snake = true;
      const other = spelt.get(name);
      // A field that is undefined is not given.
      if (other !== undefined && member === undefined) continue;
      if (other !== undefined && fields[name] !== undefined) {
        const message = `is given twice, as ${other} and as ${key}`;
        this.problems.push({ path: [...path, name], message, expected: "one of the two spellings" });
        continue;
      }
      spelt.set(name, key);
      fields[name] = this.canonical(member, [...path, name], [...given, key]);
    }
    return fields;
  }

  spell(path: Path): string {
    const given = this.#given.get(pathText(path));
    if (given !== undefined) return given.path;
    const last = path.at(-1);
    if (last === undefined) return "";
    // A field that is absent is named in the style of the others.
    const key = typeof last === "string" && this.#snake ? toSnake(last) : last;
    return joinText(this.spell(path.slice(0, -1)), key);
  }

  /** Where in the input a path was given; one that is absent comes after its siblings. */
  position(path: Path): number {
    const given = this.#given.get(pathText(path));
    if (given !== undefined || path.length === 0) return given?.order ?? 0;
    const group = this.#given.get(pathText(path.slice(0, -1)));
    return (group?.end ?? 0) + 0.5;
  }

  /** A known field in the style of the input, for suggestions. */
  suggest(field: string): string {
    return this.#snake ? toSnake(field) : field;
  }
}

function joinText(parent: string, key: string | number): string {
  const own = pathText([key]);
  return parent === "" || own.startsWith("[") ? parent + own : `${parent}.${own}`;
}

function invalidPolicy(problems: readonly Problem[], spelling: Spelling, policy: string | undefined): FaultcoreError {
  const ordered = problems.toSorted((a, b) => spelling.position(a.path) - spelling.position(b.path));
  const texts = new Map<string, string>();
  for (const problem of ordered) {
    const path = spelling.spell(problem.path);
    if (!texts.has(path)) texts.set(path, `${path === "" ? "the fields" : path}: ${problemText(problem, spelling)}`);
  }
  const [first, ...others] = texts.values();
  const subject = policy === undefined ? "Invalid policy" : `Invalid policy ${JSON.stringify(policy)}`;
  const more = others.length === 0 ? "" : ` (and ${others.slice(0, 9).join("; ")}${others.length > 9 ? "; and more" : ""})`;
  const [path] = texts.keys();
  const details = { path: path === "" ? undefined : path, expected: ordered[0] && expectedText(ordered[0], spelling), policy };
  return new FaultcoreError("ERR_FAULTCORE_INVALID_POLICY", `${subject}: ${first}${more}`, details);
}

function problemText(problem: Problem, spelling: Spelling): string {
  if (problem.meant !== undefined) return `${problem.message}. Did you mean ${spelling.suggest(problem.meant)}?`;
  return `${problem.message}${problem.message.endsWith("?") ? " Expected" : "; expected"} ${expectedText(problem, spelling)}`;
}

function expectedText({ expected, meant, members }: Problem, spelling: Spelling): string {
  if (meant !== undefined) return spelling.suggest(meant);
  return members === undefined ? expected : `${expected} ${members.map((field) => spelling.suggest(field)).join(", ")}`;
}
