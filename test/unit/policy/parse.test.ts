import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FaultcoreError } from "../../../src/errors.ts";
import type { PolicyFields } from "../../../src/policy/fields.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import { toCamel, toSnake } from "../../../src/policy/spelling.ts";
import { caught } from "./caught.ts";

const pathOf = (fields: unknown): string | undefined => caught(() => parsePolicy(fields)).path;
const messageOf = (fields: unknown): string => caught(() => parsePolicy(fields)).message;

describe("spelling", () => {
  it("reads both spellings of every field as the same", () => {
    const snake = parsePolicy({ packet_loss: "1%", session_budget: { max_tx: "1mb", action: "timeout", budget_timeout: "2s" } });
    const camel = parsePolicy({ packetLoss: "1%", sessionBudget: { maxTx: "1mb", action: "timeout", budgetTimeout: "2s" } });
    expect(snake.fields).toEqual(camel.fields);
  });

  it("keeps the source as it was given", () => {
    const fields: PolicyFields = { packet_loss: " 1% ", uplink: { burstLoss: "3" } };
    const { source } = parsePolicy(fields);
    expect(source).toEqual(fields);
    expect(source.uplink).not.toBe(fields.uplink);
  });

  it.each([
    [{ packet_loss: "1%", packetLoss: "1%" }, "packet_loss"],
    [{ packetLoss: "1%", packet_loss: "1%" }, "packetLoss"],
    [{ uplink: { burstLoss: 1, burst_loss: 1 } }, "uplink.burstLoss"],
    [{ payload_mutation: { type: "swap_bytes", swap_pos1: 1, swapPos1: 1, swapPos2: 2 } }, "payload_mutation.swap_pos1"],
  ])("refuses both spellings of one field: %j", (fields, path) => {
    expect(pathOf(fields)).toBe(path);
    expect(messageOf(fields)).toContain("is given twice");
  });

  it("takes a field that is undefined for absent", () => {
    expect(parsePolicy({ latency: undefined, packetLoss: undefined, packet_loss: "1%" }).fields).toEqual({ packetLoss: 10_000 });
    expect(parsePolicy({ packet_loss: "1%", packetLoss: undefined }).fields).toEqual({ packetLoss: 10_000 });
  });

  it.each([["packet__loss"], ["packet_Loss"], ["PacketLoss"], ["_latency"], ["latency_"], ["Latency"], ["packet-loss"]])(
    "refuses other spellings: %s",
    (key) => {
      expect(pathOf({ [key]: "1%" })).toBe(key);
      expect(messageOf({ [key]: "1%" })).toMatch(/Did you mean (latency|packetLoss|packet_loss)\?/);
    },
  );

  it("does not take swap_pos_1 for swapPos1", () => {
    expect(toCamel("swap_pos_1")).toBe("swap_pos_1");
    expect(toCamel("swap_pos1")).toBe("swapPos1");
    expect(toCamel(toSnake("pGoodToBad"))).toBe("pGoodToBad");
  });

  it("suggests in the spelling of the input", () => {
    expect(messageOf({ burst_loss: 1, packet_los: "1%" })).toContain("Did you mean packet_loss?");
    expect(messageOf({ burstLoss: 1, packetLos: "1%" })).toContain("Did you mean packetLoss?");
  });

  it("names a missing field in the spelling of the others", () => {
    expect(pathOf({ payload_mutation: { type: "truncate" } })).toBe("payload_mutation.truncate_size");
    expect(pathOf({ payloadMutation: { type: "truncate" } })).toBe("payloadMutation.truncateSize");
  });
});

describe("errors of policies", () => {
  it("puts the first problem of the input in `path` and all of them in the message", () => {
    const fields = { rate: 10, latncy: "1ms", timeout: { recv: "0ms", conect: "1s" } };
    const error = caught(() => parsePolicy(fields, "slow"));
    expect(error).toMatchObject({ path: "rate", policy: "slow", code: "ERR_FAULTCORE_INVALID_POLICY" });
    for (const path of ["latncy", "timeout.recv", "timeout.conect"]) expect(error.message).toContain(`${path}: `);
  });

  it("reports what is wrong before what is missing", () => {
    expect(pathOf({ connection_error: { prob: 5 } })).toBe("connection_error.prob");
  });

  it.each([
    ["null", null],
    ["a list", []],
    ["text", "latency"],
    ["a number", 5],
    ["nothing", undefined],
    ["a map", new Map()],
    [
      "an instance",
      new (class Fields {
        latency = "5ms";
      })(),
    ],
  ])("refuses %s for fields, without a path", (_, input) => {
    expect(pathOf(input)).toBeUndefined();
    expect(messageOf(input)).toContain("expected a mapping");
  });

  it.each([
    ["__proto__", JSON.parse('{"__proto__": {"latency": "1ms"}}')],
    ["constructor", { constructor: "1ms" }],
    ["toString", { toString: "1ms" }],
    ["uplink.__proto__", JSON.parse('{"uplink": {"__proto__": {"latency": "1ms"}}}')],
    ["targets[0].__proto__", JSON.parse('{"targets": [{"host": "10.0.0.1", "__proto__": 1}]}')],
  ])("refuses the key %s and pollutes nothing", (path, fields) => {
    expect(pathOf(fields)).toBe(path);
    expect(({} as { latency?: unknown }).latency).toBeUndefined();
  });

  it("quotes keys that are no words", () => {
    expect(pathOf({ "a.b": 1 })).toBe('["a.b"]');
    expect(pathOf({ uplink: { "": 1 } })).toBe('uplink[""]');
  });

  it("says where a getter throws or a list has a hole", () => {
    expect(pathOf(Object.defineProperty({}, "latency", { enumerable: true, get: () => JSON.parse("{") as unknown }))).toBe("latency");
    expect(pathOf({ targets: Array(3) })).toBe("targets[0]");
  });

  it("offers the text that a boolean or word should have been", () => {
    expect(messageOf({ payload_mutation: { enabled: "yes" } })).toContain("true or false, without quotes");
    expect(messageOf({ connectionError: { kind: "resett" } })).toContain("Did you mean reset?");
    expect(messageOf({ latency: null })).toContain("latency: got null; expected a duration");
  });
});

const mutation = (fields: object): object => ({ payload_mutation: { enabled: true, ...fields } });

describe("what must hold between fields", () => {
  it.each<[string, unknown]>([
    ["timeout", { timeout: {} }],
    ["timeout.recv", { timeout: { recv: "0s" } }],
    ["dns", { dns: {} }],
    ["dns.timeout", { dns: { timeout: "0ms" } }],
    ["half_open", { half_open: {} }],
    ["packet_duplicate", { packet_duplicate: {} }],
    ["packet_reorder", { packet_reorder: {} }],
    ["packet_reorder.max_delay", { packet_reorder: { prob: "1%", max_delay: "0ms" } }],
    ["packet_reorder.stream", { packet_reorder: { prob: "1%", stream: "mix" } }],
    ["correlated_loss", { correlated_loss: {} }],
    ["correlated_loss.loss_bad", { correlated_loss: { p_good_to_bad: "1%", p_bad_to_good: "1%", loss_good: "0%", loss_bad: "101%" } }],
    ["connection_error.kind", { connection_error: {} }],
    ["connection_error.prob", { connection_error: { kind: "reset", prob: "200%" } }],
    ["session_budget", { session_budget: {} }],
    ["session_budget.max_tx", { session_budget: { max_tx: "0b" } }],
    ["session_budget.max_ops", { session_budget: { max_ops: 0 } }],
    ["session_budget.max_duration", { session_budget: { max_duration: "0s" } }],
    ["session_budget.budget_timeout", { session_budget: { max_ops: 1, budget_timeout: "1s" } }],
    ["session_budget.error", { session_budget: { max_ops: 1, error: "reset" } }],
    ["session_budget.error", { session_budget: { max_ops: 1, action: "connection_error", error: "silent" } }],
    ["payload_mutation.type", mutation({})],
    ["payload_mutation.corrupt_count", mutation({ type: "corrupt_bytes" })],
    ["payload_mutation.inject_data", mutation({ type: "inject_bytes", inject_position: 1 })],
    ["payload_mutation.inject_data", mutation({ type: "inject_bytes", inject_data: "" })],
    ["payload_mutation.replace_find", mutation({ type: "replace_pattern", replace_with: "x" })],
    ["payload_mutation.replace_with", mutation({ type: "replace_pattern", replace_find: "x" })],
    ["payload_mutation.swap_pos1", mutation({ type: "swap_bytes", swap_pos2: 1 })],
    ["payload_mutation.swap_pos2", mutation({ type: "swap_bytes", swap_pos1: 1 })],
    ["payload_mutation.swap_pos2", mutation({ type: "swap_bytes", swap_pos1: 1, swap_pos2: 1 })],
    ["payload_mutation.max_size", mutation({ type: "none", min_size: "2kb", max_size: "1kb" })],
    ["payload_mutation.every_n_packets", mutation({ type: "none", every_n_packets: 0 })],
    ["payload_mutation.dry_run", mutation({ type: "none", dry_run: 1 })],
    ["payload_mutation.target", mutation({ type: "none", target: "up" })],
    ["schedule", { schedule: "ramp" }],
    ["schedule.kind", { schedule: {} }],
    ["schedule.ramp", { schedule: { kind: "ramp" } }],
    ["schedule.ramp", { schedule: { kind: "ramp", ramp: "0s" } }],
    ["schedule.duration", { schedule: { kind: "spike", every: "1s" } }],
    ["schedule.duration", { schedule: { kind: "spike", every: "1s", duration: "0s" } }],
    ["schedule.on", { schedule: { kind: "flapping", on: "0s", off: "1s" } }],
    ["schedule.off", { schedule: { kind: "flapping", on: "1s" } }],
    ["schedule.on", { schedule: { kind: "ramp", ramp: "1s", on: "1s" } }],
    ["schedule.anchor", { schedule: { kind: "ramp", ramp: "1s", anchor: "flow" } }],
    ["rate_share", { rate_share: "policy" }],
    ["uplink.timeout", { uplink: { timeout: { connect: "1s" } } }],
    ["uplink.rate", { uplink: { rate: "0bps" } }],
    ["downlink", { downlink: "1ms" }],
    ["skip", { skip: -1 }],
    ["targets", { dns: { delay: "1ms" }, targets: [{ hostname: "a.example", exclude: true }, "10.0.0.1"] }],
    ["targets", { dns: { delay: "1ms" }, targets: ["tcp://a.example"] }],
  ])("refuses at %s: %j", (path, fields) => {
    expect(pathOf(fields)).toBe(path);
  });

  it.each<[string, unknown]>([
    ["a mutation that is off needs nothing", { payloadMutation: { enabled: false } }],
    ["a spike may fill its period", { schedule: { kind: "spike", every: "1s", duration: "1s" } }],
    ["a text rule can serve dns", { dns: { delay: "1ms" }, targets: ["a.example"] }],
    ["a wildcard can serve dns", { dns: { delay: "1ms" }, targets: [{ hostname: "*.example", protocol: "any" }] }],
    ["dns without targets", { dns: { nxdomain: "100%" } }],
    ["zero is a value in a direction", { latency: "1ms", uplink: { latency: "0ms", jitter: "0s", packet_loss: "0%" } }],
    ["half-open after some bytes only", { half_open: { after: "1b" } }],
    ["replacing by nothing", { payload_mutation: { type: "replace_pattern", replace_find: "x", replace_with: "" } }],
    ["seeds as text, number and bigint", { seed: 18446744073709551615n }],
  ])("accepts: %s", (_, fields) => {
    expect(() => parsePolicy(fields)).not.toThrow();
  });
});

/** Whether an input is accepted or refused with all that an error should say. */
function outcome(input: unknown): string {
  try {
    parsePolicy(input);
    return "explained";
  } catch (error) {
    if (!(error instanceof FaultcoreError)) throw error;
    return error.code === "ERR_FAULTCORE_INVALID_POLICY" && Boolean(error.expected) ? "explained" : error.message;
  }
}

describe("any input at all", () => {
  const words = ["latency", "packet_loss", "packetLoss", "timeout", "targets", "schedule", "kind", "uplink", "seed", "dns", "host", "port"];
  const key = fc.oneof(fc.constantFrom(...words, "__proto__", "constructor"), fc.string());
  const leafValue = fc.oneof(
    fc.constantFrom("1ms", "1%", "ramp", "tcp://10.0.0.1", "*.a", -1, 2 ** 53),
    fc.string(),
    fc.double(),
    fc.boolean(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, leafValue, fc.constant(null), fc.array(tie("tree")), fc.dictionary(key, tie("tree"))),
  }));

  it.each([
    ["JSON", fc.jsonValue()],
    ["our words in odd places", fc.dictionary(key, tree)],
    ["anything", fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true })],
  ])("throws nothing but a FaultcoreError that explains itself: %s", (_, inputs) => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(outcome(input)).toBe("explained");
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
