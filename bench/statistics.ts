/** The middle one; of an even number the lower of the two in the middle, which was measured and not made up. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Of sorted values: the smallest that is not exceeded by this share of them. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The medians of each field. */
export function medians<T extends Readonly<Record<string, number>>>(rows: readonly T[]): T {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(rows.map((row) => row[name] ?? Number.NaN))])) as T;
}

/**
 * The load at which latencies are compared: half of what the slowest of the compared servers can do, so that none of them
 * has a queue of its own making, as a whole number for each connection (h2load paces connections, not requests).
 */
export function halfLoad(requestsPerSecond: readonly number[], connections: number): number {
  if (requestsPerSecond.length === 0) return Number.NaN;
  const slowest = Math.min(...requestsPerSecond);
  return Math.max(1, Math.floor(slowest / 2 / connections)) * connections;
}
