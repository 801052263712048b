import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ScopeApi } from "../../../src/scope/api-types.ts";
import { governing, makeLayer, type Layer } from "./helpers.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Type-checks and compiles a fixture, and loads what comes out. */
async function compile(name: string, folder: string): Promise<unknown> {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const args = [tsc, "-p", join(root, "test", "fixtures", "decorators", `tsconfig.${name}.json`), "--outDir", join(folder, name)];
  await promisify(execFile)(process.execPath, args).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`tsc: ${error.stdout}${error.stderr}`);
  });
  return import(/* @vite-ignore */ pathToFileURL(join(folder, name, "test", "fixtures", "decorators", `${name}.js`)).href);
}

interface Users {
  find(id: string): Promise<string>;
  stacked(): string | undefined;
}

interface Fixture<Instance, More extends unknown[] = []> {
  makeUsers(api: ScopeApi, name: () => string | undefined, ...more: More): { new (): Instance; count(): string | undefined };
  refused(api: ScopeApi): Record<string, () => unknown>;
}

interface Standard extends Fixture<Users & { secret(): string | undefined; steps(): AsyncGenerator<string | undefined> }> {
  selected(api: ScopeApi): Promise<(string | null)[]>;
}
type Legacy = Fixture<Users, [route: MethodDecorator]>;

let folder: string;
let standard: Standard;
let legacy: Legacy;
let layer: Layer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "faultcore-decorators-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  [standard, legacy] = (await Promise.all([compile("standard", folder), compile("legacy", folder)])) as [Standard, Legacy];
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

const invalidUse: unknown = expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_USE" });

describe("standard decorators", () => {
  it("take instance, static and private methods, and generators", async () => {
    const Users = standard.makeUsers(layer, governing);
    const users = new Users();
    expect(Users.count()).toBe("slow");
    expect(users.secret()).toBe("lossy");
    expect(await users.find("7")).toBe("users/7 in undefined");
    expect(await layer.policyContext("slow").run(() => users.find("7"))).toBe("users/7 in slow");
    for await (const name of users.steps()) expect(name).toBe("slow");
  });

  it("that are effects make one scope", () => {
    new (standard.makeUsers(layer, governing))().stacked();
    expect(layer.host.begun.map((record) => record.fields)).toEqual([{ latency: "50ms", jitter: "10ms" }]);
  });

  it("stand beside using, which selects in compiled code too", async () => {
    expect(await standard.selected(layer)).toEqual(["slow", "lossy", null]);
  });

  it.each(["getter", "setter", "field", "accessor", "class"])("refuse a %s", (what) => {
    expect(standard.refused(layer)[what]).toThrow(invalidUse);
    expect(standard.refused(layer)[what]).toThrow(new RegExp(`was used on a ${what}`));
  });
});

describe("legacy decorators", () => {
  it("take instance and static methods, and keep what other decorators noted on them", async () => {
    const notes = new WeakMap<object, string>();
    const route: MethodDecorator = (_target, _key, descriptor) => void notes.set(descriptor.value as object, "GET /users");
    const Users = legacy.makeUsers(layer, governing, route);
    expect(Users.count()).toBe("slow");
    expect(await layer.policyContext("slow").run(() => new Users().find("7"))).toBe("users/7 in slow");
    // As reflect-metadata looks things up: along the prototypes.
    const { find } = Users.prototype as { find: object };
    expect(notes.get(Object.getPrototypeOf(find) as object)).toBe("GET /users");
    expect(Object.getOwnPropertyDescriptor(Users.prototype, "find")).toMatchObject({ enumerable: false, writable: true });
  });

  it("that are effects make one scope", () => {
    new (legacy.makeUsers(layer, governing, () => {}))().stacked();
    expect(layer.host.begun.map((record) => record.fields)).toEqual([{ latency: "50ms", jitter: "10ms" }]);
  });

  it.each(["accessor", "field", "parameter", "class"])("refuse: %s", (what) => {
    expect(legacy.refused(layer)[what]).toThrow(invalidUse);
  });
});
