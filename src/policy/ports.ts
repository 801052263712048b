/** Port selectors: a number, `"80"`, a range `"8000-9000"`, or a list of these. */
import { describeValue } from "../internal/describe.ts";
import { ReadError } from "../internal/read-error.ts";

/** First and last port, both included. */
export type PortRange = readonly [number, number];

const EXPECTED = 'a port from 1 to 65535, a range such as "8000-9000", or a list such as "80,443"';
const MAX_PORT = 65_535;
/** More than enough for a list of single ports, and bounded. */
const MAX_LENGTH = 4096;

/**
 * Reads a port selector.
 *
 * @returns ranges in ascending order, none of which overlap or touch.
 * @throws {ReadError} when it is no port, range or list.
 * @example
 * parsePorts("443,80"); // [[80, 80], [443, 443]]
 */
export function parsePorts(input: unknown): readonly PortRange[] {
  if (typeof input === "number") return [parseRange(String(input), input)];
  if (typeof input !== "string" || input.length > MAX_LENGTH) throw new ReadError(`got ${describeValue(input)}`, EXPECTED);
  return merge(input.split(",").map((part) => parseRange(part, input)));
}

/** Whether one of the ranges holds the port. */
export function portsHold(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(([first, last]) => first <= port && port <= last);
}

function parseRange(text: string, whole: unknown): PortRange {
  const match = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(text);
  if (match === null) throw new ReadError(`${describeValue(whole)} is not a port`, EXPECTED);
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (first < 1 || last > MAX_PORT) throw new ReadError(`${describeValue(whole)} is out of range`, EXPECTED);
  if (first > last) throw new ReadError(`${describeValue(whole)} ends before it starts`, EXPECTED);
  return [first, last];
}

function merge(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}
