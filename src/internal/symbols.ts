/** The symbol of this description among an object's own properties: Node and clients keep their state under such ones. */
export function symbolNamed(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}
