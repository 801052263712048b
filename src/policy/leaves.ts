/**
 * The leaves of the schema: one function per kind of value. Each gives a zod schema that reads a value exactly and describes itself
 * for the JSON Schema.
 *
 * Invariant: a reader throws nothing but `ReadError`, which becomes a zod issue that carries what was expected.
 */
import { z } from "zod";
import { describeValue } from "../internal/describe.ts";
import { didYouMean } from "../internal/did-you-mean.ts";
import { ReadError } from "../internal/read-error.ts";
import { parseDurationNs, parseInteger, parseProbabilityPpm, parseRateBps, parseSeed, parseSizeBytes } from "../internal/units.ts";
import type { Rate, Seed } from "./fields.ts";

/** Keywords of JSON Schema. */
export type JsonKeywords = Record<string, unknown>;

/** What the JSON Schema says about a schema besides its structure. A registry of our own: zod's global one belongs to the program. */
export const jsonKeywords: z.core.$ZodRegistry<JsonKeywords> = z.registry<JsonKeywords>();

interface Options {
  /** What the engine takes when the field is absent; said in the JSON Schema, filled in by `compile.ts`. */
  readonly default?: unknown;
}

/** A leaf that `read` reads. `json` says for editors what it takes. */
export function leaf<Out, In>(read: (input: unknown) => Out, json: JsonKeywords): z.ZodType<Out, In> {
  const anything = z.unknown();
  jsonKeywords.add(anything, json);
  const schema = anything.transform((input, context): Out => {
    try {
      return read(input);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      const message = input === undefined ? "is missing" : error.message;
      context.issues.push({ code: "custom", input, message, params: { expected: error.expected } });
      return z.NEVER;
    }
  });
  return schema as unknown as z.ZodType<Out, In>;
}

const NUMBER = "^\\s*\\d+(\\.\\d+)?\\s*";
const DURATION_PATTERN = `${NUMBER}([uU][sS]|[mM][sS]|[sS]|[mM])\\s*$`;
const RATE_PATTERN = `(${NUMBER}[kKmMgG]?[bB][pP][sS]|^\\s*[uU][nN][lL][iI][mM][iI][tT][eE][dD])\\s*$`;
const SIZE_PATTERN = `${NUMBER}([kKmMgG][iI]?)?[bB]\\s*$`;
const PROBABILITY_PATTERN = `${NUMBER}(%|[pP][pP][mM])\\s*$`;

/** A duration, ns. Zero is allowed. */
export function duration(description: string, options: Options = {}): z.ZodType<number, string> {
  return leaf(parseDurationNs, { type: "string", description, pattern: DURATION_PATTERN, examples: ["50ms", "0.5s"], ...options });
}

/** A duration over zero, ns. */
export function positiveDuration(description: string, options: Options = {}): z.ZodType<number, string> {
  return leaf(readPositiveDuration, { type: "string", description, pattern: DURATION_PATTERN, examples: ["50ms", "0.5s"], ...options });
}

/** A size over zero, bytes. */
export function positiveSize(description: string, options: Options = {}): z.ZodType<number, string> {
  return leaf(readPositiveSize, { type: "string", description, pattern: SIZE_PATTERN, examples: ["64b", "16kb"], ...options });
}

/** A size, bytes. Zero is allowed. */
export function size(description: string, options: Options = {}): z.ZodType<number, string> {
  return leaf(parseSizeBytes, { type: "string", description, pattern: SIZE_PATTERN, examples: ["64b", "16kb"], ...options });
}

/** A rate, bits per second, or `unlimited` = Infinity. */
export function rate(description: string): z.ZodType<number, Rate> {
  return leaf(readRate, { type: "string", description, pattern: RATE_PATTERN, examples: ["10mbps", "unlimited"] });
}

/** A probability, ppm. */
export function probability(description: string, options: Options = {}): z.ZodType<number, string> {
  return leaf(parseProbabilityPpm, { type: "string", description, pattern: PROBABILITY_PATTERN, examples: ["1%", "500ppm"], ...options });
}

/** A whole number, as a number or as text. */
export function integer(description: string, min: number, max: number, options: Options = {}): z.ZodType<number, number | string> {
  const json = { type: ["integer", "string"], description, minimum: min, maximum: max, pattern: "^\\s*\\d+\\s*$", ...options };
  return leaf((input) => parseInteger(input, min, max), json);
}

/** A seed: an unsigned 64-bit integer. */
export function seed(description: string): z.ZodType<bigint, Seed> {
  const pattern = "^\\s*(\\d+|0[xX][0-9a-fA-F]+|0[bB][01]+)\\s*$";
  return leaf(parseSeed, { type: ["integer", "string"], description, minimum: 0, maximum: Number.MAX_SAFE_INTEGER, pattern });
}

/** One of a few words. */
export function choice<const Words extends readonly string[]>(
  description: string,
  words: Words,
  options: Options = {},
): z.ZodType<Words[number], Words[number]> {
  const expected = `one of ${words.join(", ")}`;
  const read = (input: unknown): Words[number] => {
    if (typeof input === "string" && words.includes(input)) return input;
    const meant = typeof input === "string" ? didYouMean(input, words) : undefined;
    throw new ReadError(`got ${describeValue(input)}${meant === undefined ? "" : `. Did you mean ${meant}?`}`, expected);
  };
  return leaf(read, { type: "string", enum: [...words], description, ...options });
}

/** true or false, nothing that merely looks like it. */
export function flag(description: string, options: Options = {}): z.ZodType<boolean, boolean> {
  return leaf(readFlag, { type: "boolean", description, ...options });
}

/** Text, taken as it is. */
export function text(description: string, minLength: 0 | 1): z.ZodType<string, string> {
  const read = (input: unknown): string => {
    if (typeof input === "string" && input.length >= minLength) return input;
    throw new ReadError(
      `got ${input === "" ? "an empty text" : describeValue(input)}`,
      minLength === 0 ? "text" : "text that is not empty",
    );
  };
  return leaf(read, { type: "string", minLength, description });
}

/** One schema for each field of a group: the compiler refuses a field without a schema, and a schema without a field. */
export type ShapeOf<In, Out> = { readonly [Key in keyof In]-?: z.ZodType<Key extends keyof Out ? Out[Key] : never, In[Key]> };

/** Told of a group whose fields are all well-formed: finds what is wrong between them. Paths are within the group. */
export type GroupCheck<Out> = (fields: Out, refuse: (path: readonly string[], message: string, expected: string) => void) => void;

/** A mapping with exactly these fields. */
export function group<In, Out>(shape: ShapeOf<In, Out>, check?: GroupCheck<NoInfer<Out>>): z.ZodType<Out, In> {
  const schema = z.strictObject(shape);
  if (check === undefined) return schema as unknown as z.ZodType<Out, In>;
  return schema.check((context) => {
    // Told of fields that are well-formed, and only then.
    if (context.issues.length > 0) return;
    check(context.value as unknown as Out, (path, message, expected) => {
      context.issues.push({ code: "custom", input: context.value, path: [...path], message, params: { expected } });
    });
  }) as unknown as z.ZodType<Out, In>;
}

/** Says what a group is for, at the place where it is used. */
export function described<Schema extends z.ZodType>(schema: Schema, description: string): Schema {
  jsonKeywords.add(schema, { description });
  return schema;
}

function readRate(input: unknown): number {
  if (typeof input === "string" && input.trim().toLowerCase() === "unlimited") return Infinity;
  try {
    return parseRateBps(input);
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    throw new ReadError(error.message, `${error.expected}, or "unlimited"`);
  }
}

function readFlag(input: unknown): boolean {
  if (typeof input === "boolean") return input;
  throw new ReadError(`got ${describeValue(input)}`, "true or false, without quotes");
}

function readPositiveDuration(input: unknown): number {
  return positive(parseDurationNs(input), 'a duration over zero, such as "50ms"');
}

function readPositiveSize(input: unknown): number {
  return positive(parseSizeBytes(input), 'a size over zero, such as "16kb"');
}

function positive(value: number, expected: string): number {
  if (value > 0) return value;
  throw new ReadError("must be more than zero", expected);
}
