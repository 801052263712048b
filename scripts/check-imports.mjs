// Checks who imports whom in src/ against the table below; whatever is not listed is denied.
// oxlint's no-restricted-imports matches the text of a specifier: it cannot deny by default, nor see types apart from values.
// Usage: node scripts/check-imports.mjs [src folder]
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";

/** A folder of src/, or a file beside them, and what it may import besides itself. `types:` allows `import type` only. */
const TABLE = {
  errors: [],
  internal: [],
  engine: ["internal"],
  policy: ["internal", "errors", "types:engine"],
  table: ["internal", "errors", "policy"],
  scope: ["internal", "errors", "policy", "table"],
  relay: ["internal", "errors", "engine", "policy", "table"],
  local: ["internal", "errors", "engine", "policy", "table"],
  steer: ["internal", "errors"],
  record: ["internal", "types:engine"],
  report: ["internal", "types:engine"],
  // The composition root, and the only one that wires layers together.
  runtime: ["internal", "errors", "engine", "policy", "table", "scope", "relay", "local", "steer", "record", "report"],
  index: ["runtime", "errors", "policy", "scope", "types:engine", "types:report"],
  register: ["runtime"],
  // The public API: index, its errors, and the module that `run` preloads; and where the files of the package are.
  cli: ["internal", "index", "errors", "register"],
  // Helpers for test runners stand on the public API, and know the names of faults.
  testing: ["index", "errors", "internal", "engine"],
};

/** These import no package and no `node:` module either. */
const PURE = new Set(["engine"]);

/** Every specifier of a file, with whether only types cross. */
function importsOf(path) {
  const source = readFileSync(path, "utf8");
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) return { found: [], problem: errors[0].message };
  const found = [];
  const add = (node, typeOnly) => {
    if (typeof node?.value !== "string") return;
    found.push({ specifier: node.value, typeOnly, line: source.slice(0, node.start).split("\n").length });
  };
  const allTypes = (kind, specifiers, key) =>
    kind === "type" || (specifiers?.length > 0 && specifiers.every((specifier) => specifier[key] === "type"));
  new Visitor({
    ImportDeclaration: (node) => add(node.source, allTypes(node.importKind, node.specifiers, "importKind")),
    ExportNamedDeclaration: (node) => add(node.source, allTypes(node.exportKind, node.specifiers, "exportKind")),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === "type"),
    ImportExpression: (node) => add(node.source, false),
    TSImportType: (node) => add(node.source, true),
    TSExternalModuleReference: (node) => add(node.expression, false),
    CallExpression: (node) => {
      if (node.callee.type === "Identifier" && node.callee.name === "require") add(node.arguments[0], false);
    },
    // new Worker(new URL("./worker.js", import.meta.url))
    NewExpression: (node) => {
      if (node.callee.type === "Identifier" && node.callee.name === "URL" && node.arguments.length === 2) add(node.arguments[0], false);
    },
  }).visit(program);
  return { found };
}

const src = resolve(process.argv[2] ?? join(dirname(dirname(fileURLToPath(import.meta.url))), "src"));
const layerOf = (path) =>
  relative(src, path)
    .split(sep)[0]
    .replace(/\.[jt]s$/, "");
const problems = [];

const files = readdirSync(src, { recursive: true }).filter((file) => file.endsWith(".ts"));
for (const file of files.toSorted()) {
  const path = join(src, file);
  const layer = layerOf(path);
  const allowed = TABLE[layer];
  const report = (line, text) => problems.push(`src/${file}:${line}: ${text}`);
  if (allowed === undefined) {
    report(1, `"${layer}" is not in the table of scripts/check-imports.mjs`);
    continue;
  }
  const { found, problem } = importsOf(path);
  if (problem) report(1, problem);
  for (const { specifier, typeOnly, line } of found) {
    if (!specifier.startsWith(".")) {
      if (PURE.has(layer)) report(line, `${layer} may import no package and no Node module, but imports "${specifier}"`);
      else if (specifier === "faultcore" || specifier.startsWith("faultcore/")) report(line, `src imports itself by name: "${specifier}"`);
      continue;
    }
    const target = layerOf(resolve(dirname(path), specifier));
    if (specifier.endsWith("/package.json")) continue;
    else if (target === "..") report(line, `"${specifier}" lies outside src`);
    else if (target === layer || allowed.includes(target)) continue;
    else if (!allowed.includes(`types:${target}`)) report(line, `${layer} may not import ${target} ("${specifier}")`);
    else if (!typeOnly) report(line, `${layer} may import only types of ${target} ("${specifier}"): use import type`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} import(s) against the table in scripts/check-imports.mjs`);
  process.exitCode = 1;
}
