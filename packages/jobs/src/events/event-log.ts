/**
 * Events that runs wait for, and the runs that wait, as keys of the bucket of locks with a time to live.
 *
 *     send: store the event → wake every run that waits for it
 *     wait: note that the run waits → look for an event → end the attempt → look once more
 *
 * Whichever of the two comes first, one of them finds the other. The housekeeping repeats the waking for a sender or a run that died in between.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { readBatch, type StoredMessage } from '../broker/batch.js';
import { eachLimited } from '../broker/each-limited.js';
import { KeyValue } from '../broker/key-value.js';
import { scanAll } from '../broker/scan.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { isoTime } from '../values/iso-time.js';
import { readJson } from '../values/read-json.js';
import { NO_TENANT, type EventTopic, type Names, type TaskSubject } from '../wire/names.js';
import type { Waking } from './waking.js';

export interface EventLogParts {
  connection: NatsConnection;
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
  waking: Waking;
}

/** An event as a run receives it. */
export interface StoredEvent {
  id: string;
  payload: unknown;
  /** RFC 3339, by the broker's clock. */
  sentAt: string;
  /** Its place among all events. */
  sequence: number;
}

/** Which event a wait takes: the first one after a place, of a time span. Times in milliseconds since 1970. */
export interface Wanted {
  after: number;
  since: number;
  until: number;
}

/** A step of a run. */
export interface Waiter {
  run: Pick<TaskSubject, 'tenant' | 'task' | 'id'>;
  position: string;
}

const eventSchema = z.object({ id: z.string(), payload: z.unknown().optional() });
const waiterSchema = z.object({ subject: z.string() });

/** A waiter outlives its wait by this, in milliseconds: the run removes it, unless its worker dies. */
const WAITER_MARGIN_MS = 86_400_000;
const MARKER_MS = 1_000;
const BATCH_BYTES = 1_048_576;

export class EventLog {
  private readonly keys: KeyValue;

  constructor(private readonly parts: EventLogParts) {
    const { publisher, streams, names } = parts;
    this.keys = new KeyValue({ publisher, streams, stream: names.lockStream });
  }

  /** `false` when an event of this id is kept already. @param ttlMs how long it is kept, in milliseconds */
  async store(topic: EventTopic, event: { id: string; payload: unknown }, ttlMs: number): Promise<boolean> {
    const key = this.parts.names.eventKey(topic, event.id);
    return (await this.keys.create(key, JSON.stringify(event), { ttlMs })).standing === undefined;
  }

  /** Number of events that are kept for the runs of a tenant. */
  count(tenant: string | undefined): Promise<number> {
    const { streams, names } = this.parts;
    return streams.count(names.lockStream, names.eventKeys(tenant ?? NO_TENANT));
  }

  /** The first that fits; `undefined` when there is none yet. */
  async first(topic: EventTopic, { after, since, until }: Wanted): Promise<StoredEvent | undefined> {
    const { connection, names } = this.parts;
    const limits = { next_by_subj: names.eventKey(topic, '*'), batch: 16, max_bytes: BATCH_BYTES };
    const start = isoTime(since);
    for (let from = after + 1; ;) {
      // What comes after an event of the time span is in it as well.
      const place = from > 1 ? { seq: from } : { start_time: start };
      const batch = await readBatch(connection, names.lockStream, { ...place, ...limits });
      for (const message of batch) {
        if (message.time.getTime() > until) return undefined;
        const event = message.time.getTime() >= since ? readEvent(message) : undefined;
        if (event !== undefined) return event;
      }
      const last = batch.at(-1);
      if (last === undefined || last.pending <= 0) return undefined;
      from = last.seq + 1;
    }
  }

  /** Notes that a run waits. @param forMs in milliseconds @param subject of its task */
  async enter(topic: EventTopic, waiter: Waiter, subject: string, forMs: number): Promise<void> {
    const ttlMs = forMs + WAITER_MARGIN_MS;
    await this.keys.put(this.waiterKey(topic, waiter), JSON.stringify({ subject }), { ttlMs });
  }

  async leave(topic: EventTopic, waiter: Waiter): Promise<void> {
    await this.keys.delete(this.waiterKey(topic, waiter), { ttlMs: MARKER_MS });
  }

  /** Wakes all who wait. Returns the number of runs that slept, and the keys of those that did not: they run, or are about to sleep. */
  async wakeAll(topic: EventTopic): Promise<{ woken: number; awake: string[] }> {
    const { connection, names } = this.parts;
    const waiters = await scanAll(connection, names.lockStream, names.eventWaiterKey(topic, '*.*.*'));
    let woken = 0;
    const awake: string[] = [];
    await eachLimited(waiters, async (message) => {
      const outcome = await this.wakeWaiter(message);
      if (outcome === 'woken') woken++;
      else if (outcome === 'awake') awake.push(message.subject);
    });
    return { woken, awake };
  }

  /** The same for one of them. `gone`: it waits no longer. */
  async wakeAgain(waiterKey: string): Promise<'woken' | 'awake' | 'gone'> {
    const stored = await this.keys.get(waiterKey);
    return stored === undefined ? 'gone' : this.wakeWaiter(stored.message);
  }

  /** The topic of a stored event; `undefined` for another subject. */
  topicOf(subject: string): EventTopic | undefined {
    const [tenant, name, key, id] = subject.slice(this.parts.names.eventKeys().indexOf('*')).split('.');
    if (tenant === undefined || name === undefined || key === undefined || id === undefined) return undefined;
    return { tenant: tenant === NO_TENANT ? undefined : tenant, name, key };
  }

  private async wakeWaiter(
    message: Pick<StoredMessage, 'data' | 'json'>,
  ): Promise<'woken' | 'awake' | 'gone'> {
    const waiter = waiterSchema.safeParse(readJson(message)).data;
    if (waiter === undefined) return 'gone';
    return (await this.parts.waking.wake(waiter.subject)) ? 'woken' : 'awake';
  }

  private waiterKey(topic: EventTopic, { run: { task, id }, position }: Waiter): string {
    return this.parts.names.eventWaiterKey(topic, `${task}.${id}.${position}`);
  }
}

function readEvent(message: StoredMessage): StoredEvent | undefined {
  const event = eventSchema.safeParse(readJson(message)).data;
  return (
    event && {
      id: event.id,
      payload: event.payload,
      sentAt: message.time.toISOString(),
      sequence: message.seq,
    }
  );
}
