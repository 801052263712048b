// Which Node binaries the suite runs on: the one that runs the tests, and those that are installed for it.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

export const wantedMajors: readonly number[] = [20, 22, 24, 26];

export interface NodeBinary {
  readonly path: string;
  readonly version: string;
  readonly major: number;
}

export interface MissingNode {
  readonly major: number;
  readonly reason: string;
}

const repository = join(import.meta.dirname, "..", "..");

function identify(path: string): NodeBinary | undefined {
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const version = status === 0 ? stdout.trim() : "";
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  return Number.isNaN(major) ? undefined : { path, version, major };
}

/** Binaries from scripts/install-nodes.mjs: .cache/nodes/<major>/node_modules/node-<platform>-<arch>/bin/node */
function installed(): string[] {
  const cache = join(repository, ".cache", "nodes");
  if (!existsSync(cache)) return [];
  const platform = process.platform === "win32" ? "win" : process.platform;
  const binary = join("node_modules", `node-${platform}-${process.arch}`, "bin", process.platform === "win32" ? "node.exe" : "node");
  return readdirSync(cache)
    .map((major) => join(cache, major, binary))
    .filter((path) => existsSync(path));
}

/**
 * One binary per major version: this one, and those that FAULTCORE_NODES names (paths, separated as in PATH). `FAULTCORE_NODES=others` means
 * the other versions that the suite is for, as they were installed, without this one (`npm run test:nodes`).
 */
export function findNodes(): { readonly found: readonly NodeBinary[]; readonly missing: readonly MissingNode[] } {
  const given = process.env["FAULTCORE_NODES"] ?? "";
  const named = given === "others" ? [] : given.split(delimiter).filter((path) => path !== "");
  const byMajor = new Map<number, NodeBinary>();
  for (const path of given === "others" ? installed() : [process.execPath, ...named]) {
    const node = identify(path);
    if (node === undefined && named.includes(path)) throw new Error(`FAULTCORE_NODES names ${path}, which is no Node binary`);
    if (node !== undefined && !byMajor.has(node.major)) byMajor.set(node.major, node);
  }
  const own = Number(process.versions.node.split(".")[0]);
  if (given === "others") byMajor.delete(own);
  const found = [...byMajor.values()].toSorted((a, b) => a.major - b.major);
  const missing = (given === "others" ? wantedMajors : [])
    .filter((major) => major !== own && !byMajor.has(major))
    .map((major) => ({ major, reason: `Node ${major} is not installed: node scripts/install-nodes.mjs ${major}` }));
  return { found, missing };
}
