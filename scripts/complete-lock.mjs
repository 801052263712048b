// Adds to package-lock.json the platform binaries that npm left out of it. npm drops optional packages that it cannot load on the machine
// where the lock file is written, and `npm ci` then refuses that file everywhere. Run it after `npm install <something>`.
// Such an entry has no hash: npm fetches it only on its own platform.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** "@oxlint/binding-linux-arm-musleabihf" → linux, arm, musl. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  const libc = words.some((word) => word.startsWith("musl")) ? ["musl"] : words.some((word) => word.startsWith("gnu")) ? ["glibc"] : [];
  if (name === "fsevents") os.push("darwin");
  if (os.length === 0 && cpu.length === 0) throw new Error(`which platform is ${name} for?`);
  return { cpu, libc: os[0] === "linux" ? libc : [], os };
}

/** As Node resolves it: in the folder of the package that asks, then in each folder above. */
function isLocked(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("node_modules/") - 1))) {
    if (lock.packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === "") return false;
  }
}

let added = 0;
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue;
    const version = range.replace(/^[\^~]/, "");
    const entry = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
    const known = Object.entries(entry).filter(([, value]) => value.length !== 0);
    // In npm's own order: the version, then the alphabet.
    const ordered = known.toSorted(([a], [b]) => (b === "version") - (a === "version") || (a < b ? -1 : 1));
    lock.packages[`node_modules/${name}`] = Object.fromEntries(ordered);
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform package(s) added to package-lock.json`);
