/** The links that the flows of a scope share: one per direction, for as long as the scope has flows in this relay. */
import type { SeverityAt } from "../engine/faults/loss.ts";
import { SharedLink } from "../engine/shared-link.ts";
import type { Direction } from "../engine/types.ts";

export class SharedLinks {
  readonly #links = new Map<number, Map<Direction, SharedLink>>();

  /** The scope's link of a direction. All flows of a scope have one policy, and so one rate and one schedule. */
  get(scope: number, direction: Direction, rateBps: number, severityAt: SeverityAt | undefined): SharedLink {
    let links = this.#links.get(scope);
    if (links === undefined) this.#links.set(scope, (links = new Map()));
    let link = links.get(direction);
    if (link === undefined) links.set(direction, (link = new SharedLink(rateBps, severityAt)));
    return link;
  }

  drop(scope: number): void {
    this.#links.delete(scope);
  }
}
