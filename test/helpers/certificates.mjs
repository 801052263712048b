// Test-only certificates, read once. See certificates/README.md.
import { readFileSync } from "node:fs";

const read = (name) => readFileSync(new URL(`./certificates/${name}.pem`, import.meta.url), "utf8");
const pair = (name) => ({ key: read(`${name}.key`), cert: read(`${name}.cert`) });

/** The authority that signed every pair below except `selfSigned`: pass it as `ca`. */
export const authority = read("authority.cert");
/** For localhost, 127.0.0.1 and ::1. */
export const localhost = pair("localhost");
/** For the name first.test only. */
export const first = pair("first");
/** For the name second.test only. */
export const second = pair("second");
/** A client certificate for client.test. */
export const client = pair("client");
/** For localhost and 127.0.0.1, signed by nobody else. */
export const selfSigned = pair("self-signed");
