/** From zod's issues to problems in our words. */
import type { z } from "zod";
import { describeValue } from "../internal/describe.ts";
import { didYouMean } from "../internal/did-you-mean.ts";
import { policySchema } from "./schema.ts";

/** From the root of a policy, in camelCase. */
export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  readonly message: string;
  readonly expected: string;
  /** Fields that `expected` goes on to list, in camelCase. */
  readonly members?: readonly string[] | undefined;
  /** The field that an unknown one was probably meant to be, in camelCase. */
  readonly meant?: string | undefined;
}

/** Unknown fields of one mapping that are looked into: enough for a message, whatever the input is. */
const MAX_UNKNOWN = 10;

type Issue = z.core.$ZodIssue;
type AnyDef = z.core.$ZodTypes["_zod"]["def"];

/** A path as text: `timeout.connect`, `targets[0].port`; a key that is no word is quoted. */
export function pathText(path: Path): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (/^[\p{L}\p{N}_$-]+$/u.test(key)) text += text === "" ? key : `.${key}`;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text;
}

/** The problems that a failed parse found. */
export function toProblems(issues: readonly Issue[]): Problem[] {
  return issues.flatMap((issue) => problemsOf(issue, []));
}

function problemsOf(issue: Issue, above: Path): Problem[] {
  const path = [...above, ...(issue.path as Path)];
  switch (issue.code) {
    case "custom":
      return [customProblem(issue, path)];
    case "unrecognized_keys":
      return issue.keys.slice(0, MAX_UNKNOWN).map((key) => unknownField(key, path));
    case "invalid_union":
      return unionProblems(issue, path);
    case "too_small":
      return [{ path, message: "is an empty list", expected: "at least one rule, or no such field at all" }];
    default:
      return [wrongShape(path, issue.input)];
  }
}

function customProblem(issue: Extract<Issue, { code: "custom" }>, path: Path): Problem {
  const expected = String(issue.params?.["expected"]);
  const [group] = path;
  // These four make sense together only: what is wrong is the group.
  if (group === "correlatedLoss" && issue.input === undefined) {
    return { path: [group], message: "is not complete", expected: "all of", members: fieldsAt(policySchema, [group]) };
  }
  return { path, message: issue.message, expected };
}

function unknownField(key: string, group: Path): Problem {
  const path = [...group, key];
  const known = fieldsAt(policySchema, group);
  if (known.includes(key))
    return { path, message: "belongs to another kind", expected: `the fields of this kind of ${String(group.at(-1))} only` };
  const meant = didYouMean(key, known);
  const expected = group.length === 0 ? "a field of policies:" : "one of";
  return { path, message: "is not a field", expected, members: known, meant };
}

/** A text or a mapping, or one of several mappings: reports on the alternative that the input was meant to be. */
function unionProblems(issue: Extract<Issue, { code: "invalid_union" }>, path: Path): Problem[] {
  const { input } = issue;
  const isMapping = typeof input === "object" && input !== null && !Array.isArray(input);
  if (path[0] === "schedule") {
    const kind = isMapping ? (input as { kind?: unknown }).kind : input;
    const message = kind === undefined ? "is missing" : `got ${describeValue(kind)}`;
    return [{ path, message, expected: "one of ramp, spike, flapping" }];
  }
  const meant = issue.errors.at(isMapping ? -1 : 0) ?? [];
  return meant.flatMap((inner) => problemsOf(inner, path));
}

function wrongShape(path: Path, input: unknown): Problem {
  const isList = path.length === 1 && path[0] === "targets";
  if (isList) return { path, message: `got ${describeValue(input)}`, expected: "a list of rules" };
  const members = path.length === 0 ? undefined : fieldsAt(policySchema, path);
  return {
    path,
    message: `got ${describeValue(input)}`,
    expected: members === undefined ? 'a mapping of fields, such as {"latency": "50ms"} or {}' : "a mapping with",
    members,
  };
}

/** The names of the fields of the mapping at a path of the schema; of all alternatives, where there are several. */
function fieldsAt(schema: z.core.$ZodType, path: Path): string[] {
  const { def } = schema as unknown as { readonly def: AnyDef };
  const [key, ...rest] = path;
  switch (def.type) {
    case "optional":
      return fieldsAt(def.innerType, path);
    case "pipe":
      return fieldsAt(def.in, path);
    case "union":
      return [...new Set(def.options.flatMap((option) => fieldsAt(option, path)))];
    case "array":
      return key === undefined ? [] : fieldsAt(def.element, rest);
    case "object": {
      if (key === undefined) return Object.keys(def.shape);
      const member = def.shape[key];
      return member === undefined ? [] : fieldsAt(member, rest);
    }
    default:
      return [];
  }
}
