/**
 * Policy files: a mapping from policy names to fields, in JSON or YAML 1.2.
 *
 * Owns: reading, the errors of files. Never: registering; a file is read and checked as a whole before anybody sees a part of it.
 */
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import type * as Yaml from "yaml";
import { FaultcoreError, type FaultcoreErrorDetails } from "../errors.ts";
import { describeValue } from "../internal/describe.ts";
import { findJsonProblem } from "../internal/json-source.ts";
import { checkPolicyName } from "./names.ts";
import { parsePolicy, type ParsedPolicy } from "./parse.ts";

export interface FilePolicy {
  readonly name: string;
  readonly parsed: ParsedPolicy;
}

/** Far more than any set of policies. */
const MAX_FILE_BYTES = 1024 * 1024;
/** How often aliases may be resolved in one file: bounds alias bombs. */
const MAX_ALIASES = 1_000;
const SHAPE = 'a mapping from policy names to fields, such as {"slow": {"latency": "50ms"}}';

type Entries = readonly (readonly [name: string, fields: unknown])[];

/**
 * Reads all policies of a file. `$schema` at its root is ignored.
 *
 * @param path ends in `.json`, `.yaml` or `.yml`.
 * @throws {FaultcoreError} `ERR_FAULTCORE_POLICY_FILE` with `file`, and where they are known `line`, `policy`, `path` and `expected`.
 * @example
 * readPolicyFile("policies.yaml").map(({ name }) => name);
 */
export function readPolicyFile(path: string): FilePolicy[] {
  const parse = parserFor(path);
  const text = readText(path);
  if (text.trim() === "") throw fileError(path, "is empty", { expected: SHAPE });
  const names = new Set<string>();
  return parse(path, text)
    .filter(([name]) => name !== "$schema")
    .map(([name, fields]) => {
      if (names.has(name))
        throw fileError(path, `the policy ${JSON.stringify(name)} is given twice`, { policy: name, expected: "each name once" });
      names.add(name);
      return { name, parsed: readPolicy(path, name, fields) };
    });
}

function parserFor(path: unknown): (path: string, text: string) => Entries {
  if (typeof path !== "string" || path === "") {
    const expected = "the path of a policy file, as text";
    throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `Invalid path: got ${describeValue(path)}; expected ${expected}`, {
      expected,
    });
  }
  const extension = extname(path).toLowerCase();
  if (extension === ".json") return parseJson;
  if (extension === ".yaml" || extension === ".yml") return parseYaml;
  throw fileError(path, `has ${extension === "" ? "no extension" : `the extension ${extension}`}`, {
    expected: "a name in .json, .yaml or .yml",
  });
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) throw fileError(path, "is a directory", { expected: "a file" });
    if (stats.size > MAX_FILE_BYTES) throw fileError(path, `has ${stats.size} bytes`, { expected: `at most ${MAX_FILE_BYTES}` });
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof FaultcoreError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw fileError(path, `cannot be read: ${reason}`, { cause: error, expected: "a readable file" });
  }
  try {
    // Fatal, so that a file in another encoding is an error and not a policy with strange characters. Drops a byte order mark.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw fileError(path, "is not UTF-8", { cause: error, expected: "text in UTF-8" });
  }
}

function parseJson(path: string, text: string): Entries {
  const problem = findJsonProblem(text);
  if (problem !== undefined) {
    throw fileError(path, `line ${problem.line}, column ${problem.column}: ${problem.message}`, {
      line: problem.line,
      expected: "strict JSON",
    });
  }
  const root = JSON.parse(text) as unknown;
  if (typeof root !== "object" || root === null || Array.isArray(root)) throw wrongRoot(path, describeValue(root));
  return Object.entries(root);
}

/** Loaded with the first file that needs it: most programs have none, and would pay for it at each start. */
function loadYaml(): typeof Yaml {
  return createRequire(import.meta.url)("yaml") as typeof Yaml;
}

function parseYaml(path: string, text: string): Entries {
  const { LineCounter, parseAllDocuments } = loadYaml();
  const lineCounter = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, lineCounter.linePos(offset).line);
  // `merge` for `<<: *base`, which files of the Python tool may use. The core schema keeps `on` and `off` texts.
  const parsed = parseAllDocuments(text, {
    version: "1.2",
    schema: "core",
    merge: true,
    uniqueKeys: true,
    lineCounter,
    prettyErrors: false,
  });
  const documents = Array.isArray(parsed) ? parsed : [];
  for (const document of documents) {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem === undefined) continue;
    const line = lineAt(problem.pos[0]);
    const message = problem.code === "DUPLICATE_KEY" ? "a key is given twice" : problem.message;
    throw fileError(path, `line ${line}: ${message}`, { line, expected: "YAML 1.2", cause: problem });
  }
  const [document, second] = documents;
  if (document === undefined) throw fileError(path, "is empty", { expected: SHAPE });
  if (second !== undefined)
    throw fileError(path, `holds ${documents.length} documents`, { expected: "one document", line: lineAt(second.range[0]) });
  return yamlEntries(path, document, lineAt);
}

/** The root's entries one by one, since names are texts whatever YAML takes them for: `1:` is the policy "1". */
function yamlEntries(path: string, document: Yaml.Document.Parsed, lineAt: (offset: number) => number): Entries {
  const { isMap, isScalar } = loadYaml();
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) throw fileError(path, "is empty", { expected: SHAPE });
  if (!isMap(root)) throw wrongRoot(path, isScalar(root) ? describeValue(root.value) : "a list");
  try {
    return root.items.map(({ key, value }): readonly [string, unknown] => {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : undefined;
      if (name === undefined || name === "<<") {
        const line = lineAt((key as { range?: readonly number[] } | null)?.range?.[0] ?? 0);
        throw fileError(path, `line ${line}: a policy name is not plain text`, { line, expected: SHAPE });
      }
      return [name, value === null ? null : value.toJS(document, { maxAliasCount: MAX_ALIASES })];
    });
  } catch (error) {
    if (error instanceof FaultcoreError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw fileError(path, reason, { cause: error, expected: "aliases of what stands before them, and not too many" });
  }
}

function readPolicy(path: string, name: string, fields: unknown): ParsedPolicy {
  try {
    checkPolicyName(name);
    return parsePolicy(fields, name);
  } catch (error) {
    if (!(error instanceof FaultcoreError)) throw error;
    throw fileError(path, error.message, { policy: name, path: error.path, expected: error.expected, cause: error });
  }
}

function wrongRoot(path: string, found: string): FaultcoreError {
  return fileError(path, `holds ${found}`, { expected: SHAPE });
}

function fileError(file: string, problem: string, details: FaultcoreErrorDetails): FaultcoreError {
  const cause = details.cause instanceof FaultcoreError ? "" : `; expected ${details.expected}`;
  return new FaultcoreError("ERR_FAULTCORE_POLICY_FILE", `Policy file ${file}: ${problem}${cause}`, { ...details, file });
}
