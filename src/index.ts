/** faultcore's public API. Importing it patches nothing: the first scope, or `install()`, does. */
export { FaultcoreError } from "./errors.ts";
export type { FaultcoreErrorCode } from "./errors.ts";
export type {
  ConnectionErrorFields,
  DirectionFields,
  Duration,
  Integer,
  PolicyFields,
  Probability,
  Rate,
  Seed,
  Size,
  TargetFields,
  TimeoutFields,
} from "./policy/fields.ts";
export type { InstallOptions } from "./runtime/options.ts";
export {
  activate,
  burstLoss,
  checkPolicy,
  clearPolicies,
  connectionError,
  definePolicy,
  downlink,
  fault,
  faultScope,
  getContextPolicy,
  getPolicy,
  install,
  isInjected,
  jitter,
  latency,
  listPolicies,
  loadPolicies,
  onFault,
  packetLoss,
  policyContext,
  rate,
  registerPolicy,
  reset,
  runSeed,
  setContextPolicy,
  timeout,
  uninstall,
  unregisterPolicy,
  uplink,
  withFaults,
  withoutFaults,
} from "./runtime/api.ts";
export type { Activation } from "./scope/activation.ts";
export type { PolicyContext } from "./scope/context.ts";
export type { EffectApi } from "./scope/effect-types.ts";
export type { ScopeApi } from "./scope/api-types.ts";
export type { FaultScope } from "./scope/fault-scope.ts";
export type { FaultOptions } from "./scope/fault.ts";
export type { FaultListener, StopListening } from "./scope/on-fault.ts";
export type { FaultEvent } from "./scope/record.ts";
export type { FaultReport, FlowReport, RuleReport, ScopeReport } from "./scope/report.ts";
export type { FaultWrapper } from "./scope/wrap.ts";
