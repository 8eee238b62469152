/** From a request's body to events that can be stored, and the faults of the others. */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import {
  customerEventSchema,
  EVENT_TYPES,
  identifiersOf,
  type EventType,
} from '@stratum/shared/customer-events';
import { ProblemError } from '@stratum/shared/http';
import { z } from 'zod';
import { parseBody } from '../http/read-body.js';
import { eventTime, parseTime } from './event-time.js';

const MAX_EVENT_BYTES = 32 * 1024;
/** As many as Segment takes in a request. */
const MAX_EVENTS = 2_500;
const EVENTS_AT_ONCE = 50;
/** Problems in an answer. */
const MAX_PROBLEMS = 100;
/** Deeper than anybody nests properties; every reader of them goes in recursively. */
const MAX_DEPTH = 50;
/** The most bytes that a UTF-16 unit of a text takes. */
const MAX_BYTES_PER_UNIT = 3;

/** Of Segment's short paths. */
const BY_LETTER = new Map<string, EventType>(EVENT_TYPES.map((type) => [type.charAt(0), type]));

export const eventProblemSchema = z.object({
  index: z.int().describe('Index of the event in the batch, from 0.'),
  field: z.string().describe('Field name, or `(event)` for the whole event.'),
  message: z.string(),
});
export type EventProblem = z.output<typeof eventProblemSchema>;

export interface ReadEvents {
  /** JSON of each event that can be stored. */
  accepted: string[];
  problems: EventProblem[];
}

type Fields = Record<string, unknown>;

/** @throws ProblemError `bad-request` unless the value is a JSON object */
export function parseEvents(body: unknown): Fields {
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new ProblemError('bad-request', 'body: must not be empty. Send a JSON object.');
  const parsed = parseBody(body, { lenient: true });
  if (!isFields(parsed)) throw new ProblemError('bad-request', 'body: must be a JSON object.');
  return parsed;
}

/**
 * The events of a request, which are not looked at before their number is known.
 * @param kind the path: a type, or `batch`
 * @throws ProblemError `bad-request`
 */
export function eventsIn(body: Fields, kind: EventType | 'batch'): readonly unknown[] {
  if (kind !== 'batch') return [body];
  const events: unknown = body['batch'];
  const problem =
    !Array.isArray(events) || events.length === 0
      ? 'must be an array of at least one event'
      : events.length > MAX_EVENTS
        ? `must not have more than ${MAX_EVENTS} events`
        : undefined;
  if (problem === undefined && Array.isArray(events)) return events;
  throw new ProblemError('bad-request', `body.batch: ${problem}.`, {
    errors: [{ field: 'body.batch', message: problem ?? '' }],
  });
}

/** Gives way to other requests now and then: a large batch takes a tenth of a second. */
export async function readEvents(
  events: readonly unknown[],
  body: Fields,
  kind: EventType | 'batch',
  receivedAt: number,
): Promise<ReadEvents> {
  const result: ReadEvents = { accepted: [], problems: [] };
  const isBatch = kind === 'batch';
  for (const [index, event] of events.entries()) {
    if (index > 0 && index % EVENTS_AT_ONCE === 0) await setImmediate();
    const read = readEvent(event, isBatch ? body : undefined, isBatch ? undefined : kind, receivedAt);
    if (typeof read === 'string') result.accepted.push(read);
    else
      for (const problem of read)
        if (result.problems.length < MAX_PROBLEMS) result.problems.push({ index, ...problem });
  }
  return result;
}

type Problem = Omit<EventProblem, 'index'>;

/** The event's JSON, or its fault. */
function readEvent(
  event: unknown,
  batch: Fields | undefined,
  type: EventType | undefined,
  receivedAt: number,
): string | Problem[] {
  if (!isFields(event)) return [{ field: '(event)', message: 'must be an object' }];
  if (!isShallow(event, MAX_DEPTH))
    return [{ field: '(event)', message: `is nested deeper than ${MAX_DEPTH} levels` }];
  const timestamp = parseTime(event['timestamp']);
  if (timestamp === undefined && isPresent(event['timestamp']))
    return [{ field: 'timestamp', message: 'must be a time such as 2026-01-31T12:00:00.000Z' }];
  const sentAt = parseTime(event['sentAt']) ?? parseTime(batch?.['sentAt']);
  const common = batch?.['context'];
  const { data, error } = customerEventSchema.safeParse({
    ...event,
    type: type ?? typeOf(event['type']),
    messageId: isPresent(event['messageId']) ? event['messageId'] : randomUUID(),
    userId: idOf(event['userId']),
    anonymousId: idOf(event['anonymousId']),
    context: isFields(common) ? { ...common, ...asFields(event['context']) } : event['context'],
    ...eventTime(timestamp, sentAt, receivedAt),
  });
  if (error !== undefined)
    return error.issues.map(({ path, message }) => ({ field: path.join('.') || '(event)', message }));
  if (identifiersOf(data).length === 0)
    return [
      {
        field: isPresent(data.userId) ? 'userId' : 'anonymousId',
        message: 'is a placeholder, not an id. Send the real id, or omit the field',
      },
    ];
  const text = JSON.stringify(data);
  if (text.length * MAX_BYTES_PER_UNIT > MAX_EVENT_BYTES && Buffer.byteLength(text) > MAX_EVENT_BYTES)
    return [{ field: '(event)', message: `is larger than ${MAX_EVENT_BYTES} bytes` }];
  return text;
}

/** `track` as it is; `t` as analytics.js abbreviates it. */
function typeOf(value: unknown): unknown {
  return typeof value === 'string' ? (BY_LETTER.get(value) ?? value) : value;
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  const parts: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return parts.every((part) => isShallow(part, levels - 1));
}

/** An empty id is none. */
function idOf(value: unknown): unknown {
  return value === '' ? undefined : value;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asFields(value: unknown): Fields {
  return isFields(value) ? value : {};
}
