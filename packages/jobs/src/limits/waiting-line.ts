/**
 * The tasks that wait at the gate of a key, in the order in which they came: one entry for each in the bucket of locks. The tasks themselves wait
 * in their queue as delayed ones.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import { readBatch } from '../broker/batch.js';
import { KeyValue } from '../broker/key-value.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readJson } from '../values/read-json.js';
import type { Names } from '../wire/names.js';

const placeSchema = z.object({
  /** Subject of the task. */
  subject: z.string(),
  /**
   * When the message was stored with which it came, in milliseconds since 1970, and its place in the stream: two workers that take tasks at once may
   * write in another order.
   */
  stored_at: z.number(),
  sequence: z.number(),
});

/** A task that waits. */
export interface WaitingTask {
  /** `<tenant>.<id>`. */
  readonly task: string;
  readonly subject: string;
  readonly storedAt: number;
  readonly sequence: number;
}

export interface WaitingLineParts {
  connection: NatsConnection;
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
}

/** A place is kept for as long as a task can wait at the broker between two looks, and far longer. In milliseconds. */
const KEPT_MS = 30 * 86_400_000;
/** A removed place leaves a marker for a second. */
const MARKER_MS = 1_000;
const BATCH = 64;
const BATCH_BYTES = 256 * 1024;

export class WaitingLine {
  private readonly places: KeyValue;

  constructor(private readonly parts: WaitingLineParts) {
    const { publisher, streams, names } = parts;
    this.places = new KeyValue({ publisher, streams, stream: names.lockStream });
  }

  /** Takes a place at the end; `false` if the task has one. */
  async enter(gate: string, { task, subject, storedAt, sequence }: WaitingTask): Promise<boolean> {
    const written = await this.places.change(this.keyOf(gate, task), (stored) =>
      stored !== undefined && stored.message.data.length > 0
        ? undefined
        : { body: JSON.stringify({ subject, stored_at: storedAt, sequence }), ttlMs: KEPT_MS },
    );
    return written !== undefined;
  }

  async leave(gate: string, task: string): Promise<void> {
    await this.places.delete(this.keyOf(gate, task), { ttlMs: MARKER_MS });
  }

  /** Those who wait, the first one first. */
  async *inOrder(gate: string): AsyncGenerator<WaitingTask> {
    const { connection, names } = this.parts;
    const prefix = this.keyOf(gate, '');
    for (let seq = 1; ;) {
      const query = { seq, next_by_subj: `${prefix}*.*`, batch: BATCH, max_bytes: BATCH_BYTES };
      const batch = await readBatch(connection, names.lockStream, query);
      const waiting = batch.flatMap((message): WaitingTask[] => {
        const place = message.data.length === 0 ? undefined : placeSchema.safeParse(readJson(message)).data;
        if (place === undefined) return [];
        const { stored_at: storedAt, ...own } = place;
        return [{ task: message.subject.slice(prefix.length), storedAt, ...own }];
      });
      yield* waiting.toSorted((a, b) => a.storedAt - b.storedAt || a.sequence - b.sequence);
      const last = batch.at(-1);
      if (last === undefined || last.pending <= 0) return;
      seq = last.seq + 1;
    }
  }

  private keyOf(gate: string, task: string): string {
    return this.parts.names.gateWaitKey(gate, task);
  }
}
