/** What each may use in a minute, and as much at once: token buckets by name. The longest unused are forgotten first. */
const MAX_REMEMBERED = 10_000;
const MINUTE_MS = 60_000;

interface Allowance {
  left: number;
  at: number;
}

export class Allowances {
  private readonly all = new Map<string, Allowance>();

  constructor(
    private readonly perMinute: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** What is left now; below zero: what is owed. */
  left(name: string): number {
    const allowance = this.all.get(name);
    return allowance === undefined ? this.perMinute : this.refill(allowance);
  }

  /** Takes an amount, down to the limit of debt. @returns what was left before */
  take(name: string, amount: number, maxDebt = 0): number {
    const allowance = this.all.get(name) ?? { left: this.perMinute, at: this.now() };
    const before = this.refill(allowance);
    allowance.left = Math.max(-maxDebt, before - amount);
    remember(this.all, name, allowance);
    return before;
  }

  /** Seconds until an amount is left, rounded up. */
  secondsUntil(name: string, amount: number): number {
    return Math.ceil(((amount - this.left(name)) * MINUTE_MS) / this.perMinute / 1_000);
  }

  private refill(allowance: Allowance): number {
    const now = this.now();
    const earned = (Math.max(0, now - allowance.at) * this.perMinute) / MINUTE_MS;
    allowance.left = Math.min(this.perMinute, allowance.left + earned);
    allowance.at = now;
    return allowance.left;
  }
}

/** Puts an entry last; the first goes when there are too many. A map keeps the order of insertion. */
export function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
