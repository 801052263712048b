import { EventEmitter, on } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { governing, makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

/** Runs a body under "slow" and tells how many scopes it left open. */
function apply<R>(body: () => R): R {
  return layer.fault("slow")(body)();
}

describe("a promise", () => {
  it("of a subclass stays one of the subclass", async () => {
    class Mine<T> extends Promise<T> {
      extra = 1;
    }
    const result = apply(() => Mine.resolve(5) as Mine<number>);
    expect(result).toBeInstanceOf(Mine);
    expect(result.extra).toBe(1);
    expect(await result).toBe(5);
  });

  it("keeps its own properties", async () => {
    const result = apply(() => Object.assign(Promise.resolve(1), { cancel: () => "cancelled" }));
    expect(result.cancel()).toBe("cancelled");
    await result;
  });

  it("of a subclass whose then gives another class stays the very object", async () => {
    class Peculiar<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        return Promise;
      }
    }
    const given = Peculiar.resolve(5);
    const result = apply(() => given);
    expect(result).toBe(given);
    await turn();
    expect(layer.manager.liveCount()).toBe(0);
    expect(await result).toBe(5);
  });

  it("of another realm is followed too", async () => {
    const result = apply(() => runInNewContext("Promise.resolve(3)") as Promise<number>);
    expect(layer.manager.liveCount()).toBe(1);
    expect(await result).toBe(3);
  });

  it("that nobody handles still rejects unhandled, once", async () => {
    const unhandled: unknown[] = [];
    const before = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => unhandled.push(error));
    class Peculiar<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        return Promise;
      }
    }
    try {
      void apply(() => Promise.reject(new Error("plain")));
      void apply(() => Peculiar.reject(new Error("peculiar")));
      await apply(() => Peculiar.reject(new Error("handled"))).catch(() => {});
      await turn();
      await turn();
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const listener of before) process.on("unhandledRejection", listener);
    }
    expect(unhandled.map((error) => (error as Error).message).toSorted()).toEqual(["peculiar", "plain"]);
  });
});

describe("a lazy thenable", () => {
  /** As query builders are: each `then` runs the query. */
  class Query {
    runs: (string | undefined)[] = [];
    text = "";
    where(text: string): this {
      this.text += text;
      return this;
    }
    // oxlint-disable-next-line unicorn/no-thenable
    then<A, B>(onFulfilled?: (value: string) => A, onRejected?: (error: unknown) => B): Promise<A | B> {
      const run = async (): Promise<string> => {
        this.runs.push(governing());
        await turn();
        this.runs.push(governing());
        if (this.text === "bad") throw new Error("bad query");
        return this.text;
      };
      return run().then(onFulfilled, onRejected);
    }
  }

  it("stays the same object, and runs in the scope when it is started", async () => {
    const query = new Query();
    const result = apply(() => query);
    expect(result).toBe(query);
    expect(query.runs).toEqual([]);
    expect(await result.where("x")).toBe("x");
    expect(query.runs).toEqual(["slow", "slow"]);
  });

  it("runs unfaulted when it is started again", async () => {
    const query = apply(() => new Query());
    await query;
    await query;
    expect(query.runs).toEqual(["slow", "slow", undefined, undefined]);
  });

  it("ends the scope when it rejects", async () => {
    await expect(apply(() => new Query().where("bad"))).rejects.toThrow("bad query");
  });

  it("runs the handlers in the context of who awaits it", async () => {
    const query = apply(() => new Query());
    const seen: unknown[] = [];
    await layer.fault("lossy")(async () => {
      await query.then(() => seen.push(governing()));
    })();
    expect(seen).toEqual(["lossy"]);
  });

  it("that takes no properties is started at once", async () => {
    expect(await apply(() => Object.freeze(new Query()))).toBe("");
  });

  it("that is never started ends at reset", () => {
    apply(() => new Query());
    expect(layer.manager.liveCount()).toBe(1);
    layer.reset();
  });
});

describe("an iterator", () => {
  it("runs every step in the scope and ends it when it is done", () => {
    const result = apply(function* () {
      yield governing();
      yield governing();
      return "end";
    });
    const seen: unknown[] = [];
    for (const name of result) seen.push(name, governing());
    expect(seen).toEqual(["slow", undefined, "slow", undefined]);
  });

  it("ends the scope when the loop is left early, after its finally", async () => {
    const seen: unknown[] = [];
    const steps = apply(async function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        await turn();
        seen.push(governing());
      }
    });
    for await (const _ of steps) break;
    expect(seen).toEqual(["slow"]);
  });

  it("ends the scope when a step throws", async () => {
    const steps = apply(async function* () {
      yield 1;
      throw new Error("step");
    });
    const drain = async (): Promise<void> => {
      for await (const _ of steps);
    };
    await expect(drain()).rejects.toThrow("step");
  });

  it("goes on after a throw() that the generator catches", () => {
    const steps = apply(function* () {
      try {
        yield 1;
      } catch {
        yield governing();
      }
    });
    steps.next();
    expect(steps.throw(new Error("in"))).toEqual({ done: false, value: "slow" });
    expect(layer.manager.liveCount()).toBe(1);
    steps.next();
  });

  it("without a return of its own ends the scope when the loop is left", () => {
    let n = 0;
    const steps = apply(() => ({
      [Symbol.iterator]() {
        return this;
      },
      next: () => ({ done: false, value: n++ }),
    }));
    for (const value of steps) if (value === 2) break;
    expect(n).toBe(3);
  });

  it("that is abandoned midway ends at reset, and then runs unfaulted", () => {
    const steps = apply(function* () {
      yield governing();
      yield governing();
    });
    expect(steps.next().value).toBe("slow");
    layer.reset();
    expect(steps.next().value).toBe(undefined);
  });

  it("of events ends the scope when its signal aborts", async () => {
    const abort = new AbortController();
    const events = apply(() => on(new EventEmitter(), "tick", { signal: abort.signal }));
    const next = events.next();
    abort.abort();
    await expect(next).rejects.toThrow();
  });

  it("is not what is only iterable", () => {
    apply(() => [1, 2]);
    apply(() => new Map());
    apply(() => "text");
  });
});

describe("an EventEmitter", () => {
  it("ends the scope at 'close', before the program's own listeners", () => {
    const emitter = new EventEmitter();
    const seen: number[] = [];
    emitter.on("close", () => seen.push(layer.manager.liveCount()));
    expect(apply(() => emitter)).toBe(emitter);
    expect(layer.manager.liveCount()).toBe(1);
    expect(layer.manager.ownerOf(emitter)?.policy.name).toBe("slow");
    emitter.emit("close");
    expect(seen).toEqual([0]);
    expect(layer.manager.ownerOf(emitter)).toBe(undefined);
  });

  it("gets one listener, however often it is returned", () => {
    const emitter = new EventEmitter();
    for (let n = 0; n < 20; n++) apply(() => emitter);
    expect(emitter.listenerCount("close")).toBe(1);
    expect(layer.manager.liveCount()).toBe(20);
    emitter.emit("close");
  });

  it("that is a stream ends the scope when it closes, also with an error", async () => {
    const streams = [apply(() => Readable.from(["a"])), apply(() => new PassThrough())];
    expect(layer.manager.liveCount()).toBe(2);
    for await (const _ of streams[0]!);
    streams[1]!.on("error", () => {}).destroy(new Error("gone"));
    await turn();
    await turn();
  });

  it("that has closed already ends the scope at return", async () => {
    const stream = new PassThrough();
    stream.destroy();
    await turn();
    apply(() => stream);
  });

  it("that is a lazy thenable too ends the scope at 'close' or when it settles", async () => {
    const make = (): EventEmitter & PromiseLike<number> =>
      // oxlint-disable-next-line unicorn/no-thenable
      Object.assign(new EventEmitter(), { then: (resolve: (value: number) => unknown) => Promise.resolve(1).then(resolve) }) as never;
    apply(make).emit("close");
    expect(layer.manager.liveCount()).toBe(0);
    expect(await apply(make)).toBe(1);
  });
});

describe("any other value", () => {
  it("ends the scope at return, also one that throws when it is asked for anything", () => {
    const strict = new Proxy(
      {},
      {
        get: (_, key): never => {
          throw new Error(`no ${String(key)} here`);
        },
      },
    );
    expect(apply(() => strict)).toBe(strict);
    for (const value of [undefined, null, 5, "text", {}, () => {}]) expect(apply(() => value)).toBe(value);
  });
});
