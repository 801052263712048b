// The record of one case: per actor, the ordered lines of what it saw. Actors are kept apart because only the order within one
// of them is defined: which of the two ends of a connection notices something first is up to the kernel.
import { createHash } from "node:crypto";

const shownBytes = 240;
/** Timeouts, exceptions and warnings count whatever else a case leaves out. */
const kept = new Set(["case", "process"]);

export class Trace {
  #actors = new Map();
  #dropped = [];
  #ports = new Map();

  add(actor, event, detail) {
    if (!this.#actors.has(actor)) this.#actors.set(actor, []);
    this.#actors.get(actor).push({ event, detail });
  }

  /** Chunks that follow each other are one entry: the kernel cuts a stream where it likes. */
  addData(actor, chunk) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    const last = this.#actors.get(actor)?.at(-1);
    if (last?.hash === undefined) {
      this.add(actor, "data");
      const entry = this.#actors.get(actor).at(-1);
      Object.assign(entry, { hash: createHash("sha256").update(bytes), head: bytes.subarray(0, shownBytes), length: bytes.length });
      return;
    }
    last.hash.update(bytes);
    if (last.length < shownBytes) last.head = Buffer.concat([last.head, bytes]).subarray(0, shownBytes);
    last.length += bytes.length;
  }

  /** Ports differ from run to run: they appear by name, so that both ends of a connection still have to agree. */
  namePort(port, name) {
    if (port !== undefined && !this.#ports.has(port)) this.#ports.set(port, `<${name}>`);
  }

  /** Forgets actors whose part is not defined, such as which of fifty connections was accepted first; also what they see later. */
  drop(matches) {
    this.#dropped.push(matches);
  }

  toJSON() {
    const actors = [...this.#actors]
      .filter(([actor]) => kept.has(actor) || !this.#dropped.some((matches) => matches(actor)))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(actors.map(([actor, entries]) => [actor, entries.map((entry) => this.#line(entry))]));
  }

  #line(entry) {
    if (entry.hash !== undefined) {
      const content =
        entry.length <= shownBytes
          ? this.#text(JSON.stringify(entry.head.toString("latin1")))
          : `sha256 ${entry.hash.copy().digest("hex").slice(0, 16)}`;
      return `data ${entry.length} ${content}`;
    }
    if (entry.detail === undefined) return entry.event;
    return `${entry.event} ${JSON.stringify(this.#named(entry.detail))}`;
  }

  #named(value, key = "") {
    if (typeof value === "number" && /port$/i.test(key)) return this.#port(value);
    if (typeof value === "string") return this.#text(value);
    if (typeof value === "bigint") return `${value}n`;
    if (value === undefined) return "<undefined>";
    if (Array.isArray(value)) return value.map((item) => this.#named(item, key));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.#named(item, name)]));
    }
    return value;
  }

  #port(port) {
    return this.#ports.get(port) ?? (port < 1024 ? port : "<some port>");
  }

  #text(text) {
    return text.replace(/:(\d{4,5})(?!\d)/g, (_, digits) => `:${this.#port(Number(digits))}`);
  }
}
