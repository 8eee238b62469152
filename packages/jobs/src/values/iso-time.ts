/** Times as text, for the hot path: `Date.toISOString` takes a microsecond, and every task has several times. */

/** The last time that a `Date` holds, and with a minus the first, in milliseconds since 1970. */
const LAST = 8.64e15;

/** The seconds that were asked for last; tasks that wait have other ones than tasks that end. */
const SLOTS = 8;
const seconds = new Float64Array(SLOTS).fill(NaN);
const prefixes = Array.from({ length: SLOTS }, () => '');

/**
 * As `new Date(milliseconds).toISOString()`.
 * @param milliseconds since 1970
 * @throws RangeError for a time that no `Date` holds
 */
export function isoTime(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  if (!(Math.abs(whole) <= LAST)) throw new RangeError(`${milliseconds} is no time that a date holds.`);
  const second = Math.floor(whole / 1000);
  const slot = second & (SLOTS - 1);
  if (seconds[slot] !== second) {
    // The year may have more than four digits; the milliseconds and the zone have four characters always.
    prefixes[slot] = new Date(second * 1000).toISOString().slice(0, -4);
    seconds[slot] = second;
  }
  const rest = whole - second * 1000;
  return `${prefixes[slot]}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
}
