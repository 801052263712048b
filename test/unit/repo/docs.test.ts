import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name));
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...docs.filter((path) => path.endsWith(".md"))];

/** The anchors of a page, as forges make them from headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("the docs", () => {
  it.each(pages)("%s links only to what exists", (page) => {
    const text = read(page);
    const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
    const broken = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? join(root, page) : resolve(root, dirname(page), path);
        if (relative(root, target).startsWith("..") || !existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).has(anchor);
      });
    expect(broken).toEqual([]);
  });

  it("tell every error code, and no other", () => {
    const codes = [...read("src/errors.ts").matchAll(/"(ERR_FAULTCORE_[A-Z_]+)"/g)].map(([, code]) => code);
    const told = [...read("docs/errors.md").matchAll(/^## `?(ERR_FAULTCORE_[A-Z_]+)`?$/gm)].map(([, code]) => code);
    expect(told.toSorted()).toEqual([...new Set(codes)].toSorted());
  });

  it("open with a README of at most 150 lines that names the test command", () => {
    const readme = read("README.md");
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
    expect(readme).toContain("npm test");
  });
});

describe("the repository", () => {
  interface Locked {
    readonly resolved?: string;
    readonly integrity?: string;
    readonly optional?: boolean;
    readonly optionalDependencies?: Record<string, string>;
  }
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> };
  const entries = Object.entries(packages).filter(([path]) => path !== "");

  it("names no registry in its lock file, and hashes all but other platforms' binaries", () => {
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    expect(entries.filter(([, { integrity, optional }]) => integrity === undefined && optional !== true)).toEqual([]);
  });

  // npm leaves out what it cannot load here, and then refuses its own file: `node scripts/complete-lock.mjs` puts it back.
  it("locks the binaries of every platform", () => {
    const locked = new Set(entries.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)));
    const wanted = entries.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
    expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
  });
});
