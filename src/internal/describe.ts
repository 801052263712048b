/** How a value is named in an error message: short, on one line, never the whole of a big one. */

const MAX_TEXT = 60;

/** Text in double quotes, escaped and cut to a readable length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text);
}

/**
 * Names a value for a message.
 *
 * @example
 * describeValue("50"); // the text "50"
 * describeValue([1]);  // a list
 */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return value.trim() === "" ? "an empty text" : `the text ${quote(value)}`;
    case "number":
      return Number.isNaN(value) ? "NaN" : `the number ${value}`;
    case "bigint":
      return `the bigint ${value}n`;
    case "boolean":
      return `${value}`;
    case "object":
      return "a mapping";
    default:
      return `a ${typeof value}`;
  }
}
