/** All changes to Node that a thread needs, made together or not at all. */
import { FaultcoreError } from "../errors.ts";
import { timersAreReal } from "../internal/real-timers.ts";
import { AnnouncedCommands } from "../steer/announced-commands.ts";
import { patchDgram } from "../steer/dgram.ts";
import { patchDns } from "../steer/dns.ts";
import { patchNet } from "../steer/net.ts";
import { Patches } from "../steer/patches.ts";
import { watchTracing } from "../steer/tracing.ts";
import { watchUndici } from "../steer/undici.ts";
import type { Datagrams } from "./datagram-router.ts";
import { LatePatches } from "./late-patches.ts";
import type { FlowRouter } from "./router.ts";

/** What the process asks before it ends. */
interface ProcessEnd {
  beforeExit(): void;
  exit(): void;
}

export interface PatchedNode {
  readonly patches: Patches;
  readonly late: LatePatches;
  /** Patches what could not be patched yet: see `patchDns`. */
  readonly completeDns: ReturnType<typeof patchDns>;
}

export function patchNode(router: FlowRouter, datagrams: Datagrams, { beforeExit, exit }: ProcessEnd): PatchedNode {
  checkTimers();
  const patches = new Patches();
  try {
    patchNet(patches, router, new AnnouncedCommands(patches, router));
    const completeDns = patchDns(patches, router);
    patchDgram(patches, router, datagrams);
    watchUndici(patches, router);
    watchTracing(patches, router);
    process.on("beforeExit", beforeExit);
    process.on("exit", exit);
    patches.add(() => {
      process.off("beforeExit", beforeExit);
      process.off("exit", exit);
    });
    const late = new LatePatches(patches, router);
    late.complete();
    return { patches, late, completeDns };
  } catch (error) {
    patches.restoreAll();
    throw error;
  }
}

/** What waits on the program's own thread would wait for ever by fakes, and this cannot be mended: better nothing than that. */
function checkTimers(): void {
  if (timersAreReal()) return;
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_USE",
    "faultcore was loaded while fake timers stood in node:timers, and would wait by them. Import it before they are installed.",
    { expected: "an import ahead of the fake timers" },
  );
}
