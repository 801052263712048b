// Writes the JSON Schema of policy files beside the compiled code. Runs after tsc, on any supported Node, without a TypeScript loader.
// Usage: node scripts/write-json-schema.mjs [folder of the compiled code, default dist]
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const folder = resolve(process.argv[2] ?? "dist");
const { policyFileJsonSchema } = await import(pathToFileURL(join(folder, "policy", "json-schema.js")).href);
writeFileSync(join(folder, "policies.schema.json"), `${JSON.stringify(policyFileJsonSchema(), null, 2)}\n`);
