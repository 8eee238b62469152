/**
 * Settings that an operator may raise on the server. Reconciliation raises them too, and lowers none by itself: a service that does not know the whole
 * configuration would throw away copies or messages.
 */

/** A setting of a stream or consumer that differs from what is declared. */
export interface SettingChange {
  /** Of the stream, or `stream/consumer`. */
  name: string;
  setting: string;
  from: unknown;
  to: unknown;
}

/** By setting, the rank of a value. Unlimited ages were chosen; unlimited sizes are what streams of older versions have. */
const RANKS: ReadonlyMap<string, (value: number) => number> = new Map([
  ['num_replicas', (value) => Math.max(1, value)],
  ['max_age', (value) => (value === 0 ? Infinity : value)],
  ['max_bytes', (value) => value],
  ['duplicate_window', (value) => value],
  ['max_waiting', (value) => value],
]);

export function isLowered({ setting, from, to }: SettingChange): boolean {
  const rank = RANKS.get(setting);
  return rank !== undefined && typeof from === 'number' && typeof to === 'number' && rank(to) < rank(from);
}

/** `num_replicas is 3, declared 1`. */
export function describeChange({ setting, from, to }: SettingChange): string {
  return `${setting} is ${JSON.stringify(from)}, declared ${JSON.stringify(to)}`;
}
