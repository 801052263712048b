/** Published formulas for the throughput of TCP Reno under loss, to check the model against. Nothing in the package uses them. */

/** Mathis, Semke, Mahdavi, Ott (CCR 27, 1997): MSS/RTT · C/√p. Bit/s. */
export function mathisBps(mssBytes: number, rttS: number, p: number, c: number = Math.sqrt(3 / 2)): number {
  return ((mssBytes * 8) / rttS) * (c / Math.sqrt(p));
}

/** Padhye, Firoiu, Towsley, Kurose (SIGCOMM '98), the full model; `b` segments per acknowledgement, `t0S` the first timeout. Bit/s. */
export function padhyeBps(mssBytes: number, rttS: number, p: number, b: number, t0S: number): number {
  const q = 1 - p;
  const w = (2 + b) / (3 * b) + Math.sqrt((8 * q) / (3 * b * p) + ((2 + b) / (3 * b)) ** 2);
  const timeouts = Math.min(1, ((1 - q ** 3) * (1 + q ** 3 * (1 - q ** (w - 3)))) / (1 - q ** w));
  const f = 1 + p + 2 * p ** 2 + 4 * p ** 3 + 8 * p ** 4 + 16 * p ** 5 + 32 * p ** 6;
  const segments = q / p + w + timeouts / q;
  const seconds = rttS * ((b * w) / 2 + 1) + (timeouts * f * t0S) / q;
  return (mssBytes * 8 * segments) / seconds;
}

/** The loss term of RFC 5348's throughput equation, f(p) = √(2p/3) + 12·√(3p/8)·(p + 32p³). */
export function tfrcTerm(p: number): number {
  return Math.sqrt((2 * p) / 3) + 12 * Math.sqrt((3 * p) / 8) * (p + 32 * p ** 3);
}
