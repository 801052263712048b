import { expect, it } from "vitest";
import { brandInjected as injected } from "../../../src/internal/brand.ts";
import { checkFailure } from "../../../src/testing/failure.ts";

const coded = (code: string | number, more: object = {}): Error => Object.assign(new Error(`it was ${code}`), { code, ...more });

const check = (received: unknown, code: string | number, options?: { injected?: boolean }) =>
  checkFailure("toFailWith()", received, code, options);

it("finds the code on the error, behind its cause and among its errors, at any depth", async () => {
  const inner = coded("ECONNRESET");
  const cyclic = coded("OTHER") as Error & { cause?: unknown };
  cyclic.cause = new AggregateError([new Error("a"), new Error("b", { cause: inner }), cyclic]);
  for (const outer of [inner, new Error("c", { cause: inner }), new AggregateError([inner]), cyclic]) {
    expect(await check(Promise.reject(outer), "ECONNRESET")).toMatchObject({ pass: true, error: inner });
  }
  expect((await check(Promise.reject(coded(14)), 14)).pass).toBe(true);
  expect((await check(Promise.reject(coded(14)), "14")).pass).toBe(false);
});

it("calls a function, whether it throws or its promise rejects", async () => {
  const throws = (): void => {
    throw coded("EPIPE");
  };
  expect((await check(throws, "EPIPE")).pass).toBe(true);
  expect((await check(() => Promise.reject(coded("EPIPE")), "EPIPE")).pass).toBe(true);
});

it("tells injected errors from genuine ones, also where the code is on an error in front", async () => {
  const behind = coded("UND_ERR_SOCKET", { cause: injected(coded("ECONNRESET")) });
  expect((await check(Promise.reject(behind), "UND_ERR_SOCKET", { injected: true })).pass).toBe(true);
  expect((await check(Promise.reject(behind), "UND_ERR_SOCKET", { injected: false })).pass).toBe(false);
  expect((await check(Promise.reject(coded("ECONNRESET")), "ECONNRESET", { injected: true })).pass).toBe(false);
  expect((await check(Promise.reject(coded("ECONNRESET")), "ECONNRESET", { injected: false })).pass).toBe(true);
});

it("says what failed instead, and when nothing did", async () => {
  const outer = new TypeError("fetch failed", { cause: injected(coded("ECONNREFUSED")) });
  const { message } = await check(Promise.reject(outer), "ECONNRESET", { injected: true });
  expect(message).toBe(
    "Expected a failure with injected ECONNRESET, but this failed:\n  TypeError: fetch failed (injected)\n  Error: it was ECONNREFUSED [ECONNREFUSED] (injected)",
  );
  expect((await check(Promise.resolve(1), "ECONNRESET")).message).toBe("Expected a failure with ECONNRESET, but nothing failed.");
  expect((await check(Promise.reject(undefined), "ECONNRESET")).message).toContain("thrown: undefined");
});

it.each([[1], [undefined], [new Error("an error is no failure")]])(
  "refuses %s, which can neither be awaited nor called",
  async (received) => {
    await expect(check(received, "EPIPE")).rejects.toMatchObject({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" });
  },
);
