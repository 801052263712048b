/** Something that lasts as long as a body's work: a scope, a shield, a selected policy. `run-span.ts` says when the work is over. */
export interface Span {
  /** Runs a part of the work. Once the span has ended, it just runs it. */
  enter<R>(part: () => R): R;
  /** Ends the span; repeating it does nothing. */
  end(): void;
  /** The work is over and did not fail: ends the span. Throws what the work fails with because of that (a strict scope), once. */
  finish(): void;
}
