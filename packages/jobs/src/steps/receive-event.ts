/** The wait for an event. What it comes to, an event or a timeout, is decided by one write into the memory of the run. */
import { StepError } from '../errors.js';
import { isoTime } from '../values/iso-time.js';
import type { EventTopic } from '../wire/names.js';
import type { StepEntry } from './entry.js';
import type { RunMemory } from './run-memory.js';
import { requireKept, type WaitingStep } from './waiting-step.js';

/** What a wait for an event came to. */
export type EventOutcome<Payload> =
  | {
      state: 'received';
      payload: Payload;
      /** Of the event. */
      id: string;
      /** RFC 3339, by the broker's clock. */
      sentAt: string;
    }
  | { state: 'timed_out' };

export interface WaitOptions {
  /** Takes events that were sent with this key. Default: those without one. */
  key?: string;
  /** Gives up after this time, in milliseconds. */
  timeoutMs: number;
}

export async function receiveEvent(
  { memory, waits, now, writer, position, suspend }: WaitingStep,
  topic: EventTopic,
  timeoutMs: number,
): Promise<EventOutcome<unknown>> {
  const { entry, isNew } = await memory.begin(position, 'event', topic.name, () => ({
    until: isoTime(now() + timeoutMs),
    awaited: { key: topic.key, after: lastReceived(memory, topic), since: writer.enqueued_at },
  }));
  const { until, awaited } = entry;
  if (awaited !== undefined && awaited.key !== topic.key)
    memory.fail(`step ${position}, the wait for the event "${topic.name}", is now one with another key`);
  requireKept(entry);
  if (entry.state === 'done') return outcomeOf(entry);
  if (until === undefined || awaited === undefined)
    throw new StepError('invalid_options', `The wait for "${topic.name}" is remembered without its end.`);
  const endsAt = Date.parse(until);
  const wanted = { after: awaited.after, since: Date.parse(awaited.since), until: endsAt };
  let event = isNew ? undefined : await waits.firstEvent(topic, wanted);
  if (event === undefined && endsAt > now()) {
    // First the note, then the look: whoever sends an event stores it first, and then looks for notes.
    await waits.enter(topic, position, endsAt - now());
    event = await waits.firstEvent(topic, wanted);
  }
  if (event === undefined && endsAt > now())
    return suspend({
      until: endsAt,
      facts: { kind: 'event', name: topic.name, id: null, until },
      hasArrived: async () => (await waits.firstEvent(topic, wanted)) !== undefined,
    });
  const received = event && { id: event.id, sent_at: event.sentAt, sequence: event.sequence };
  const done = await memory.end(position, entry, event && { received, result: event.payload });
  await waits.leave(topic, position);
  return outcomeOf(done);
}

/** Of the events of this name and key, the last one that the run has received: a further wait takes one that came after it. */
function lastReceived({ entries }: RunMemory, { name, key }: EventTopic): number {
  let last = 0;
  for (const { kind, name: own, awaited, received } of entries.values())
    if (kind === 'event' && own === name && awaited?.key === key)
      last = Math.max(last, received?.sequence ?? 0);
  return last;
}

function outcomeOf({ received, result }: StepEntry): EventOutcome<unknown> {
  if (received === undefined) return { state: 'timed_out' };
  return { state: 'received', payload: result, id: received.id, sentAt: received.sent_at };
}
