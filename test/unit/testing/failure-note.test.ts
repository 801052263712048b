import { expect, it } from "vitest";
import { shownPath, titlePattern } from "../../../src/testing/failure-note.ts";

const TITLES = [
  "loads an order",
  "costs $5 (or `less`) [once]",
  `says "no" and 'yes'`,
  "100 % | a^b\\c {x}! + *?",
  "two\nlines",
  "grüßt die Welt → 世界",
];

it.each(TITLES)("makes of %j a pattern that finds it, and that no shell changes", (title) => {
  const pattern = titlePattern(title);
  expect(pattern).toMatch(/^"[^"'`$\\!%\n]*"$/);
  expect(title.replaceAll("\n", " ")).toMatch(new RegExp(`^${pattern.slice(1, -1)}$`));
});

it("shows a path as one types it", () => {
  expect(shownPath(`${process.cwd()}/test/a.test.ts`)).toBe("test/a.test.ts");
  expect(shownPath(`${process.cwd()}/my tests/a.test.ts`)).toBe('"my tests/a.test.ts"');
});
