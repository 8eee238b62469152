/** When an event happened, by a clock that may be wrong. */

export interface EventTime {
  timestamp: string;
  /** The sender's own, where it differs. */
  originalTimestamp: string | undefined;
}

/** An earlier time comes from a clock that was never set. */
const EARLIEST = Date.UTC(2000, 0, 1);
const DATE = /^\d{4}-\d{2}-\d{2}(?:$|[T ])/;
const ZONE = /(?:Z|[+-]\d{2}:?\d{2})$/i;

/** Milliseconds of an ISO 8601 text, without a zone in UTC; `undefined` when it is none. */
export function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !DATE.test(text)) return undefined;
  const isDate = text.length === '2000-01-01'.length;
  const time = Date.parse(isDate || ZONE.test(text) ? text : `${text}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/**
 * `receivedAt − (sentAt − timestamp)`: how long before it was sent an event happened is right even by a wrong clock. Without `sentAt` the
 * sender is believed. Nothing happens after it was received, and nothing before 2000.
 */
export function eventTime(
  timestamp: number | undefined,
  sentAt: number | undefined,
  receivedAt: number,
): EventTime {
  if (timestamp === undefined)
    return { timestamp: new Date(receivedAt).toISOString(), originalTimestamp: undefined };
  const corrected = sentAt === undefined ? timestamp : receivedAt - (sentAt - timestamp);
  const isAbsurd = corrected > receivedAt || corrected < EARLIEST;
  const time = isAbsurd ? receivedAt : corrected;
  return {
    timestamp: new Date(time).toISOString(),
    originalTimestamp:
      time === timestamp || isFarOff(timestamp) ? undefined : new Date(timestamp).toISOString(),
  };
}

/** No time of four digits: it could not be stored. */
function isFarOff(time: number): boolean {
  return time < Date.UTC(1, 0, 1) || time >= Date.UTC(10_000, 0, 1);
}
