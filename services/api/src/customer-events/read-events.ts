/** From a request's body to events that can be stored, and the faults of the others. */
import { setImmediate } from 'node:timers/promises';
import {
  eventNoteSchema,
  readCustomerEvent,
  type EventType,
  type EventNote,
} from '@stratum/shared/customer-events';
import { parseBody, ProblemError } from '@stratum/shared/http';
import { z } from 'zod';

const MAX_EVENT_BYTES = 32 * 1024;
/** As many as Segment takes in a request. */
const MAX_EVENTS = 2_500;
const EVENTS_AT_ONCE = 50;
/** Problems in an answer. */
const MAX_PROBLEMS = 100;
/** The most bytes that a UTF-16 unit of a text takes. */
const MAX_BYTES_PER_UNIT = 3;

export const eventProblemSchema = eventNoteSchema.extend({
  index: z.int().describe('Index of the event in the batch, from 0.'),
});
export type EventProblem = z.output<typeof eventProblemSchema>;

export interface ReadEvents {
  /** JSON of each event that can be stored. */
  accepted: string[];
  /** Of the others. */
  problems: EventProblem[];
  /** What was changed or guessed about accepted events. */
  repaired: EventProblem[];
  /** One for each event that is refused. */
  rejected: EventNote[];
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
  const result: ReadEvents = { accepted: [], problems: [], repaired: [], rejected: [] };
  const origin =
    kind === 'batch'
      ? { receivedAt, context: body['context'], sentAt: body['sentAt'] }
      : { receivedAt, type: kind };
  for (const [index, raw] of events.entries()) {
    if (index > 0 && index % EVENTS_AT_ONCE === 0) await setImmediate();
    const { event, problems } = readCustomerEvent(raw, origin);
    const text = event === undefined ? undefined : JSON.stringify(event);
    if (text !== undefined && !isTooLarge(text)) {
      result.accepted.push(text);
      for (const repair of event?.repairs ?? []) note(result.repaired, { index, ...repair });
      continue;
    }
    const found = problems ?? [{ field: '(event)', message: `is larger than ${MAX_EVENT_BYTES} bytes` }];
    for (const problem of found) note(result.problems, { index, ...problem });
    if (found[0] !== undefined) result.rejected.push(found[0]);
  }
  return result;
}

function note(list: EventProblem[], problem: EventProblem): void {
  if (list.length < MAX_PROBLEMS) list.push(problem);
}

function isTooLarge(text: string): boolean {
  return text.length * MAX_BYTES_PER_UNIT > MAX_EVENT_BYTES && Buffer.byteLength(text) > MAX_EVENT_BYTES;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
