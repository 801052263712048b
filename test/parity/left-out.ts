// Cases in which a steered program is known to differ from a direct one, and why that stays. Keep it short: every entry is a promise
// that the tool does not keep, and belongs into docs/limitations.md as well.

export interface LeftOut {
  /** The exact name of the case. */
  readonly name: string;
  /** Major versions of Node that differ; all of them when absent. */
  readonly nodes?: readonly number[];
  readonly reason: string;
}

const resetTakesItsTime =
  "On loopback the reset of a peer that has closed comes back within the write that causes it. Through the relay it takes as long as on " +
  "any other network, so that a write straight behind it still goes out.";

export const leftOut: readonly LeftOut[] = [
  { name: "writes to a peer that closed, half open", reason: resetTakesItsTime },
  { name: "writes twice to a peer that closed", reason: resetTakesItsTime },
  {
    name: "a terminated worker thread ends its connection",
    reason: "A thread that is terminated takes its relay along, with the bytes that the relay had not passed on yet. Which ones is a race.",
  },
];

export function reasonToLeaveOut(name: string, major: number): string | undefined {
  return leftOut.find((entry) => entry.name === name && (entry.nodes?.includes(major) ?? true))?.reason;
}
