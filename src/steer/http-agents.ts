/**
 * The agents of `node:http` and `node:https`: whose connect it is when a request that waited in a full agent gets a new socket, because
 * the one that it waited for has closed. Node makes it in the context of that one. (A request that gets a socket that has become free is
 * written in its own context: Node sees to that.)
 */
import type { Agent, ClientRequest } from "node:http";
import type { Patches } from "./patches.ts";
import type { Here, Router } from "./router.ts";

/** What `http.Agent` has and its types do not mention; the agents of `https` inherit it. */
interface AgentInternals {
  addRequest(request: ClientRequest, ...rest: unknown[]): unknown;
  createSocket(request: ClientRequest, ...rest: unknown[]): unknown;
}

export function patchAgents(patches: Patches, router: Router): void {
  // Not imported above: this runs only where it is loaded already.
  const { Agent } = process.getBuiltinModule("node:http");
  const prototype = Agent.prototype as Agent & AgentInternals;
  const callers = new WeakMap<ClientRequest, Here>();

  patches.replace(prototype, "addRequest", (original) => {
    // The parameters of the original, and no list of them: this is called for every request of the process.
    return function addRequest(
      this: AgentInternals,
      request: ClientRequest,
      options: unknown,
      port: unknown,
      localAddress: unknown,
    ): unknown {
      if (router.isBusy()) callers.set(request, router.here());
      return original.call(this, request, options, port, localAddress);
    };
  });
  patches.replace(prototype, "createSocket", (original) => {
    return function createSocket(this: AgentInternals, request: ClientRequest, ...rest: unknown[]): unknown {
      const make = (): unknown => original.call(this, request, ...rest);
      const caller = callers.get(request);
      return caller === undefined ? make() : router.runIn(caller, make);
    };
  });
}
