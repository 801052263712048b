/**
 * Name lookups: keeps their answers back, or lets them fail, and learns which addresses names have.
 *
 * Owns: the patches of the two kinds of requests that `node:dns` makes: `system-lookups.ts` and `dns-queries.ts`. Never: arguments,
 * families, orders, errors: Node's own JavaScript checks, sorts and builds them, because ours stands between its requests and the native
 * code. So functions that somebody took out of the module before are reached too. Addresses are no names: Node answers them without a
 * request.
 */
import { findLookups } from "./dns-internals.ts";
import { patchQueries } from "./dns-queries.ts";
import { syncNamedImports } from "./named-imports.ts";
import type { Patches } from "./patches.ts";
import type { Router } from "./router.ts";
import { patchSystemLookups } from "./system-lookups.ts";

export function patchDns(patches: Patches, router: Router): void {
  const { requests, channels } = findLookups();
  // Registered first, so that it runs last.
  patches.add(syncNamedImports);
  patchSystemLookups(patches, router, requests);
  patchQueries(patches, router, channels);
  syncNamedImports();
}
