/** Patches of modules that the program may never load: loading `node:http`, say, costs every process some milliseconds. */
import { patchAgents } from "../steer/http-agents.ts";
import { patchHttp2 } from "../steer/http2.ts";
import type { Patches } from "../steer/patches.ts";
import type { Router } from "../steer/router.ts";
import { patchZlib } from "../steer/zlib.ts";

type Patch = (patches: Patches, router: Router) => void;

export class LatePatches {
  readonly #patches: Patches;
  readonly #router: Router;
  /** By the name that Node gives the module in its list of loaded ones. */
  readonly #missing = new Map<string, Patch>([
    ["NativeModule _http_agent", patchAgents],
    ["NativeModule internal/http2/core", patchHttp2],
    ["NativeModule zlib", patchZlib],
  ]);

  #seen = 0;

  constructor(patches: Patches, router: Router) {
    this.#patches = patches;
    this.#router = router;
  }

  /** Patches what has been loaded meanwhile. */
  complete(): void {
    if (this.#missing.size === 0) return;
    const loaded = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
    // Asked at every connect; modules are never unloaded.
    if (loaded.length === this.#seen) return;
    this.#seen = loaded.length;
    for (const [name, patch] of this.#missing) {
      if (!loaded.includes(name)) continue;
      this.#missing.delete(name);
      patch(this.#patches, this.#router);
    }
  }
}
