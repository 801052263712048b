import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { FaultcoreError } from "../../../src/errors.ts";
import { readPolicyFile } from "../../../src/policy/files.ts";
import { caught } from "./caught.ts";

const directory = mkdtempSync(join(tmpdir(), "faultcore-files-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function write(extension: string, content: string | Buffer): string {
  files += 1;
  const path = join(directory, `policies-${files}.${extension}`);
  writeFileSync(path, content);
  return path;
}

const read = (extension: string, content: string | Buffer): Record<string, unknown> =>
  Object.fromEntries(readPolicyFile(write(extension, content)).map(({ name, parsed }) => [name, parsed.source]));
const failure = (extension: string, content: string | Buffer): FaultcoreError => caught(() => read(extension, content));

describe("policy files", () => {
  it("are JSON or YAML, by extension", () => {
    const policies = { slow: { latency: "50ms", packet_loss: "1%" }, empty: {} };
    expect(read("json", JSON.stringify(policies))).toEqual(policies);
    expect(read("JSON", JSON.stringify(policies))).toEqual(policies);
    expect(read("yaml", "slow:\n  latency: 50ms\n  packet_loss: 1%\nempty: {}\n")).toEqual(policies);
    expect(read("yml", JSON.stringify(policies))).toEqual(policies);
  });

  it("may have a byte order mark and Windows line ends", () => {
    expect(read("json", '\uFEFF{\r\n"slow": {"latency": "1ms"}\r\n}\r\n')).toEqual({ slow: { latency: "1ms" } });
    expect(read("yaml", "\uFEFFslow:\r\n  latency: 1ms\r\n")).toEqual({ slow: { latency: "1ms" } });
  });

  it("may name a schema", () => {
    expect(read("json", '{"$schema": "./policies.schema.json"}')).toEqual({});
    expect(read("yaml", "$schema: x\nslow: {}")).toEqual({ slow: {} });
  });

  it.each([
    ["json", "", "is empty"],
    ["json", " \n", "is empty"],
    ["yaml", "", "is empty"],
    ["yaml", "# nothing\n", "is empty"],
    ["yaml", "---\n", "is empty"],
    ["yaml", "null\n", "is empty"],
    ["json", "[]", "holds a list"],
    ["json", '"slow"', 'holds the text "slow"'],
    ["json", "null", "holds null"],
    ["yaml", "- slow", "holds a list"],
    ["yaml", "slow", 'holds the text "slow"'],
    ["yaml", "a: {}\n---\nb: {}\n", "holds 2 documents"],
    ["txt", "{}", "the extension .txt"],
    ["json", Buffer.from([0xff, 0xfe, 0x7b, 0]), "is not UTF-8"],
    ["yaml", " ".repeat(2 ** 20 + 1), "bytes"],
  ])("a .%s file that holds %j is refused: %s", (extension, content, message) => {
    const error = failure(extension, content);
    expect(error.code).toBe("ERR_FAULTCORE_POLICY_FILE");
    expect(error.message).toContain(message);
    expect(error.file).toContain(directory);
  });

  it("must exist and be files", () => {
    const missing = caught(() => readPolicyFile(join(directory, "missing.json")));
    expect(missing.message).toContain("cannot be read: ENOENT");
    expect(missing.cause).toMatchObject({ code: "ENOENT" });
    mkdirSync(join(directory, "d.yaml"));
    expect(caught(() => readPolicyFile(join(directory, "d.yaml"))).message).toContain("is a directory");
    expect(caught(() => readPolicyFile(directory)).message).toContain("has no extension");
  });

  it.each([[undefined], [""], [5], [null]])("need a path: %j is none", (path) => {
    expect(caught(() => readPolicyFile(path as string)).code).toBe("ERR_FAULTCORE_INVALID_ARGUMENT");
  });
});

describe("errors in policy files", () => {
  it.each([
    ["json", '{"slow": {"latency": "1ms",}}', 1],
    ["json", '{\n  "slow": {\n    "latency" "1ms"\n  }\n}', 3],
    ["json", '{\r\n\r\n"slow": nul}', 3],
    ["json", '{"slow": {}}\n// comment', 2],
    ["yaml", "slow:\n  latency: 1ms\n jitter: 2ms\n", 3],
    ["yaml", "slow:\n\tlatency: 1ms\n", 2],
    ["yaml", "a: {}\nb: !secret 1\n", 2],
    ["yaml", "a: {}\n? [x]\n: {}\n", 2],
    ["yaml", "a: &a {}\n<<: *a\n", 2],
  ])("have a line: .%s %j at %d", (extension, content, line) => {
    const error = failure(extension, content);
    expect(error).toMatchObject({ code: "ERR_FAULTCORE_POLICY_FILE", line });
    expect(error.message).toContain(`line ${line}`);
  });

  it.each([
    ["json", '{"slow": {},\n"slow": {}}', 2],
    ["json", '{"slow": {"latency": "1ms",\n"latency": "2ms"}}', 2],
    ["json", '{"slow": {"targets": [{"host": "10.0.0.1",\n\n"host": "10.0.0.1"}]}}', 3],
    ["yaml", "slow: {}\nslow: {}\n", 2],
    ["yaml", "slow:\n  latency: 1ms\n  latency: 2ms\n", 3],
    ["yaml", 'slow:\n  targets:\n    - host: 10.0.0.1\n      "host": 10.0.0.1\n', 4],
  ])("are duplicate keys at any depth: .%s %j at line %d", (extension, content, line) => {
    const error = failure(extension, content);
    expect(error.message).toContain("given twice");
    expect(error.line).toBe(line);
  });

  it("are names that YAML takes for different keys, and we for one", () => {
    expect(failure("yaml", '1: {}\n"1": {}\n')).toMatchObject({ policy: "1" });
  });

  it("name the policy, the path and what was expected", () => {
    const error = failure("yaml", "ok: {}\nslow:\n  timeout:\n    conect: 5s\n");
    expect(error).toMatchObject({ policy: "slow", path: "timeout.conect", expected: "connect" });
    expect(error.message).toMatch(/^Policy file .*: Invalid policy "slow": timeout\.conect: .*Did you mean connect\?$/);
    expect(error.cause).toMatchObject({ code: "ERR_FAULTCORE_INVALID_POLICY" });
  });

  it.each(["auto", "preset:3g", "$x", " ", ""])("are reserved names: %j", (name) => {
    const error = failure("json", JSON.stringify({ [name]: {} }));
    expect(error).toMatchObject({ code: "ERR_FAULTCORE_POLICY_FILE", policy: name });
    expect(error.message).toContain("Invalid policy name");
  });

  it("are policies without fields, which are not empty policies", () => {
    expect(failure("yaml", "slow:\n").message).toContain("got null; expected a mapping of fields");
    expect(failure("json", '{"slow": null}').message).toContain("got null");
  });

  it("pollute nothing", () => {
    expect(failure("json", '{"slow": {"__proto__": {"latency": "1ms"}}}').path).toBe("__proto__");
    expect(failure("yaml", "slow:\n  __proto__:\n    latency: 1ms\n").path).toBe("__proto__");
    expect(read("json", '{"__proto__": {"latency": "1ms"}}')).toEqual(Object.fromEntries([["__proto__", { latency: "1ms" }]]));
  });
});

describe("values in YAML", () => {
  it("keeps `on` and `off` texts", () => {
    const policies = read("yaml", "a:\n  schedule:\n    kind: flapping\n    on: 1s\n    off: 2s\n");
    expect(policies["a"]).toEqual({ schedule: { kind: "flapping", on: "1s", off: "2s" } });
    expect(() => read("yaml", "%YAML 1.1\n---\na:\n  schedule: {kind: flapping, on: 1s, off: 2s}\n")).not.toThrow();
  });

  it("still needs units", () => {
    expect(failure("yaml", "a:\n  rate: 10\n")).toMatchObject({ path: "rate", expected: expect.stringContaining("with a unit") as string });
    expect(failure("yaml", "a:\n  payload_mutation:\n    enabled: yes\n").message).toContain("true or false, without quotes");
  });

  it.each([
    ["0x10", 16n],
    ["42", 42n],
    ["0b101", 5n],
    ['"18446744073709551615"', 18446744073709551615n],
  ])("reads the seed %s", (seed, value) => {
    const [policy] = readPolicyFile(write("yaml", `a:\n  seed: ${seed}\n`));
    expect(policy?.parsed.fields.seed).toBe(value);
  });

  it("refuses a seed that a number cannot hold", () => {
    expect(failure("yaml", "a:\n  seed: 18446744073709551615\n").message).toContain("write the seed as text");
    expect(failure("json", '{"a": {"seed": 18446744073709551615}}').message).toContain("write the seed as text");
  });

  it("takes every plain name for text", () => {
    expect(Object.keys(read("yaml", "1: {}\ntrue: {}\n0x10: {}\nnull: {}\n")).toSorted()).toEqual(["0x10", "1", "null", "true"]);
  });

  it("follows anchors, aliases and merge keys", () => {
    const policies = read("yaml", "a: &a\n  latency: 1ms\n  rate: 1mbps\nb: *a\nc:\n  <<: *a\n  latency: 2ms\n");
    expect(policies["b"]).toEqual({ latency: "1ms", rate: "1mbps" });
    expect(policies["c"]).toEqual({ latency: "2ms", rate: "1mbps" });
  });

  it.each([
    ["an alias of nothing", "a: *missing\n"],
    ["an alias of itself", "a: &a\n  uplink: *a\n"],
    ["an alias of what comes later", "a: *b\nb: &b {}\n"],
  ])("refuses %s", (_, content) => {
    expect(failure("yaml", content).code).toBe("ERR_FAULTCORE_POLICY_FILE");
  });

  it("is not brought down by an alias bomb", () => {
    const levels = Array.from({ length: 30 }, (_, level) => {
      const items = Array.from({ length: 10 }, () => (level === 0 ? "x" : `*l${level - 1}`));
      return `l${level}: &l${level} {targets: [${items.join(", ")}]}`;
    });
    const start = performance.now();
    expect(failure("yaml", levels.join("\n")).code).toBe("ERR_FAULTCORE_POLICY_FILE");
    expect(failure("yaml", levels.toSpliced(0, 1, "l0: &l0 {}").join("\n")).code).toBe("ERR_FAULTCORE_POLICY_FILE");
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
