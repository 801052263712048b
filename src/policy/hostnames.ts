/** Host names: lower case, IDNA-encoded, without the final dot, so that equal names are equal texts. */
import { isIP } from "node:net";
import { domainToASCII } from "node:url";

const MAX_NAME_BYTES = 253;
const MAX_LABEL_BYTES = 63;
/** Longer than any name before encoding; keeps the work bounded. */
const MAX_INPUT = 1024;

export interface HostPattern {
  readonly name: string;
  readonly wildcard: boolean;
}

/**
 * The normal form of a host name, or undefined where the text is none. A name whose last label is a number is a bad IPv4 address.
 *
 * @example
 * normaliseHostname("Täst.FOO.com."); // "xn--tst-qla.foo.com"
 */
export function normaliseHostname(text: string): string | undefined {
  if (text.length > MAX_INPUT) return undefined;
  // What domainToASCII would decode, cut off or take for a number must not reach it.
  // oxlint-disable-next-line no-control-regex -- ASCII is meant, control characters included
  if (/[\u0000-\u007f]/.test(text.replace(/[A-Za-z0-9._-]/g, ""))) return undefined;
  const trimmed = text.endsWith(".") ? text.slice(0, -1) : text;
  if (endsInNumber(trimmed)) return undefined;
  const name = toAscii(trimmed);
  if (name === "" || name.length > MAX_NAME_BYTES || isIP(name) !== 0 || endsInNumber(name)) return undefined;
  const wellFormed = name
    .split(".")
    .every((label) => label !== "" && label.length <= MAX_LABEL_BYTES && !label.startsWith("-") && !label.endsWith("-"));
  return wellFormed ? name : undefined;
}

/** A host name that may start with `*.`; undefined where the text is none. */
export function parseHostPattern(text: string): HostPattern | undefined {
  const wildcard = text.startsWith("*.");
  const name = normaliseHostname(wildcard ? text.slice(2) : text);
  return name === undefined ? undefined : { name, wildcard };
}

/** Whether a normal name is one that the pattern means: the name itself, or with a wildcard, any name below it. */
export function hostPatternMatches(pattern: HostPattern, name: string): boolean {
  return pattern.wildcard ? name.endsWith(`.${pattern.name}`) : name === pattern.name;
}

/** Lower case and IDNA; plain names, which nearly all are, without the cost of IDNA. Empty where the text is no name. */
function toAscii(text: string): string {
  const lower = text.toLowerCase();
  return /^[a-z0-9._-]+$/.test(lower) && !lower.includes("xn--") ? lower : domainToASCII(text).toLowerCase();
}

function endsInNumber(name: string): boolean {
  const label = name.slice(name.lastIndexOf(".") + 1);
  return /^(\d+|0x[0-9a-f]*)$/i.test(label);
}
