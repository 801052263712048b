import { chmodSync, chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, findProgram, serverUser, start, writeKeyPair } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** As little disk as InnoDB takes, and nothing waits for it: the data is thrown away. */
const SETTINGS = [
  "--innodb-flush-method=nosync",
  "--innodb-flush-log-at-trx-commit=0",
  "--innodb-doublewrite=0",
  "--innodb-log-file-size=4M",
  "--innodb-buffer-pool-size=16M",
  "--innodb-undo-tablespaces=0",
  "--innodb-temp-data-file-path=ibtmp1:1M:autoextend",
  "--max-allowed-packet=32M",
];

/**
 * Starts MariaDB on an empty folder: any user, no password, database `test`, TCP on 127.0.0.1 only, TLS with the certificate of
 * `localhost`. Without tables of privileges it needs no set-up, which takes seconds: it is ready at once.
 */
export async function startMariadb(): Promise<Server | Skipped> {
  const program = findProgram("mariadbd", ["/usr/sbin"]);
  if (program === undefined) return { skipped: "MariaDB is not installed (no mariadbd)" };
  const identity = serverUser("mysql");
  if (process.getuid?.() === 0 && identity === undefined) return { skipped: "MariaDB should not run as root, and there is no other user" };

  const folder = mkdtempSync(join(tmpdir(), "faultcore-mariadb-"));
  chmodSync(folder, 0o700);
  const data = join(folder, "data");
  // A folder is a database.
  mkdirSync(join(data, "test"), { recursive: true });
  const { certificate, key } = writeKeyPair(folder, identity);
  if (identity !== undefined) for (const owned of [folder, data, join(data, "test")]) chownSync(owned, identity.uid, identity.gid);
  return start({
    name: "MariaDB",
    folder,
    command: (port) => ({
      program,
      args: [
        "--no-defaults",
        "--skip-grant-tables",
        "--skip-networking=0",
        "--bind-address=127.0.0.1",
        `--port=${port}`,
        `--datadir=${data}`,
        `--tmpdir=${folder}`,
        `--socket=${join(folder, "socket")}`,
        `--pid-file=${join(folder, "pid")}`,
        `--ssl-cert=${certificate}`,
        `--ssl-key=${key}`,
        ...SETTINGS,
      ],
      ...(identity && { identity }),
    }),
    // It listens when it takes queries, and not before.
    ready: accepts,
    endSignal: "SIGKILL",
    url: (port) => `mysql://root@127.0.0.1:${port}/test`,
  });
}
