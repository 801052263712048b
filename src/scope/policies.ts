/** From what a caller names (a policy's name, or inline fields) to what is applied. */
import { FaultcoreError } from "../errors.ts";
import { describeValue, quote } from "../internal/describe.ts";
import { didYouMean } from "../internal/did-you-mean.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { PolicyFields } from "../policy/fields.ts";
import { PRESET_PREFIX, presets } from "../policy/presets.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import { canonicalFields } from "./merge.ts";

/** What scopes ask of the registry. */
export interface PolicySource {
  compiled(name: string): CompiledPolicy | undefined;
  get(name: string): PolicyFields | undefined;
  list(): string[];
  clear(): void;
}

/** A policy, ready to be applied. */
export interface Applicable {
  readonly policy: CompiledPolicy;
  /** Canonical: camelCase. */
  readonly fields: PolicyFields;
}

export class Policies {
  readonly #source: PolicySource;
  /** Fields of the registered policies that were applied, which then need not be copied again. */
  readonly #fields = new WeakMap<CompiledPolicy, PolicyFields>();

  constructor(source: PolicySource) {
    this.#source = source;
  }

  named(name: string): Applicable | undefined {
    const policy = this.#source.compiled(name);
    if (policy === undefined) return undefined;
    let fields = this.#fields.get(policy);
    if (fields === undefined) {
      fields = canonicalFields(this.#source.get(name) ?? {});
      this.#fields.set(policy, fields);
    }
    return { policy, fields };
  }

  /** Throws `ERR_FAULTCORE_INVALID_POLICY`. */
  inline(fields: PolicyFields): Applicable {
    return { policy: compilePolicy(fields, undefined), fields: canonicalFields(fields) };
  }

  /** Throws `ERR_FAULTCORE_UNKNOWN_POLICY` for a name that is not registered. */
  required(nameOrFields: string | PolicyFields, what: string): Applicable {
    if (typeof nameOrFields !== "string") return this.inline(checkFields(nameOrFields, what));
    const found = this.named(checkUsableName(nameOrFields, what));
    if (found === undefined) throw this.unknown(nameOrFields);
    return found;
  }

  unknown(name: string): FaultcoreError {
    return new FaultcoreError("ERR_FAULTCORE_UNKNOWN_POLICY", this.unknownText(name), {
      policy: name,
      expected: "the name of a registered policy",
    });
  }

  unknownText(name: string): string {
    const names = this.#source.list();
    const known = presets().map((preset) => preset.name);
    if (name.startsWith(PRESET_PREFIX)) {
      const meant = didYouMean(name, known);
      return `There is no preset ${quote(name)}. ${meant === undefined ? "listPresets() has all of them." : `Did you mean ${quote(meant)}?`}`;
    }
    const preset = known.find((other) => other === PRESET_PREFIX + name);
    const meant = preset ?? didYouMean(name, names);
    let hint = names.length === 0 ? "No policies are registered" : `Registered are: ${names.slice(0, 10).map(quote).join(", ")}`;
    if (names.length > 10) hint += " and more";
    if (meant !== undefined) hint = `Did you mean ${quote(meant)}`;
    return `No policy is registered under the name ${quote(name)}. ${hint}${meant === undefined ? "." : "?"}`;
  }

  clear(): void {
    this.#source.clear();
  }
}

/** A name that may be selected or applied, registered or not. Throws `ERR_FAULTCORE_INVALID_NAME`. */
export function checkUsableName(name: string, what: string): string {
  if (name.trim() !== "" && name !== "auto") return name;
  const problem = name === "auto" ? '"auto" stands for the policy of the current context, and is for fault() only' : "the name is empty";
  throw new FaultcoreError("ERR_FAULTCORE_INVALID_NAME", `${what}: ${problem}`, { expected: "the name of a policy", policy: name });
}

/** What is neither a name nor fields. Throws `ERR_FAULTCORE_INVALID_ARGUMENT`. */
export function checkFields(value: unknown, what: string): PolicyFields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_ARGUMENT",
    `${what} takes the name of a policy or its fields, but got ${describeValue(value)}`,
    {
      expected: "the name of a policy, or its fields",
    },
  );
}

/** For functions whose callers may expect to give a name and fields: they take the one or the other. */
export function refuseSecond(what: string, rest: readonly unknown[]): void {
  if (rest.length === 0) return;
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_ARGUMENT",
    `${what} takes the name of a policy or inline fields, never both. To change a policy for one use, spread it: ` +
      `${what.replace("()", "")}({ ...getPolicy("name"), latency: "50ms" })`,
    { expected: "one argument" },
  );
}

/** Throws `ERR_FAULTCORE_INVALID_ARGUMENT` for what cannot be called. */
export function checkFunction(value: unknown, what: string): void {
  if (typeof value === "function") return;
  throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${what} takes a function to run, but got ${describeValue(value)}`, {
    expected: "a function",
  });
}
