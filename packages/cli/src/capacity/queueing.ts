/**
 * Waiting in queues. Sources: A. K. Erlang (1917) for the probability of waiting with c servers (M/M/c); the utilisation law, ρ = λ·S/c, as in
 * D. Menascé, V. Almeida and L. Dowdy, "Performance by Design" (2004), chapter 3; J. Kiefer and J. Wolfowitz (1955) for the recursion that gives
 * each arrival its wait.
 */

/** Servers that share one queue. */
export interface Station {
  readonly servers: number;
  /** Mean time of one arrival at one server, in milliseconds. */
  readonly serviceMs: number;
}

/** Share of the servers' time that is used. 1 and more: the queue grows without end. */
export function utilisation({ servers, serviceMs }: Station, arrivalsPerSecond: number): number {
  return (arrivalsPerSecond * serviceMs) / 1_000 / servers;
}

/**
 * Erlang C: the probability that an arrival waits.
 * @param load λ·S, below `servers`; then the formula is exact for Poisson arrivals and exponential service
 */
export function waitProbability(servers: number, load: number): number {
  if (load >= servers) return 1;
  // Erlang B by its recursion, which stays in range where factorials do not.
  let blocked = 1;
  for (let each = 1; each <= servers; each++) blocked = (load * blocked) / (each + load * blocked);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

/** Mean wait before service, in milliseconds; `Infinity` where the queue grows without end. */
export function meanWaitMs(station: Station, arrivalsPerSecond: number): number {
  const { servers, serviceMs } = station;
  const used = utilisation(station, arrivalsPerSecond);
  if (used >= 1) return Infinity;
  if (serviceMs === 0) return 0;
  return (waitProbability(servers, used * servers) * serviceMs) / (servers * (1 - used));
}

/** Draws from [0, 1), the same for the same seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function exponential(mean: number, random: () => number): number {
  return -mean * Math.log(1 - random());
}

export interface Arrival {
  atMs: number;
  serviceMs: number;
}

/** The wait of each arrival with so many servers, first come, first served. @param arrivals in the order of their times */
export function waitsMs(servers: number, arrivals: readonly Arrival[]): number[] {
  const freeAt = new Float64Array(servers);
  return arrivals.map(({ atMs, serviceMs }) => {
    let first = 0;
    for (let each = 1; each < servers; each++) if ((freeAt[each] ?? 0) < (freeAt[first] ?? 0)) first = each;
    const start = Math.max(atMs, freeAt[first] ?? 0);
    freeAt[first] = start + serviceMs;
    return start - atMs;
  });
}
