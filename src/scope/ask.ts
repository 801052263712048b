/** Reads a property of an object that is not ours. One that throws for it (a strict proxy, a getter) has none, as far as we are concerned. */
export function ask(object: object, key: PropertyKey): unknown {
  try {
    return Reflect.get(object, key);
  } catch {
    return undefined;
  }
}
