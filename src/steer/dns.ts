/**
 * Name lookups: keeps their answers back, or lets them fail, and learns which addresses names have.
 *
 * Owns: the patches of the two kinds of requests that `node:dns` makes: `system-lookups.ts` and `dns-queries.ts`. Never: arguments,
 * families, orders, errors: Node's own JavaScript checks, sorts and builds them, because ours stands between its requests and the native
 * code. So functions that somebody took out of the module before are reached too. Addresses are no names: Node answers them without a
 * request.
 */
import { findChannels, findRequests } from "./dns-internals.ts";
import { patchQueries } from "./dns-queries.ts";
import { syncNamedImports } from "./named-imports.ts";
import type { Patches } from "./patches.ts";
import type { Router } from "./router.ts";
import { patchSystemLookups } from "./system-lookups.ts";

/**
 * Patches what is Node's own. Returns what patches the rest: functions that were somebody else's, a test's mocks, may have been put
 * back since.
 */
export function patchDns(patches: Patches, router: Router): () => void {
  const missing = new Set([patchRequests, patchChannels]);
  // Registered first, so that it runs last.
  patches.add(syncNamedImports);
  const complete = (): void => {
    for (const patch of missing) if (patch(patches, router)) missing.delete(patch);
  };
  complete();
  return complete;
}

function patchRequests(patches: Patches, router: Router): boolean {
  const requests = findRequests();
  if (requests === undefined) return false;
  patchSystemLookups(patches, router, requests);
  syncNamedImports();
  return true;
}

function patchChannels(patches: Patches, router: Router): boolean {
  const channels = findChannels();
  if (channels !== undefined) patchQueries(patches, router, channels);
  return channels !== undefined;
}
