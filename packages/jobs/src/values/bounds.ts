/**
 * The bounds of numbers and times that come from outside: from contracts, clients, headers, the API, the command, workflow definitions,
 * schedule entries and configuration. Each kind is declared here once, and every entrance asks the same declaration, so a value that one of
 * them accepts is of use to all that follow.
 */
import { JobsError } from '../errors.js';

export { JsonError, parseBoundedJson } from './bounded-json.js';
export { MISLEADING, nameProblem, withArticle } from './text.js';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

/** Ten years: a time that lies this far ahead of any clock can still be written, scheduled and compared. */
export const MAX_DURATION_MS = 3_660 * DAY_MS;
/** Node's timers fire at once when they are set for longer. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Each shard of a queue costs every worker three pull requests, and every search by id one more request. */
export const MAX_SHARDS = 64;

interface NumberBounds {
  min: number;
  max: number;
  /** For example `milliseconds`. Default: `a number`, or `a whole number`. */
  unit?: string;
  /** Fractions are refused. */
  isWhole?: boolean;
}

/** A kind of number. */
export class BoundedNumber {
  constructor(private readonly bounds: NumberBounds) {}

  get min(): number {
    return this.bounds.min;
  }

  get max(): number {
    return this.bounds.max;
  }

  get isWhole(): boolean {
    return this.bounds.isWhole ?? false;
  }

  /** The same kind with a higher or lower end. */
  within({ min = this.min, max = this.max }: { min?: number; max?: number }): BoundedNumber {
    return new BoundedNumber({ ...this.bounds, min, max });
  }

  includes(value: unknown): value is number {
    const { min, max, isWhole = false } = this.bounds;
    if (typeof value !== 'number' || !(value >= min && value <= max)) return false;
    return !isWhole || Number.isInteger(value);
  }

  /** Returns the value. @throws JobsError `invalid_options` that names the field and the bounds */
  require(field: string, value: unknown): number {
    if (this.includes(value)) return value;
    throw refusal(field, value, this.description);
  }

  /** The same for a setting that may be left out. */
  optional(field: string, value: unknown): number | undefined {
    return value === undefined ? undefined : this.require(field, value);
  }

  /** The value of decimal text; `undefined` for any other text and outside of the bounds. */
  parse(text: string): number | undefined {
    if (!DECIMAL.test(text)) return undefined;
    const value = Number(text);
    return this.includes(value) ? value : undefined;
  }

  /** For example `milliseconds from 0 to 316,224,000,000`. */
  get description(): string {
    const { min, max, isWhole = false, unit = isWhole ? 'a whole number' : 'a number' } = this.bounds;
    return `${unit} from ${readable(min)} to ${readable(max)}`;
  }
}

const DECIMAL = /^\d{1,16}(?:\.\d{1,9})?$/;

/** How long something waits or is kept, in milliseconds. */
export const duration = new BoundedNumber({ min: 0, max: MAX_DURATION_MS, unit: 'milliseconds' });
/** A wait that a timer of this process measures, in milliseconds. */
export const timer = new BoundedNumber({ min: 0, max: MAX_TIMER_MS, unit: 'milliseconds' });
/** How long the broker keeps something, in milliseconds. It counts whole seconds. */
export const retention = duration.within({ min: SECOND_MS });
/** Repetitions, and items of a list. */
export const count = new BoundedNumber({ min: 0, max: 1_000_000, isWhole: true });
/** Tasks that one worker runs at once. */
export const concurrency = count.within({ min: 1, max: 10_000 });
/** Tasks of one key that run at once: their holders stand in one entry of a bucket. */
export const keyConcurrency = count.within({ min: 1, max: 500 });
/** Failures of an outside service that open its circuit. */
export const serviceFailures = count.within({ min: 1, max: 1_000 });
/** Tasks that try an outside service at once: they stand in one entry of a bucket. */
export const serviceProbes = count.within({ min: 1, max: 100 });
/** How long the failures of an outside service are counted, and how long it is left alone, in milliseconds. */
export const servicePause = duration.within({ min: 100, max: DAY_MS });
/** Items of a page or list that is held in memory. */
export const pageSize = count.within({ min: 1, max: 100_000 });
/** How long an event waits for runs that begin to wait for it, in milliseconds. */
export const eventKept = retention.within({ min: 60_000, max: 30 * DAY_MS });
/** How long one attempt may run, in milliseconds. */
export const timeLimit = duration.within({ min: 1 });
/** How long it has to be quiet before a task that others may replace starts: shorter, the broker may have handed it over already. */
export const debounceQuiet = duration.within({ min: 1_000 });
/** Copies of a stream in a cluster. */
export const replicas = count.within({ min: 1, max: 5 });
/** Bytes of a message. */
export const size = new BoundedNumber({
  min: 1,
  max: 64 * 1024 * 1024,
  isWhole: true,
  unit: 'a whole number of bytes',
});
/** Bytes of a stream. */
export const storage = size.within({ max: 2 ** 50 });
/** Events per interval or second. */
export const rate = new BoundedNumber({ min: 0.001, max: 1_000_000 });
/** A tenant's share beside others'. */
export const tenantWeight = new BoundedNumber({ min: 0.001, max: 1_000 });
/** The interval of a rate, in milliseconds. A day at most, so that the wait for the next start always has an end. */
export const ratePeriod = duration.within({ min: 1, max: DAY_MS });
/** The place of a message in a stream. */
export const sequence = new BoundedNumber({ min: 0, max: Number.MAX_SAFE_INTEGER, isWhole: true });

const FIRST_INSTANT = 0;
const LAST_INSTANT = Date.UTC(2200, 0, 1);
/** The bounds of times, in words. */
export const INSTANTS = 'a time from 1970 to 2200';

/** Whether a number is a time that every part of the system can write down, in milliseconds since 1970. */
export function isInstant(milliseconds: number): boolean {
  return milliseconds >= FIRST_INSTANT && milliseconds <= LAST_INSTANT;
}

/** Returns the time. @throws JobsError `invalid_options` that names the field and the bounds */
export function requireInstant(field: string, value: unknown): Date {
  if (value instanceof Date && isInstant(value.getTime())) return value;
  throw refusal(field, value, INSTANTS);
}

/** The time that RFC 3339 text names; `undefined` for other text, plain numbers among it, and outside of 1970 to 2200. */
export function parseInstant(text: string): Date | undefined {
  if (!RFC_3339.test(text)) return undefined;
  const time = new Date(text);
  return isInstant(time.getTime()) ? time : undefined;
}

/** With or without fractions of a second and a zone, as `Date` reads it. */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:?\d{2})?)?$/;

function refusal(field: string, value: unknown, bounds: string): JobsError {
  return new JobsError('invalid_options', `${field} is ${shown(value)}; it must be ${bounds}.`, {
    details: { field },
  });
}

function shown(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'no valid time' : value.toISOString();
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'number' || typeof value === 'bigint' || value === null) return String(value);
  return `a value of type ${typeof value}`;
}

function readable(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}
