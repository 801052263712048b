import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = join(root, "test/clients");

/** The name of each case stands in it, or is the first argument of the function that makes it. */
function casesOf(source: string): (string | undefined)[] {
  const calls = source.split(/^describeClient\b/m).slice(1);
  return calls.map((call) => {
    const [, argument, property] = /^(?:<[^(]*>)?\((?:\w+\("([^"]+)"|[^]*?\bname: "([^"]+)")/.exec(call) ?? [];
    return argument ?? property;
  });
}

/** The first column of the tables of what was tried. */
function rowsOf(page: string): string[] {
  const tables = page.split("\n\n").filter((block) => block.startsWith("| client | tried |"));
  return tables.flatMap((table) =>
    table
      .trim()
      .split("\n")
      .slice(2)
      .map((row) => row.split("|")[1]!.trim()),
  );
}

describe("docs/clients.md", () => {
  it("has a row for each client of the matrix, and no other", () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
    const cases = files.flatMap((name) => casesOf(readFileSync(join(folder, name), "utf8")));
    expect(cases.length).toBeGreaterThan(0);
    expect(rowsOf(readFileSync(join(root, "docs/clients.md"), "utf8")).toSorted()).toEqual(cases.toSorted());
  });
});
