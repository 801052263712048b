/** Bounds that both sides of the relay keep. */

/** Events that are kept of one scope; beyond that they are only counted, and the report says so. */
export const MAX_EVENTS = 10_000;
