// Writes the JSON Schema of policy files. Runs after tsc, on any supported Node, without a TypeScript loader.
// Usage: node scripts/write-json-schema.mjs <folder of the compiled modules> <folder to write to>
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, out] = process.argv.slice(2);
const { policyFileJsonSchema } = await import(pathToFileURL(resolve(modules, "policy", "json-schema.js")).href);
writeFileSync(join(out, "policies.schema.json"), `${JSON.stringify(policyFileJsonSchema(), null, 2)}\n`);
