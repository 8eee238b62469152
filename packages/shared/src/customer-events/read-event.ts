/**
 * From what a sender wrote to an event. Senders cannot be asked to change, so an event is refused only when it has no meaning; whatever was
 * changed or guessed is noted in its `repairs`.
 */
import { createHash, randomUUID } from 'node:crypto';
import { presentable } from '../database/storable-json.js';
import { customerEventSchema, EVENT_TYPES, MAX_ID, type CustomerEvent, type EventNote } from './event.js';
import { eventTime, readTime } from './event-time.js';
import { identifiersOf } from './identifiers.js';

type Fields = Record<string, unknown>;

export interface EventOrigin {
  /** Milliseconds. */
  receivedAt: number;
  /** Of the path, where the path says it. */
  type?: string | undefined;
  /** Of the batch. */
  context?: unknown;
  /** Of the batch. */
  sentAt?: unknown;
}

export type EventReading =
  | { event: CustomerEvent; problems?: undefined }
  /** Why it has no meaning. */
  | { event?: undefined; problems: EventNote[] };

/** Deeper than anybody nests properties; every reader of them goes in recursively. */
const MAX_DEPTH = 50;
/** analytics.js abbreviates them. */
const BY_LETTER: ReadonlyMap<string, string> = new Map(EVENT_TYPES.map((type) => [type.charAt(0), type]));

export function readCustomerEvent(raw: unknown, origin: EventOrigin): EventReading {
  if (!isFields(raw)) return refused('(event)', 'must be an object');
  if (!isShallow(raw, MAX_DEPTH)) return refused('(event)', `is nested deeper than ${MAX_DEPTH} levels`);
  const repairs: EventNote[] = [];
  const read = new Reader(raw, repairs);
  const common = origin.context;
  const context = read.object('context');
  const { data, error } = customerEventSchema.safeParse({
    type: origin.type ?? typeOf(raw, repairs),
    messageId: read.messageId(),
    event: read.name('event'),
    name: read.text('name'),
    category: read.text('category'),
    userId: read.id('userId'),
    anonymousId: read.id('anonymousId'),
    previousId: read.id('previousId'),
    groupId: read.id('groupId'),
    traits: read.object('traits'),
    properties: read.object('properties'),
    context: isFields(common) ? { ...common, ...context } : context,
    ...timeOf(raw, origin, repairs),
  });
  if (error !== undefined)
    return {
      problems: error.issues.map(({ path, message }) => ({ field: String(path[0] ?? '(event)'), message })),
    };
  if (identifiersOf(data).length === 0)
    return refused(
      isPresent(raw['userId']) ? 'userId' : 'anonymousId',
      'is a placeholder, not an id. Send the real id, or omit the field',
    );
  return { event: repairs.length === 0 ? data : { ...data, repairs } };
}

/** Fields in the forms that senders give them. */
class Reader {
  constructor(
    private readonly raw: Fields,
    private readonly repairs: EventNote[],
  ) {}

  /** PHP writes an empty object as an empty list. */
  object(field: string): Fields | undefined {
    const value = this.raw[field];
    if (isFields(value)) return value;
    if (value === undefined || value === null || value === '') return undefined;
    if (Array.isArray(value) && value.length === 0) this.note(field, 'was an empty list, read as an object');
    else this.note(field, 'is no object and was left out');
    return {};
  }

  text(field: string): string | undefined {
    const value = this.raw[field];
    if (typeof value === 'string') return value;
    if (!isPresent(value)) return undefined;
    if (typeof value === 'number') return String(value);
    this.note(field, 'is no text and was left out');
    return undefined;
  }

  /** A name of the database's index. */
  name(field: string): string | undefined {
    const text = this.text(field)?.trim();
    if (text === undefined || text === '') return undefined;
    const clean = presentable(text);
    if (clean.length <= MAX_ID && clean === text) return text;
    this.note(
      field,
      clean === text ? `was cut off after ${MAX_ID} characters` : 'held unprintable characters',
    );
    return clean.slice(0, MAX_ID);
  }

  /** A long id identifies nothing, and a cut one might be another's. */
  id(field: string): string | undefined {
    const value = this.raw[field];
    if (typeof value !== 'string' && typeof value !== 'number') {
      if (isPresent(value)) this.note(field, 'is neither text nor a number and was left out');
      return undefined;
    }
    const text = String(value).trim();
    if (text === '') return undefined;
    if (text.length <= MAX_ID && !text.includes('\0')) return text;
    this.note(field, `is no id of at most ${MAX_ID} printable characters and was left out`);
    return undefined;
  }

  /** Every message has one; a long one keeps its meaning as its hash. */
  messageId(): string {
    const value = this.raw['messageId'];
    const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
    if (text === '') return randomUUID();
    if (text.length <= MAX_ID && !text.includes('\0')) return text;
    this.note('messageId', 'was replaced by its hash');
    return createHash('sha256').update(text).digest('hex');
  }

  private note(field: string, message: string): void {
    this.repairs.push({ field, message });
  }
}

/** `track` as it is, `t` as analytics.js abbreviates it, in any letters. */
function typeOf({ type, event }: Fields, repairs: EventNote[]): unknown {
  if (!isPresent(type) && isPresent(event)) {
    repairs.push({ field: 'type', message: 'was missing, read as track' });
    return 'track';
  }
  if (typeof type !== 'string') return type;
  const name = BY_LETTER.get(type) ?? type;
  const lower = name.trim().toLowerCase();
  if (lower !== name && EVENT_TYPES.some((known) => known === lower)) {
    repairs.push({ field: 'type', message: 'was not written in lower case' });
    return lower;
  }
  return name;
}

/**
 * `timestamp`, or RudderStack's `originalTimestamp`. Who sends both has corrected the first by its own clock already, unless they are the same.
 */
function timeOf(
  raw: Fields,
  origin: EventOrigin,
  repairs: EventNote[],
): Pick<CustomerEvent, 'timestamp' | 'originalTimestamp'> {
  const read = (field: string, value: unknown): number | undefined => {
    if (!isPresent(value)) return undefined;
    const time = readTime(value);
    if (time === undefined) repairs.push({ field, message: 'is no time that can be read and was left out' });
    else if (time.guess !== undefined) repairs.push({ field, message: time.guess });
    return time?.at;
  };
  const stated = read('timestamp', raw['timestamp']);
  const original = read('originalTimestamp', raw['originalTimestamp']);
  const sentAt = read('sentAt', isPresent(raw['sentAt']) ? raw['sentAt'] : origin.sentAt);
  const isCorrected = stated !== undefined && original !== undefined && stated !== original;
  const { isAbsurd, timestamp, originalTimestamp } = eventTime(
    stated ?? original,
    isCorrected ? undefined : sentAt,
    origin.receivedAt,
  );
  if (isAbsurd)
    repairs.push({
      field: 'timestamp',
      message: 'lies in the future or before 2000; the time of receipt counts',
    });
  return { timestamp, originalTimestamp };
}

function refused(field: string, message: string): EventReading {
  return { problems: [{ field, message }] };
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return parts.every((part) => isShallow(part, levels - 1));
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
