/** The public functions, bound to the thread's runtime. Their full documentation stands with the types that they have. */
import type { PolicyFields } from "../policy/fields.ts";
import { presets } from "../policy/presets.ts";
import type { Preset } from "../policy/presets.ts";
import type { ScopeApi } from "../scope/api-types.ts";
import { readInstallOptions } from "./options.ts";
import type { InstallOptions } from "./options.ts";
import { getRuntime } from "./instance.ts";
import { readSeed } from "./seed.ts";

const runtime = getRuntime();
const { api } = runtime.layer;

/**
 * Registers a policy under a name, in this thread. One of the same name is replaced; live scopes keep what they were opened with.
 *
 * @param name anything but empty, `auto`, `preset:…` and `$…`.
 * @param fields durations, rates, sizes and probabilities as text with a unit; camelCase or snake_case. A copy is kept.
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_NAME`; `ERR_FAULTCORE_INVALID_POLICY` with the `path` of the bad field. Then nothing
 * has changed.
 * @example
 * registerPolicy("slow_link", { latency: "50ms", jitter: "10ms", packetLoss: "1%", rate: "2mbps" });
 */
export function registerPolicy(name: string, fields: PolicyFields): void {
  runtime.registry.register(name, fields);
}

/**
 * The policies that come with faultcore. Each is selected by its name, `preset:…`, wherever the name of a policy is taken; `getPolicy` gives
 * its fields.
 *
 * @example
 * listPresets()[0]; // { name: "preset:wpt-cable", description: "5000/1000 kbit/s down/up, …", source: "WebPageTest's …" }
 */
export function listPresets(): Preset[] {
  return presets();
}

/**
 * A copy of what was registered, as it was written, or of a preset's fields; undefined where there is no such policy.
 *
 * @example
 * getPolicy("slow_link")?.latency; // "50ms"
 */
export function getPolicy(name: string): PolicyFields | undefined {
  return runtime.registry.get(name);
}

/**
 * The names of all registered policies, sorted by code unit.
 *
 * @example
 * listPolicies(); // ["flaky", "slow_link"]
 */
export function listPolicies(): string[] {
  return runtime.registry.list();
}

/**
 * Removes a policy. Live scopes keep it until they end.
 *
 * @returns whether there was one.
 * @example
 * unregisterPolicy("slow_link"); // true
 */
export function unregisterPolicy(name: string): boolean {
  return runtime.registry.unregister(name);
}

/**
 * Removes all policies of this thread.
 *
 * @example
 * afterAll(() => clearPolicies());
 */
export function clearPolicies(): void {
  runtime.registry.clear();
}

/**
 * Registers all policies of a `.json`, `.yaml` or `.yml` file (a mapping from names to fields), or none of them.
 *
 * @returns how many.
 * @throws {FaultcoreError} `ERR_FAULTCORE_POLICY_FILE` that names the file, the policy and the field, and the line of a syntax error.
 * @example
 * loadPolicies("policies.yaml"); // 3
 */
export function loadPolicies(path: string): number {
  return runtime.registry.load(path);
}

/**
 * Returns its argument: for types and completion where policies are written down.
 *
 * @example
 * export const slowLink = definePolicy({ latency: "50ms" });
 */
export function definePolicy<const T extends PolicyFields>(fields: T): T {
  return fields;
}

/**
 * Throws what applying this policy would throw, and applies nothing.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_UNKNOWN_POLICY`, `ERR_FAULTCORE_INVALID_POLICY`.
 * @example
 * checkPolicy("slow_link");
 */
export function checkPolicy(nameOrFields: string | PolicyFields): void {
  runtime.layer.check(nameOrFields);
}

/**
 * Patches Node and starts the relay's thread. Optional: the first scope does it too. Call it with `steer: "always"` before the program
 * opens its pools, so that they can be faulted later.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for a bad option; `ERR_FAULTCORE_INVALID_USE` for one that can no longer
 * change; `ERR_FAULTCORE_RELAY` where no worker thread can be started.
 * @example
 * install({ steer: "always", seed: 7 });
 */
export function install(options: InstallOptions = {}): void {
  runtime.install(readInstallOptions(options));
}

/**
 * Ends all scopes and activations and takes all patches back. Connections that are open keep working until they close.
 *
 * @example
 * uninstall();
 */
export function uninstall(): void {
  runtime.uninstall();
}

/**
 * The seed of this run, for policies without one; with an argument, that one as a number.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` where it is no seed.
 * @example
 * console.log(`replay with FAULTCORE_SEED=${runSeed()}`);
 */
export function runSeed(seed?: number | bigint | string): bigint {
  return seed === undefined ? runtime.runSeed() : readSeed(seed, "seed");
}

/** Selects a policy for an async context; injects nothing by itself. @see {@link ScopeApi.policyContext} */
export const policyContext: ScopeApi["policyContext"] = api.policyContext;
/** Selects a policy for the rest of the async context, or none with null. @see {@link ScopeApi.setContextPolicy} */
export const setContextPolicy: ScopeApi["setContextPolicy"] = api.setContextPolicy;
/** The name of the selected policy, or null. @see {@link ScopeApi.getContextPolicy} */
export const getContextPolicy: ScopeApi["getContextPolicy"] = api.getContextPolicy;
/** Wraps a function, or decorates a method, so that each call runs under a policy. @see {@link ScopeApi.fault} */
export const fault: ScopeApi["fault"] = api.fault;
/** Runs one function under a policy. @see {@link ScopeApi.withFaults} */
export const withFaults: ScopeApi["withFaults"] = api.withFaults;
/** One application of a policy, with its report. @see {@link ScopeApi.faultScope} */
export const faultScope: ScopeApi["faultScope"] = api.faultScope;
/** Runs a function where no scope and no activation applies. @see {@link ScopeApi.withoutFaults} */
export const withoutFaults: ScopeApi["withoutFaults"] = api.withoutFaults;
/** Applies a policy to the whole process until it is disposed of. @see {@link ScopeApi.activate} */
export const activate: ScopeApi["activate"] = api.activate;
/** Whether a fault raised this error, or one behind it. @see {@link ScopeApi.isInjected} */
export const isInjected: ScopeApi["isInjected"] = api.isInjected;
/** Calls a listener with every event. @see {@link ScopeApi.onFault} */
export const onFault: ScopeApi["onFault"] = api.onFault;
/** Between tests: ends everything and forgets all policies and ordinals. @see {@link ScopeApi.reset} */
export function reset(): void {
  api.reset();
  runtime.forgetWarnings();
}

/** An effect: one-way delay per packet, `"50ms"`. @see {@link ScopeApi.latency} */
export const latency: ScopeApi["latency"] = api.latency;
/** An effect: further random delay from 0 to this, `"10ms"`. @see {@link ScopeApi.jitter} */
export const jitter: ScopeApi["jitter"] = api.jitter;
/** An effect: loss per packet, `"1%"`. @see {@link ScopeApi.packetLoss} */
export const packetLoss: ScopeApi["packetLoss"] = api.packetLoss;
/** An effect: how many packets a loss takes with it. @see {@link ScopeApi.burstLoss} */
export const burstLoss: ScopeApi["burstLoss"] = api.burstLoss;
/** An effect: bits per second and direction, `"2mbps"`. @see {@link ScopeApi.rate} */
export const rate: ScopeApi["rate"] = api.rate;
/** An effect: what is slower than this fails with ETIMEDOUT. @see {@link ScopeApi.timeout} */
export const timeout: ScopeApi["timeout"] = api.timeout;
/** An effect: faults of the direction program → peer. @see {@link ScopeApi.uplink} */
export const uplink: ScopeApi["uplink"] = api.uplink;
/** An effect: faults of the direction peer → program. @see {@link ScopeApi.downlink} */
export const downlink: ScopeApi["downlink"] = api.downlink;
/** An effect: refused, reset or unreachable connections. @see {@link ScopeApi.connectionError} */
export const connectionError: ScopeApi["connectionError"] = api.connectionError;
/** An effect: losses in bursts, by the Gilbert-Elliott model. @see {@link ScopeApi.correlatedLoss} */
export const correlatedLoss: ScopeApi["correlatedLoss"] = api.correlatedLoss;
/** An effect: connections that die in use, with an error or silently. @see {@link ScopeApi.halfOpen} */
export const halfOpen: ScopeApi["halfOpen"] = api.halfOpen;
/** An effect: packets that arrive more than once. @see {@link ScopeApi.packetDuplicate} */
export const packetDuplicate: ScopeApi["packetDuplicate"] = api.packetDuplicate;
/** An effect: packets that are overtaken. @see {@link ScopeApi.packetReorder} */
export const packetReorder: ScopeApi["packetReorder"] = api.packetReorder;
/** An effect: slow or failing name lookups. @see {@link ScopeApi.dns} */
export const dns: ScopeApi["dns"] = api.dns;
/** An effect: limits per flow, and what happens over them. @see {@link ScopeApi.sessionBudget} */
export const sessionBudget: ScopeApi["sessionBudget"] = api.sessionBudget;
/** An effect: changes of the bytes themselves. @see {@link ScopeApi.payloadMutation} */
export const payloadMutation: ScopeApi["payloadMutation"] = api.payloadMutation;
