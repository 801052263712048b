/** faultcore's public API. Importing it patches nothing: the first scope, or `install()`, does. */
export { FaultcoreError } from "./errors.ts";
export type { FaultcoreErrorCode } from "./errors.ts";
export type {
  ConnectionErrorFields,
  CorrelatedLossFields,
  DirectionFields,
  DnsFields,
  Duration,
  HalfOpenFields,
  Integer,
  PacketDuplicateFields,
  PacketReorderFields,
  PayloadMutationFields,
  PolicyFields,
  Probability,
  Rate,
  ScheduleFields,
  Seed,
  SessionBudgetFields,
  Size,
  TargetFields,
  TimeoutFields,
} from "./policy/fields.ts";
export type { Preset } from "./policy/presets.ts";
export type { InstallOptions } from "./runtime/options.ts";
export {
  activate,
  burstLoss,
  checkPolicy,
  clearPolicies,
  connectionError,
  correlatedLoss,
  definePolicy,
  dns,
  downlink,
  fault,
  faultScope,
  getContextPolicy,
  getPolicy,
  halfOpen,
  install,
  isInjected,
  jitter,
  latency,
  listPolicies,
  listPresets,
  loadPolicies,
  onFault,
  packetDuplicate,
  packetLoss,
  packetReorder,
  payloadMutation,
  policyContext,
  rate,
  registerPolicy,
  reset,
  runSeed,
  sessionBudget,
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
export type { ActivationOptions, ExistingConnections, ScopeOptions } from "./scope/options.ts";
export type { FaultEvent } from "./scope/record.ts";
export { formatReport } from "./scope/format-report.ts";
export type { FlowMatch, FlowReport, LeftAlone, RuleReport } from "./scope/flow-report.ts";
export type { FaultReport, MeasuredReport, ScopeReport } from "./scope/report.ts";
export type { FaultWrapper } from "./scope/wrap.ts";
