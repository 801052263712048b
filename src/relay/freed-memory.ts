/**
 * How much freed memory the process keeps. Node reads each piece of a download into 64 KiB of new memory, and V8 frees many of them at once.
 * glibc gives what is free at the end of its heap back to the kernel as soon as that is 128 KiB, so that the next reads fault every page in
 * again: on Node 20, once the program's own heap has some size, that costs a download as much CPU time as all the rest of it.
 */
import { MessageChannel } from "node:worker_threads";

/** Freeing a mapped block raises glibc's limit to twice its size, of 32 MiB at most (mallopt(3), M_MMAP_THRESHOLD). */
const BLOCK_BYTES = 31 * 1024 * 1024;

/** The process keeps up to 62 MiB of what it frees, as it does once it has freed a large buffer of its own. The block itself is never touched. */
export function keepFreedMemory(): void {
  if (process.platform !== "linux") return;
  const { port1, port2 } = new MessageChannel();
  port2.close();
  try {
    // Not zeroed: the second relay of a process gets its block from the heap, where that would touch all of it.
    const { buffer } = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    // What is sent to a closed port is freed at once, and not when garbage is collected.
    port1.postMessage(buffer, [buffer]);
  } catch {
    // Under a limit of memory there is no such block. Then reads cost what they do without this.
  }
  port1.close();
}
