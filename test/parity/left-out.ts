// Cases in which a steered program is known to differ from a direct one, and why that stays. Keep it short: every entry is a promise
// that the tool does not keep, and belongs into docs/limitations.md as well.

export interface LeftOut {
  /** The exact name of the case. */
  readonly name: string;
  /** Major versions of Node that differ; all of them when absent. */
  readonly nodes?: readonly number[];
  readonly reason: string;
}

export const leftOut: readonly LeftOut[] = [];

export function reasonToLeaveOut(name: string, major: number): string | undefined {
  return leftOut.find((entry) => entry.name === name && (entry.nodes?.includes(major) ?? true))?.reason;
}
