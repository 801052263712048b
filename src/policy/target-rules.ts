/** Target rules as they are written: texts and mappings, read into `TargetRule`s. Judging flows by them is for `targets.ts`. */
import { isIP, isIPv6 } from "node:net";
import { z } from "zod";
import { describeValue, quote } from "../internal/describe.ts";
import { ReadError } from "../internal/read-error.ts";
import { hostNetwork, parseNetwork, type Network } from "./addresses.ts";
import type { TargetFields, Written } from "./fields.ts";
import { parseHostPattern, type HostPattern } from "./hostnames.ts";
import { choice, described, flag, group, integer, leaf, type GroupCheck } from "./leaves.ts";
import { parsePorts, type PortRange } from "./ports.ts";
import type { RuleProtocol, TargetRule } from "./types.ts";

/** A rule without what only its place and its mapping give it. */
type RuleText = Omit<TargetRule, "index" | "priority" | "exclude">;

const DEFAULT_PRIORITY = 100;
const MAX_PRIORITY = 65_535;
const MAX_TEXT = 4096;
const TEXT_EXPECTED =
  'a rule such as "tcp://10.0.0.0/8:443", "[::1]:53" or "api.example:443" ([any|tcp|udp://] address, network or host name [:port])';
const HOSTNAME_EXPECTED = 'a host name such as "api.example" or "*.example" (253 bytes at most)';

/**
 * Reads a rule that is given as text: `[any|tcp|udp://](ipv4 | [ipv6] | ipv4/n | [ipv6]/n | hostname)[:port]`.
 *
 * @throws {ReadError} when it is none.
 * @example
 * parseRuleText("tcp://10.0.0.0/8:443");
 */
function parseRuleText(input: unknown): RuleText {
  if (typeof input !== "string" || input.length > MAX_TEXT) throw new ReadError(`got ${describeValue(input)}`, TEXT_EXPECTED);
  const text = input.trim();
  const scheme = /^([^/]*):\/\//.exec(text);
  const protocol = scheme?.[1]?.toLowerCase() ?? "any";
  if (!isProtocol(protocol)) throw new ReadError(`${quote(text)} does not start with any://, tcp:// or udp://`, TEXT_EXPECTED);
  const { place, port } = splitPort(text.slice(scheme?.[0].length ?? 0), text);
  const ports = port === undefined ? undefined : parsePorts(port);
  return { ...readPlace(place, text), protocol, ports };
}

/** Splits `[::1]:80`, `10.0.0.0/8:80` and `name:80`. */
function splitPort(rest: string, text: string): { place: string; port: string | undefined } {
  const match = /^(\[[^\]]*\](?:\/\d+)?|[^:[\]]*)(?::(.*))?$/s.exec(rest);
  if (match === null || isIPv6(rest)) {
    const hint = rest.includes("[") ? "is not a rule" : "is not a rule: an IPv6 address needs brackets, such as [::1]";
    throw new ReadError(`${quote(text)} ${hint}`, TEXT_EXPECTED);
  }
  return { place: match[1] ?? "", port: match[2] };
}

function readPlace(place: string, text: string): Pick<TargetRule, "cidr" | "hostname" | "wildcard"> {
  const bracketed = /^\[(.*)\](.*)$/s.exec(place);
  const address = bracketed === null ? place : `${bracketed[1]}${bracketed[2]}`;
  if (bracketed !== null && !isIPv6(bracketed[1] ?? ""))
    throw new ReadError(`${quote(text)} has no IPv6 address in its brackets`, TEXT_EXPECTED);
  if (bracketed !== null || address.includes("/") || isIP(address) !== 0) {
    const cidr = address.includes("/") ? parseNetwork(address) : hostNetwork(address);
    if (cidr === undefined) throw new ReadError(`${quote(text)} has no valid network (address/prefix length)`, TEXT_EXPECTED);
    return { cidr, wildcard: false };
  }
  const pattern = parseHostPattern(address);
  if (pattern === undefined) throw new ReadError(`${quote(text)} names neither an address nor a host`, TEXT_EXPECTED);
  return { hostname: pattern.name, wildcard: pattern.wildcard };
}

function isProtocol(text: string): text is RuleProtocol {
  return text === "any" || text === "tcp" || text === "udp";
}

function readHost(input: unknown): Network {
  const network = typeof input === "string" ? hostNetwork(input.trim()) : undefined;
  if (network !== undefined) return network;
  throw new ReadError(
    `${describeValue(input)} is not an IP address`,
    'an IPv4 or IPv6 address such as "10.0.0.1" or "::1"; for a name use hostname',
  );
}

function readCidr(input: unknown): Network {
  const network = typeof input === "string" ? parseNetwork(input.trim()) : undefined;
  if (network !== undefined) return network;
  throw new ReadError(
    `${describeValue(input)} is not a network`,
    'a network such as "10.0.0.0/8" or "2001:db8::/32"; for one address use host',
  );
}

function readHostPattern(input: unknown): HostPattern {
  const pattern = typeof input === "string" ? parseHostPattern(input.trim()) : undefined;
  if (pattern !== undefined) return pattern;
  throw new ReadError(`${describeValue(input)} is not a host name${hostnameHint(input)}`, HOSTNAME_EXPECTED);
}

function hostnameHint(input: unknown): string {
  if (typeof input !== "string") return "";
  if (isIP(input.trim()) !== 0) return " but an address: use host";
  return input.includes("*") ? ' (a wildcard is a leading "*." before a name)' : "";
}

/** The fields of a mapping after reading. */
interface RuleParts {
  readonly target?: RuleText | undefined;
  readonly host?: Network | undefined;
  readonly cidr?: Network | undefined;
  readonly hostname?: HostPattern | undefined;
  readonly sni?: HostPattern | undefined;
  readonly port?: readonly PortRange[] | undefined;
  readonly protocol?: RuleProtocol | undefined;
  readonly priority?: number | undefined;
  readonly exclude?: boolean | undefined;
}

const SELECTORS = "one of target, host, cidr, hostname or sni";

const checkParts: GroupCheck<RuleParts> = (parts, refuse) => {
  const given = Object.entries(parts).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const selectors = given.filter((key) => ["target", "host", "cidr", "hostname", "sni"].includes(key));
  if (selectors.length === 0) return refuse([], "says not which flows it means", SELECTORS);
  if (selectors.length > 1) return refuse([], `has ${selectors.join(" and ")}, which exclude each other`, SELECTORS);
  const extra = given.filter((key) => !["target", "priority", "exclude"].includes(key));
  if (parts.target === undefined || extra.length === 0) return;
  refuse([], `has ${extra.join(" and ")} beside target`, "target with priority and exclude only; port and protocol go into its text");
};

const PATTERN_DESCRIPTION = "a leading `*.` stands for any depth, never for the name itself.";

const ruleMapping = group<TargetFields, RuleParts>(
  {
    target: leaf<RuleText, string>(parseRuleText, {
      type: "string",
      description:
        "A rule as text: `[any|tcp|udp://](ipv4 | [ipv6] | ipv4/n | [ipv6]/n | hostname)[:port]`. Goes with `priority` and `exclude` only.",
    }).optional(),
    host: leaf<Network, string>(readHost, { type: "string", description: "One IP address." }).optional(),
    cidr: leaf<Network, string>(readCidr, { type: "string", description: "A network, such as `10.0.0.0/8`." }).optional(),
    hostname: leaf<HostPattern, string>(readHostPattern, { type: "string", description: `A host name; ${PATTERN_DESCRIPTION}` }).optional(),
    sni: leaf<HostPattern, string>(readHostPattern, {
      type: "string",
      description: "The server name of a TLS handshake; a leading `*.` as in `hostname`.",
    }).optional(),
    port: leaf<readonly PortRange[], number | string>(parsePorts, {
      type: ["integer", "string"],
      minimum: 1,
      maximum: 65_535,
      description: "A port, a range `8000-9000` or a list `80,443`. Default: any.",
    }).optional(),
    protocol: choice("Default any.", ["any", "tcp", "udp"], { default: "any" }).optional(),
    priority: integer("0 to 65535: of the rules that match, the one with the highest priority decides. Default 100.", 0, MAX_PRIORITY, {
      default: DEFAULT_PRIORITY,
    }).optional(),
    exclude: flag("Whether the flows that this rule decides are left alone. Default false.", { default: false }).optional(),
  },
  checkParts,
);

function buildRule(parts: RuleParts): TargetRule {
  const pattern = parts.hostname ?? parts.sni;
  const place: RuleText = parts.target ?? {
    protocol: parts.protocol ?? "any",
    ports: parts.port,
    wildcard: pattern?.wildcard ?? false,
    ...(pattern === undefined ? { cidr: parts.host ?? parts.cidr } : { [parts.hostname === undefined ? "sni" : "hostname"]: pattern.name }),
  };
  return { ...place, index: 0, priority: parts.priority ?? DEFAULT_PRIORITY, exclude: parts.exclude ?? false };
}

const textRule = leaf<TargetRule, string>((input) => ({ ...parseRuleText(input), index: 0, priority: DEFAULT_PRIORITY, exclude: false }), {
  type: "string",
  description: "A rule as text: `[any|tcp|udp://](ipv4 | [ipv6] | ipv4/n | [ipv6]/n | hostname)[:port]`.",
});

const rules = z
  .array(z.union([textRule, described(ruleMapping, "A rule as a mapping.").transform(buildRule)]))
  .min(1)
  .transform((list) => list.map((rule, index) => ({ ...rule, index })));

/** The schema of `targets`. Every rule knows its index. */
export const targetsSchema: z.ZodType<readonly TargetRule[], readonly Written["rule"][]> = rules;
