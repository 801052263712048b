/** The named imports of Node's modules: they are copies, which a patch of the module does not change. */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import * as named from "node:timers";

type Timers = Record<string, unknown>;

/**
 * Makes the named imports of all Node modules what the modules' properties are.
 *
 * Fake timers replace properties of `node:timers` and leave its named imports real, which code that measures time relies on, ours first of
 * all: while somebody's fakes are in place, the real ones are put back for the moment of the copy.
 */
export function syncNamedImports(): void {
  const properties = timers as unknown as Timers;
  const replaced = Object.entries(named).filter(
    ([name, value]) => name !== "default" && Object.hasOwn(properties, name) && properties[name] !== value,
  );
  const fakes = replaced.map(([name]) => [name, properties[name]] as const);
  for (const [name, value] of replaced) properties[name] = value;
  syncBuiltinESMExports();
  for (const [name, value] of fakes) properties[name] = value;
}
