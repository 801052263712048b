/** Facts about numeric addresses. */

/** Whether an address is this machine's own loopback; IPv4-mapped IPv6 counts as IPv4. */
export function isLoopback(address: string): boolean {
  const bare = address.toLowerCase().replace(/^::ffff:/, "");
  return bare.startsWith("127.") || bare === "::1";
}
