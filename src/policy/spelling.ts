/**
 * Both spellings of a field: camelCase is ours, snake_case is what policy files of the Python tool use.
 *
 * Owns: the conversion, in types and at run time. Invariant: only the two exact spellings count; `swap_pos_1` is not `swapPos1`.
 */

type Snake<Text extends string> = Text extends `${infer Char}${infer Rest}`
  ? Char extends Lowercase<Char>
    ? `${Char}${Snake<Rest>}`
    : `_${Lowercase<Char>}${Snake<Rest>}`
  : Text;

/** The keys of `T` that consist of several words: those that have two spellings. */
type MultiWord<T> = { [Key in keyof T & string]: Snake<Key> extends Key ? never : Key }[keyof T & string];

/**
 * `T` with every multi-word field in both spellings, at any depth. All of them are optional to the compiler, since either spelling
 * will do; which ones are required is checked when the policy is read.
 */
export type Spelled<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Key in keyof Omit<T, MultiWord<T>>]: Spelled<Omit<T, MultiWord<T>>[Key]> } & {
        [Key in keyof Pick<T, MultiWord<T>>]?: Spelled<T[Key]> | undefined;
      } & { [Key in MultiWord<T> as Snake<Key>]?: Spelled<T[Key]> | undefined }
    : T;

/** `packetLoss` → `packet_loss`. */
export function toSnake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `packet_loss` → `packetLoss`; what is no exact snake_case stays as it is. */
export function toCamel(key: string): string {
  const camel = key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return toSnake(camel) === key ? camel : key;
}
