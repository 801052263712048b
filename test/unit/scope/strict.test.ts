// A strict scope that has injected nothing fails its work, in the way in which that work fails. The host counts what a test says.
import { EventEmitter, once } from "node:events";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failureOf } from "../../helpers/measure.ts";
import { makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

const strict = { strict: true };
const nothing: unknown = expect.objectContaining({ code: "ERR_FAULTCORE_NOTHING_INJECTED", policy: "slow" });
async function soon<R>(done: (value: number) => R): Promise<R> {
  await turn();
  return done(5);
}
const run = <R>(body: () => R): R => layer.withFaults("slow", body, strict);

describe("a strict scope that injected nothing", () => {
  it("throws from a synchronous call, with the reason", () => {
    expect(() => run(() => 5)).toThrow(nothing);
    expect(() => run(() => 5)).toThrow(/no connection, datagram or lookup was made/);
    expect(() => layer.fault("slow", strict)(() => 5)()).toThrow(nothing);
    expect(() => layer.faultScope("slow", strict).run(() => 5)).toThrow(nothing);
  });

  it("rejects the promise of a call", async () => {
    await expect(run(async () => turn())).rejects.toThrow(nothing);
    await expect(layer.fault("slow", strict)(async () => turn())()).rejects.toThrow(nothing);
    await expect(layer.faultScope("slow", strict).run(async () => turn())).rejects.toThrow(nothing);
  });

  it("rejects also a promise that stays the very object, for everybody who asks", async () => {
    class Peculiar<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        return Promise;
      }
    }
    const given = Peculiar.resolve(5);
    const result = run(() => given);
    expect(result).toBe(given);
    await expect(result).rejects.toThrow(nothing);
    expect(await result.then(undefined, (error: Error) => error.name)).toBe("FaultcoreError");
    layer.host.injected = 1;
    expect(await run(() => Peculiar.resolve(6))).toBe(6);
  });

  it("rejects a lazy thenable when it is awaited, and only the first time", async () => {
    const query = {
      // oxlint-disable-next-line unicorn/no-thenable
      then<R>(done: (value: number) => R): Promise<R> {
        return soon(done);
      },
    };
    expect(run(() => query)).toBe(query);
    await expect(query).rejects.toThrow(nothing);
    expect(await query).toBe(5);
  });

  it("fails the last step of an iterator", async () => {
    const steps = run(function* () {
      yield 1;
    });
    expect(steps.next().value).toBe(1);
    expect(() => steps.next()).toThrow(nothing);
    const later = run(async function* () {
      yield 1;
    });
    expect((await later.next()).value).toBe(1);
    await expect(later.next()).rejects.toThrow(nothing);
  });

  it("fails a loop that leaves an iterator early, also one that has no return()", async () => {
    const loop = (): void => {
      for (const _ of run(function* () {
        yield 1;
      }))
        break;
    };
    expect(loop).toThrow(nothing);
    const bare = { next: () => ({ done: false as const, value: 1 }), [Symbol.iterator]: () => bare };
    const bareLoop = (): void => {
      for (const _ of run(() => bare)) break;
    };
    expect(bareLoop).toThrow(nothing);
    const asyncBare = { next: async () => ({ done: false as const, value: 1 }), [Symbol.asyncIterator]: () => asyncBare };
    const asyncLoop = async (): Promise<void> => {
      for await (const _ of run(() => asyncBare)) break;
    };
    expect(await failureOf(asyncLoop())).toEqual(nothing);
  });

  it("makes an emitter emit 'error', before its 'close'", async () => {
    const stream = run(() => new PassThrough());
    const heard: string[] = [];
    stream.on("error", (error: NodeJS.ErrnoException) => heard.push(error.code ?? ""));
    stream.on("close", () => heard.push("close"));
    stream.destroy();
    await once(stream, "close").catch(() => {});
    expect(heard).toEqual(["ERR_FAULTCORE_NOTHING_INJECTED", "close"]);
  });

  it("is an uncaught exception where nobody listens to the emitter, which closes all the same", async () => {
    const caught = new Promise<Error>((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
    try {
      const emitter = run(() => new EventEmitter());
      const closed = once(emitter, "close");
      emitter.removeAllListeners("error");
      emitter.emit("close");
      await closed;
      expect(await caught).toEqual(nothing);
    } finally {
      process.setUncaughtExceptionCaptureCallback(null);
    }
  });

  it("fails a promise that is an emitter too as a promise", async () => {
    const both = Object.assign(new EventEmitter(), {
      // oxlint-disable-next-line unicorn/no-thenable
      then<R>(done: (value: number) => R): Promise<R> {
        return soon(done);
      },
    });
    const result = run(() => both);
    both.emit("close");
    await expect(result).rejects.toThrow(nothing);
  });

  it("gives the error to a callback, in place of its results", async () => {
    const wrapped = layer.fault("slow", { ...strict, callback: "last" })((done: (error: unknown, value?: number) => void) => {
      setImmediate(() => done(null, 5));
    });
    const results = await new Promise<unknown[]>((resolve) => wrapped((...given) => resolve(given)));
    expect(results).toEqual([nothing]);
  });

  it("fails the run with which it ends, and no other", async () => {
    const scope = layer.faultScope("slow", strict);
    const first = scope.run(async () => {
      await turn();
      await turn();
    });
    await scope.run(async () => turn());
    await expect(first).rejects.toThrow(nothing);
    const ended = layer.faultScope("slow", strict);
    await ended.run(async () => {
      await turn();
      ended.end();
    });
  });
});

describe("a strict scope is content", () => {
  it("where something was injected, in every form", async () => {
    layer.host.injected = 1;
    expect(run(() => 5)).toBe(5);
    expect(await run(async () => 5)).toBe(5);
    expect([
      ...run(function* () {
        yield 1;
      }),
    ]).toEqual([1]);
    const stream = run(() => new PassThrough());
    stream.destroy();
    await once(stream, "close");
  });

  it("where the relay counts only as it is asked", () => {
    layer.host.settle = () => void (layer.host.injected = 1);
    expect(run(() => 5)).toBe(5);
  });

  it("with the work's own error, which it never replaces", async () => {
    const own = new Error("own");
    const fail = (): never => {
      throw own;
    };
    expect(() => run(fail)).toThrow(own);
    await expect(run(async () => fail())).rejects.toBe(own);
    expect(() => [
      ...run(function* () {
        yield 1;
        fail();
      }),
    ]).toThrow(own);
    const loop = (): void => {
      for (const _ of run(function* () {
        yield 1;
      }))
        fail();
    };
    expect(loop).toThrow(own);
    const stream = run(() => new PassThrough());
    const heard: unknown[] = [];
    stream.on("error", (error) => heard.push(error));
    stream.destroy(own);
    await once(stream, "close").catch(() => {});
    await turn();
    expect(heard).toEqual([own]);
    const wrapped = layer.fault("slow", { ...strict, callback: "last" })((done: (error: unknown) => void) => done(own));
    expect(await new Promise((resolve) => wrapped(resolve))).toBe(own);
  });

  it("where reset() ended it: nobody is there any more to hear", async () => {
    const running = run(async () => turn());
    layer.reset();
    await running;
  });
});

describe("options of a scope", () => {
  it.each([
    ["an option that there is not", { stritc: true }, /did you mean strict/],
    ["a field of a policy", { latency: "5ms" }, /a name or fields, never both/],
    ["a wrong value", { strict: "yes" }, /strict is the text "yes"; expected true or false/],
    ["a wrong choice", { existingConnections: "kill" }, /expected one of "govern", "ignore", "drop"/],
    ["what is no signal", { signal: 5 }, /expected an AbortSignal/],
    ["what is no object", "strict", /takes its options as an object/],
  ])("refuse %s", (_what, options, message) => {
    const { withFaults, faultScope, fault, activate } = layer;
    for (const apply of [
      () => withFaults("slow", () => {}, options as object),
      () => faultScope("slow", options as object),
      () => fault("slow", options as object),
    ]) {
      expect(apply).toThrow(message);
      expect(apply).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
    }
    expect(() => activate("slow", options as object)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
  });

  it("refuse strict on an activation, which no call could fail for", () => {
    expect(() => layer.activate("slow", { strict: true } as object)).toThrow(/no option "strict"/);
  });
});
