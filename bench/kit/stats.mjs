// Medians and their spread, without assuming a distribution.
export const sorted = (values) => values.toSorted((a, b) => a - b);
export const median = (values) => sorted(values)[values.length >> 1];

/** The value below which this share (0–1) of all lies. */
export function quantile(values, share) {
  const order = sorted(values);
  return order[Math.min(order.length - 1, Math.floor(order.length * share))];
}

/** A 95 % interval of the median: order statistics (binomial, normal approximation). Of up to seven values it is their whole range. */
export function interval(values) {
  const order = sorted(values);
  const half = 0.98 * Math.sqrt(order.length);
  const at = (index) => order[Math.min(order.length - 1, Math.max(0, Math.round(index)))];
  return [at(order.length / 2 - half - 0.5), at(order.length / 2 + half - 0.5)];
}
