/** When an event happened, by a clock that may be wrong and in the forms that senders write times in. */

interface EventTime {
  timestamp: string;
  /** The sender's own, where it differs. */
  originalTimestamp: string | undefined;
}

export interface ReadTime {
  /** Milliseconds. */
  at: number;
  /** What had to be guessed. */
  guess?: string;
}

/** An earlier time comes from a clock that was never set. */
const EARLIEST = Date.UTC(2000, 0, 1);
const HOUR = 3_600_000;
const MINUTE = 60_000;
/** The form of nearly all events. */
const COMMON = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;
/**
 * ISO 8601, extended or basic, with a comma or a point before any number of decimals; zones that are written as words; and RFC 9557's names of
 * zones and calendars behind it, which Java writes.
 */
const ISO =
  /^(\d{4})(-?)(\d{2})\2(\d{2})(?:[T ] ?(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?\s?(?:(Z|UTC|GMT)|([+-])(\d{2})(?::?(\d{2}))?)?(?:\[!?[\w/+=:-]{1,64}\]){0,4})?$/i;
/** RFC 2822, HTTP's dates, and a date that JavaScript wrote. */
const WORDED =
  /^(?:[A-Z][a-z]{2},? )?(?:\d{1,2} [A-Z][a-z]{2}|[A-Z][a-z]{2} \d{1,2}) \d{4} \d{2}:\d{2}(?::\d{2})? ?(?:Z|UTC?|GMT|[ECMP][SD]T)?(?:[+-]\d{4})?(?: \([^)]*\))?$/;
const DIGITS = /^\d{9,20}(?:\.\d+)?$/;
/** Units of a time since 1970 that lies after 2000: the digits say which one. */
const EPOCH_UNITS: readonly { below: number; perMs: number; name: string }[] = [
  { below: 1e11, perMs: 1e-3, name: 'seconds' },
  { below: 1e14, perMs: 1, name: 'milliseconds' },
  { below: 1e17, perMs: 1e3, name: 'microseconds' },
  { below: 1e20, perMs: 1e6, name: 'nanoseconds' },
];

/** A time without a zone is UTC. `undefined` when it is no time. */
export function readTime(value: unknown): ReadTime | undefined {
  if (typeof value === 'number') return readEpoch(value);
  if (typeof value !== 'string') return undefined;
  const text = COMMON.test(value) ? value : value.trim();
  if (COMMON.test(text) || WORDED.test(text)) {
    const at = Date.parse(text);
    // A 30th of February would become a day of March.
    const isDay = COMMON.test(text) ? new Date(at).getUTCDate() === Number(text.slice(8, 10)) : true;
    return Number.isNaN(at) || !isDay ? undefined : { at };
  }
  if (DIGITS.test(text)) return readEpoch(Number(text));
  const at = readIso(text);
  return at === undefined ? undefined : { at };
}

function readIso(text: string): number | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [1, 3, 4, 5, 6, 7].map((index) =>
    Number(match[index] ?? 0),
  );
  const [decimals = '', sign, offsetHours = '0', offsetMinutes = '0'] = [8, 10, 11, 12].map(
    (index) => match[index],
  );
  const date = new Date(Date.UTC(year, month - 1, day));
  const isDate = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isDate || hour > 24 || minute > 59 || second > 60) return undefined;
  const offset = Number(offsetHours) * HOUR + Number(offsetMinutes) * MINUTE;
  const milliseconds = Math.floor(Number(`0.${decimals || '0'}`) * 1_000);
  const local = date.getTime() + hour * HOUR + minute * MINUTE + second * 1_000 + milliseconds;
  return sign === '-' ? local + offset : local - offset;
}

function readEpoch(value: number): ReadTime | undefined {
  const unit = EPOCH_UNITS.find(({ below }) => value < below);
  if (unit === undefined) return undefined;
  const at = Math.floor(value / unit.perMs);
  return at < EARLIEST ? undefined : { at, guess: `was a number, read as ${unit.name} since 1970` };
}

/**
 * `receivedAt − (sentAt − timestamp)`: how long before it was sent an event happened is right even by a wrong clock. Without `sentAt` the
 * sender is believed. Nothing happens after it was received, and nothing before 2000.
 */
export function eventTime(
  timestamp: number | undefined,
  sentAt: number | undefined,
  receivedAt: number,
): EventTime & { isAbsurd: boolean } {
  if (timestamp === undefined)
    return {
      timestamp: new Date(receivedAt).toISOString(),
      originalTimestamp: undefined,
      isAbsurd: false,
    };
  const corrected = sentAt === undefined ? timestamp : receivedAt - (sentAt - timestamp);
  const isAbsurd = corrected > receivedAt || corrected < EARLIEST;
  const time = isAbsurd ? receivedAt : corrected;
  return {
    timestamp: new Date(time).toISOString(),
    originalTimestamp:
      time === timestamp || isFarOff(timestamp) ? undefined : new Date(timestamp).toISOString(),
    // A clock that is a minute ahead is no news.
    isAbsurd: isAbsurd && Math.abs(time - corrected) > MINUTE,
  };
}

/** No time of four digits: it could not be stored. */
function isFarOff(time: number): boolean {
  return time < Date.UTC(1, 0, 1) || time >= Date.UTC(10_000, 0, 1);
}
