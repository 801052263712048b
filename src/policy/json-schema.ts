/**
 * The JSON Schema of policy files, for editors: made from the schema that reads policies, so that the two cannot differ.
 *
 * Owns: the second spelling of each field, and the root of a file. It says what can be said without arithmetic: a file that it accepts
 * may still be refused, and a file that it refuses is refused.
 */
import { z } from "zod";
import { jsonKeywords, type JsonKeywords } from "./leaves.ts";
import { policySchema } from "./schema.ts";
import { toSnake } from "./spelling.ts";

/**
 * The schema of a policy file, as JSON Schema draft 7 (what editors know best).
 *
 * @example
 * JSON.stringify(policyFileJsonSchema());
 */
export function policyFileJsonSchema(): JsonKeywords {
  const policy = z.toJSONSchema(policySchema, { io: "input", target: "draft-07", metadata: jsonKeywords }) as JsonKeywords;
  const { $schema, ...fields } = policy;
  return {
    $schema,
    title: "faultcore policies",
    description: "A mapping from policy names to the fields of the policies.",
    type: "object",
    properties: { $schema: { type: "string", description: "Where this JSON Schema is; ignored." } },
    // The name rules of names.ts.
    propertyNames: { anyOf: [{ const: "$schema" }, { pattern: "\\S", not: { pattern: "^(auto$|preset:|\\$)" } }] },
    additionalProperties: { $ref: "#/definitions/policy" },
    definitions: { policy: { title: "policy", ...(withBothSpellings(fields) as JsonKeywords) } },
  };
}

/** Adds the snake_case spelling of each field, in every mapping of a schema. One of the two may be given. */
function withBothSpellings(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withBothSpellings);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: JsonKeywords = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withBothSpellings(value)]));
  const properties = copy["properties"] as JsonKeywords | undefined;
  if (copy["type"] !== "object" || properties === undefined) return copy;
  const required = (copy["required"] ?? []) as readonly string[];
  const spelt: JsonKeywords = {};
  const rules: JsonKeywords[] = [];
  for (const [field, value] of Object.entries(properties)) {
    const snake = toSnake(field);
    spelt[field] = value;
    if (snake === field) continue;
    spelt[snake] = value;
    const either = [{ required: [field] }, { required: [snake] }];
    rules.push(required.includes(field) ? { oneOf: either } : { not: { required: [field, snake] } });
  }
  copy["properties"] = spelt;
  copy["required"] = required.filter((field) => toSnake(field) === field);
  if ((copy["required"] as string[]).length === 0) delete copy["required"];
  if (rules.length > 0) copy["allOf"] = rules;
  return copy;
}
