import { describe, expect, it } from "vitest";
import { H, MAX_SCOPES, MEASURES, S, scopeIndex } from "../../../src/table/layout.ts";
import {
  activationRef,
  countDecision,
  countFlow,
  endScope,
  freeScope,
  isLive,
  openScope,
  readActivation,
  readScope,
  scopeCounters,
  setActivation,
} from "../../../src/table/scopes.ts";
import {
  armCount,
  armOffset,
  armReceive,
  bindingCount,
  flowError,
  freeFlow,
  isGenuineFin,
  markGenuineFin,
  openFlow,
  publishBinding,
  publishSpilledBinding,
  skipBinding,
  storeFlowError,
  takeBinding,
} from "../../../src/table/flows.ts";
import { ScopeMeasures } from "../../../src/table/measures.ts";
import { PolicyTable } from "../../../src/table/table.ts";

const row = { policyId: 7, ordinal: 3, seed: 0xfedc_ba98_7654_3210n, anchorNs: 12_345.5 };

describe("what is measured in a scope", () => {
  it("adds up beyond 32 bits, by fault, and keeps the longest", () => {
    const table = PolicyTable.create(1);
    const ref = openScope(table, row);
    const own = new ScopeMeasures(table, ref);
    expect(own.read()).toEqual({ kept: new Map(), lateness: { count: 0, totalNs: 0, maxNs: 0 } });
    for (let n = 0; n < 5; n++) own.kept(15, 2, 3e9 + n, 1_500_000);
    own.kept(1, 1, 9e12, 9e12);
    own.late(700);
    expect(own.read()).toEqual({
      kept: new Map([
        [1, { count: 1, totalNs: 9e12, maxNs: 2_147_483_647_000 }],
        [15, { count: 10, totalNs: 15e9 + 10, maxNs: 1_500_000 }],
      ]),
      lateness: { count: 1, totalNs: 700, maxNs: 1000 },
    });
  });

  it("counts until the row is another scope's, which begins at nothing", () => {
    const table = PolicyTable.create(1);
    const ref = openScope(table, row);
    const old = new ScopeMeasures(table, ref);
    endScope(table, ref);
    old.late(1000);
    expect(old.read().lateness.count).toBe(1);
    freeScope(table, ref);
    const next = new ScopeMeasures(table, openScope(table, row));
    old.late(1000);
    old.kept(1, 1, 5, 5);
    expect(next.read()).toEqual({ kept: new Map(), lateness: { count: 0, totalNs: 0, maxNs: 0 } });
  });
});

describe("scope rows", () => {
  it("hold what was written until the scope ends", () => {
    const table = PolicyTable.create(1);
    const ref = openScope(table, row);
    expect(readScope(table, ref)).toEqual(row);
    expect(isLive(table, ref)).toBe(true);
    expect(endScope(table, ref)).toBe(true);
    expect(readScope(table, ref)).toBeUndefined();
    expect(isLive(table, ref)).toBe(false);
    expect(endScope(table, ref)).toBe(false);
  });

  it("never let an old reference name the next scope of the same row", () => {
    const table = PolicyTable.create(1);
    const seen = new Set<number>();
    for (let n = 0; n < 5000; n++) {
      const ref = openScope(table, { ...row, ordinal: n });
      expect(seen.has(ref)).toBe(false);
      seen.add(ref);
      endScope(table, ref);
      freeScope(table, ref);
    }
    expect(table.words[H.scopeUsed]).toBe(1);
    for (const ref of seen) expect(isLive(table, ref)).toBe(false);
  });

  it("skip the epoch that would make a reference 0", () => {
    const table = PolicyTable.create(1);
    const first = openScope(table, row);
    endScope(table, first);
    freeScope(table, first);
    // The generation before the one whose epoch has 20 zero bits.
    table.words[table.scopeAt(0) + S.generation] = 0x1f_fffe;
    const ref = openScope(table, row);
    expect(ref).not.toBe(0);
    expect(readScope(table, ref)).toEqual(row);
  });

  it("are refused with a clear error when all are taken, and can be taken again", () => {
    const table = PolicyTable.create(1);
    const refs = Array.from({ length: MAX_SCOPES }, () => openScope(table, row));
    expect(() => openScope(table, row)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_TABLE_FULL" }) as Error);
    endScope(table, refs[17] as number);
    freeScope(table, refs[17] as number);
    expect(readScope(table, openScope(table, row))).toEqual(row);
    expect(table.scopesLive()).toBe(MAX_SCOPES);
  });

  it("count for relays also after the end, until they are given back", () => {
    const table = PolicyTable.create(1);
    const ref = openScope(table, row);
    countFlow(table, ref);
    countDecision(table, ref, 0, true);
    endScope(table, ref);
    countDecision(table, ref, 15, true);
    countDecision(table, ref, 15, false);
    const decisions = new Map([
      [0, 1],
      [15, 2],
    ]);
    expect(scopeCounters(table, ref)).toEqual({ flows: 1, injected: 2, decisions });
  });

  it("begin at nothing where another scope had the row, and stay there", () => {
    const table = PolicyTable.create(1);
    const first = openScope(table, row);
    for (let cause = 0; cause < MEASURES; cause++) countDecision(table, first, cause, true);
    endScope(table, first);
    freeScope(table, first);
    const second = openScope(table, row);
    expect(scopeIndex(second)).toBe(scopeIndex(first));
    countDecision(table, first, 1, true);
    expect(scopeCounters(table, second)).toEqual({ flows: 0, injected: 0, decisions: new Map() });
  });
});

describe("the activation", () => {
  it("is read as a whole and ends with its scope", () => {
    const table = PolicyTable.create(1);
    const ref = openScope(table, row);
    setActivation(table, ref, new Uint8Array([1, 2, 3]));
    expect(readActivation(table)).toEqual({ ref, body: new Uint8Array([1, 2, 3]) });
    endScope(table, ref);
    expect(activationRef(table)).toBe(0);
    expect(readActivation(table)).toBeUndefined();
  });

  it("refuses a policy that is too large for it", () => {
    const table = PolicyTable.create(1);
    expect(() => setActivation(table, 1, new Uint8Array(300_000))).toThrow(/262144|300000/);
    expect(activationRef(table)).toBe(0);
  });
});

describe("flow rows", () => {
  const binding = (sequence: number, offset: number) => ({
    sequence,
    scope: 0xffff_f001,
    offset,
    flowHash: 0xffff_ffff_0000_0001n,
    ordinal: 2,
  });

  it("carry bindings in order, offsets beyond 2^32 included", () => {
    const table = PolicyTable.create(1);
    const flow = openFlow(table);
    expect(publishBinding(table, flow, binding(0, 0))).toBe(true);
    expect(publishBinding(table, flow, binding(1, 2 ** 40 + 3))).toBe(true);
    expect(bindingCount(table, flow)).toBe(2);
    expect(takeBinding(table, flow, 0)).toEqual(binding(0, 0));
    expect(takeBinding(table, flow, 1)).toEqual(binding(1, 2 ** 40 + 3));
  });

  it("say when a binding must go by message, and take up again when the relay has caught up", () => {
    const table = PolicyTable.create(1);
    const flow = openFlow(table);
    for (let n = 0; n < 4; n++) expect(publishBinding(table, flow, binding(n, n))).toBe(true);
    expect(publishBinding(table, flow, binding(4, 4))).toBe(false);
    expect(bindingCount(table, flow)).toBe(4);
    publishSpilledBinding(table, flow, 4);
    for (let n = 0; n < 4; n++) expect(takeBinding(table, flow, n)?.offset).toBe(n);
    expect(takeBinding(table, flow, 4)).toBeUndefined();
    skipBinding(table, flow, 4);
    expect(publishBinding(table, flow, binding(5, 5))).toBe(true);
    expect(takeBinding(table, flow, 5)?.offset).toBe(5);
  });

  it("start clean when they are used again", () => {
    const table = PolicyTable.create(1);
    const flow = openFlow(table);
    publishBinding(table, flow, binding(0, 0));
    markGenuineFin(table, flow);
    storeFlowError(table, flow, -110, true);
    armReceive(table, flow, 99);
    expect(isGenuineFin(table, flow)).toBe(true);
    expect(flowError(table, flow)).toEqual({ errno: -110, injected: true });
    expect([armCount(table, flow), armOffset(table, flow)]).toEqual([1, 99]);
    freeFlow(table, flow);
    freeFlow(table, flow);
    expect(table.flowsLive()).toBe(0);
    expect(openFlow(table)).toBe(flow);
    expect(openFlow(table)).not.toBe(flow);
    expect(isGenuineFin(table, flow)).toBe(false);
    expect(flowError(table, flow)).toEqual({ errno: 0, injected: false });
    expect(bindingCount(table, flow)).toBe(0);
    expect(armCount(table, flow)).toBe(0);
  });
});

describe("the writer lock", () => {
  it("is taken over when its owner died inside, and the half-written row is given up", () => {
    const table = PolicyTable.create(1);
    const healthy = openScope(table, row);
    const dying = new PolicyTable(table.buffer, 2);
    // A thread that is terminated in the middle of a write: lock held, row odd.
    Atomics.store(dying.words, H.lockOwner, 2);
    const index = dying.takeScope();
    Atomics.add(dying.words, dying.scopeAt(index) + S.generation, 1);
    Atomics.store(dying.words, dying.scopeAt(index) + S.state, 1);

    const survivor = new PolicyTable(table.buffer, 3, 40);
    const ref = openScope(survivor, row);
    expect(readScope(survivor, ref)).toEqual(row);
    expect(readScope(survivor, healthy)).toEqual(row);
    expect(survivor.scopesLive()).toBe(2);
    expect(survivor.words[H.lockOwner]).toBe(0);
    const refs = Array.from({ length: MAX_SCOPES - 2 }, () => openScope(survivor, row));
    expect(new Set(refs).size).toBe(MAX_SCOPES - 2);
  });

  it("is given back when the body throws", () => {
    const table = PolicyTable.create(1);
    expect(() =>
      table.locked(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(table.locked(() => "free")).toBe("free");
  });
});

describe("threads", () => {
  it("are ranked among the program's own, whatever relays were started in between", () => {
    const table = PolicyTable.create(1);
    table.noteRelay(1);
    table.noteRelay(3);
    expect([0, 2, 4, 5].map((id) => table.threadRank(id))).toEqual([0, 1, 2, 3]);
  });

  it("do not take a buffer of another layout for a table", () => {
    expect(PolicyTable.fits(PolicyTable.create(1).buffer)).toBe(true);
    expect(PolicyTable.fits(new SharedArrayBuffer(64))).toBe(false);
    expect(PolicyTable.fits(new ArrayBuffer(64))).toBe(false);
    expect(PolicyTable.fits(undefined)).toBe(false);
  });
});
