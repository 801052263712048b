/** Datagrams that wait on the program's own thread, where their faults come and go. */
import { expect, test } from "vitest";
import { Severity } from "../../../src/engine/faults/schedule.ts";
import type { Decision } from "../../../src/engine/types.ts";
import { DatagramBinding, DatagramClocks } from "../../../src/local/datagrams.ts";
import { compilePolicy } from "../../../src/policy/compile.ts";
import { KEY } from "../engine/helpers.ts";

/** In force from the n-th time that it is asked. */
class FromThe extends Severity {
  #asked = 0;
  readonly #nth: number;

  constructor(nth: number) {
    super(undefined, 0);
    this.#nth = nth;
  }

  override acts(): boolean {
    return ++this.#asked >= this.#nth;
  }
}

function sending(severity: Severity): { readonly passed: boolean[]; readonly log: string[]; readonly failed: string[] } {
  const { faults } = compilePolicy({ sessionBudget: { maxTx: "2b", action: "connection_error" } }, "test");
  const log: string[] = [];
  const failed: string[] = [];
  const port = { transmit: () => {}, deliver: () => {}, drained: () => {}, fail: (code: string) => void failed.push(code) };
  const record = ({ decision }: Decision): void => void log.push(decision);
  const options = {
    faults,
    key: KEY,
    severity,
    windowBytes: Infinity,
    links: undefined,
    record,
    measures: { kept: () => {}, late: () => {} },
    over: () => {},
  };
  const binding = new DatagramBinding(new DatagramClocks("normal"), port, options);
  const passed = ["a", "long", "longer", "b"].map((text) => binding.send({ bytes: text.length, take: () => Buffer.from(text) }));
  return { passed, log, failed };
}

test("a schedule is asked about a session_budget once, when the limit is crossed: what is over stays over", () => {
  expect(sending(new FromThe(1))).toEqual({
    passed: [true, false, false, false],
    log: ["max_tx: connection_error", "dropped", "dropped"],
    failed: ["ECONNRESET"],
  });
  expect(sending(new FromThe(2))).toEqual({ passed: [true, true, true, true], log: [], failed: [] });
});
