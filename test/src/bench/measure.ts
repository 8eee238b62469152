/** The arithmetic of the benchmarks. */

export interface Comparison {
  /** Per second, or milliseconds for the latency: the median of the rounds. */
  ours: number;
  bare: number;
  /** ours ÷ bare. */
  ratio: number;
}

/**
 * Runs both sides in turn, so that a busy moment of the machine meets both, and compares the medians. One round more comes first and does not
 * count: until the code is compiled, the side that has more of it looks slower than it stays.
 */
export async function compare(
  rounds: number,
  ours: () => Promise<number>,
  bare: () => Promise<number>,
): Promise<Comparison> {
  const results = { ours: [] as number[], bare: [] as number[] };
  await bare();
  await ours();
  for (let round = 0; round < rounds; round++) {
    results.bare.push(await bare());
    results.ours.push(await ours());
  }
  const medians = { ours: median(results.ours), bare: median(results.bare) };
  return { ...medians, ratio: medians.ours / medians.bare };
}

/** Things per second. */
export async function rate(count: number, run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (count / (performance.now() - startedAt)) * 1000;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which this share of the values lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Runs `count` operations with at most `limit` under way. */
export async function inParallel(
  count: number,
  limit: number,
  operation: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await operation(next++);
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, lane));
}
