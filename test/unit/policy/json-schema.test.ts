import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { policyFileJsonSchema } from "../../../src/policy/json-schema.ts";
import { toCamel, toSnake } from "../../../src/policy/spelling.ts";

type Json = Record<string, unknown>;
const text = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const cases = JSON.parse(text("../../fixtures/conformance/policy-cases.json")) as {
  accept: { why: string; fields: Json }[];
  reject: { path: string; fields: Json }[];
  names: { accept: string[]; reject: string[] };
};

const schema = policyFileJsonSchema();
const validate = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }).compile(schema);
const policySchema = (schema["definitions"] as Record<string, Json>)["policy"]!;

/** The same fields with every key in another spelling. */
function respell(value: unknown, spell: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => respell(item, spell));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [spell(key), respell(member, spell)]));
}

/** Every field of every mapping in a schema, with its description. */
function fieldsOf(node: unknown): [string, string][] {
  if (typeof node !== "object" || node === null) return [];
  const { properties } = node as { properties?: Record<string, Json> };
  const own = Object.entries(properties ?? {}).map(([key, field]): [string, string] => [key, String(field["description"])]);
  return [...own, ...Object.values(node).flatMap(fieldsOf)];
}

describe("the JSON Schema of policy files", () => {
  it.each(cases.accept)("accepts in both spellings: $why", ({ fields }) => {
    for (const policy of [fields, respell(fields, toCamel), respell(fields, toSnake)]) {
      expect([validate({ policy }), validate.errors]).toEqual([true, null]);
    }
  });

  it("accepts the policies of the Python tool's seed, a $schema, and any case and space", () => {
    expect(validate(JSON.parse(text("../../fixtures/conformance/seed-policies.json")))).toBe(true);
    expect(validate({ $schema: "./policies.schema.json" })).toBe(true);
    expect(validate({ a: { latency: " 50 MS ", rate: " UNLIMITED ", seed: "0XFF", burst_loss: " 3 " } })).toBe(true);
  });

  // What needs arithmetic or address syntax is beyond a JSON Schema; all else it finds.
  const beyond =
    /^(targets\[0\](\.(host|hostname|port))?|targets|seed|schedule\.(duration|off)|session_budget.*|payload_mutation\.truncate_size)$/;
  const zero = new Set(["half_open.after", "timeout", "timeout.connect", "rate"]);
  it.each(cases.reject.filter(({ path }) => !beyond.test(path) && !zero.has(path)))("refuses $fields", ({ fields }) => {
    expect(validate({ policy: fields })).toBe(false);
  });

  it("has the same opinion of names", () => {
    for (const name of cases.names.accept) expect(validate({ [name]: {} })).toBe(true);
    for (const name of cases.names.reject) expect(validate({ [name]: {} })).toBe(false);
  });

  it("needs each field of a group in one of its spellings", () => {
    const fields = { p_good_to_bad: "1%", pBadToGood: "1%", loss_good: "1%", lossBad: "1%" };
    expect(validate({ a: { correlatedLoss: fields } })).toBe(true);
    expect(validate({ a: { correlatedLoss: { ...fields, loss_bad: "1%" } } })).toBe(false);
    expect(validate({ a: { correlated_loss: { ...fields, lossBad: undefined } } })).toBe(false);
  });

  it("describes every field as the types do", () => {
    const source = text("../../../src/policy/fields.ts");
    const fields = fieldsOf(policySchema);
    expect(fields.length).toBeGreaterThan(100);
    for (const [key, description] of fields) {
      if (key === "kind" && !description.startsWith("What")) continue; // each kind of schedule explains itself
      expect(source, `${key} in fields.ts`).toContain(`/** ${description} */`);
    }
  });

  it("gives defaults where the description does", () => {
    const direction = (policySchema["properties"] as Record<string, Json>)["uplink"]!["properties"] as Record<string, Json>;
    expect(direction["burst_loss"]).toMatchObject({ default: 1, minimum: 1 });
    expect(direction["latency"]).not.toHaveProperty("default");
  });

  it("is made anew for every caller", () => {
    expect(policyFileJsonSchema()).toEqual(schema);
    expect(policyFileJsonSchema()).not.toBe(schema);
  });
});
