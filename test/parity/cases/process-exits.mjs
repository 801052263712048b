// What the end of a process does to its connection.
import { program } from "../kit/programs.mjs";

export const cases = {
  "process.exit in a write callback": program("process.exit in the write callback"),
  "process.exit right after a write": program("process.exit right after a write"),
  "process.exit right after end": program("process.exit right after end"),
  "process.exit right after destroy": program("process.exit right after destroy"),
  "process.exit before the connection is there": program("process.exit before it is connected"),
  "an error event without a listener ends the process": program("an unhandled error"),
  "an exception ends the process and its connection": program("an exception while connected"),
  "a kill ends the connection": program("killed while connected"),
  "SIGTERM ends the connection": program("terminated while connected"),
  "beforeExit and exit come as they do": program("beforeExit and exit"),
  "a connection opened in beforeExit": program("connects again in beforeExit"),
};
