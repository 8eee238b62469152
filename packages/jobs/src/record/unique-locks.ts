/**
 * Unique keys: per task name and key at most one task is queued or running, regardless of lane, delay and retries. A key-value bucket
 * holds the holder's id. A key is free if its holder has ended or was never enqueued, so no crash leaves it locked.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue, type StoredValue } from '../broker/key-value.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readJson } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';

const lockSchema = z.object({ id: z.string(), until: z.number().nullable() });

/** Time limit between acquiring the key and enqueueing the task. */
const ENQUEUE_GRACE_MS = 70_000;
const FREE_MARKER_TTL_MS = 60_000;

export interface LockRequest {
  key: string;
  id: string;
  /** End of the lock, in milliseconds since 1970. `undefined`: when the task ends. */
  until: number | undefined;
}

type HeldLock = z.infer<typeof lockSchema> & { sequence: number; takenAt: number };

export class UniqueLocks {
  private readonly locks: KeyValue;

  constructor(streams: StreamAccess, names: Names, publisher: AckMultiplexer) {
    this.locks = new KeyValue({
      publisher,
      streams,
      stream: names.lockStream,
      subjectOf: (key) => names.lockKey(key),
    });
  }

  /** Returns the id of the task that holds the key afterwards: this one, or an earlier one. */
  async take(
    { key, id, until }: LockRequest,
    statusOf: (id: string) => Promise<TaskRecord | undefined>,
  ): Promise<string> {
    const body = JSON.stringify({ id, until: until ?? null });
    const ttlMs = until === undefined ? undefined : until - Date.now();
    // Most keys are free, and then nothing has to be read.
    if ((await this.locks.put(key, body, { expected: 0, ttlMs })) !== undefined) return id;
    let holder = id;
    await this.locks.change(key, async (stored) => {
      const held = stored && toLock(stored);
      holder = held !== undefined && (await this.isHeld(held, statusOf)) ? held.id : id;
      return held?.id === id || holder !== id ? undefined : { body, ttlMs };
    });
    return holder;
  }

  /** Releases the key if the task still holds it. */
  async release(key: string, id: string): Promise<void> {
    const stored = await this.locks.get(key);
    const held = stored && toLock(stored);
    if (held?.id !== id) return;
    await this.locks.delete(key, { expected: held.sequence, ttlMs: FREE_MARKER_TTL_MS });
  }

  private async isHeld(
    { id, until, takenAt }: HeldLock,
    statusOf: (id: string) => Promise<TaskRecord | undefined>,
  ): Promise<boolean> {
    if (until !== null) return until > Date.now();
    const status = await statusOf(id);
    if (status === undefined) return Date.now() - takenAt < ENQUEUE_GRACE_MS;
    return !isFinal(status.state);
  }
}

/** `undefined` for the marker that a release leaves, and for what nobody can read: the key is free. */
function toLock({ message, sequence }: StoredValue): HeldLock | undefined {
  const takenAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
  const lock = lockSchema.safeParse(readJson(message)).data;
  return lock && { ...lock, sequence, takenAt };
}

/** Encodes the task's name and any text as one token of a subject. */
export function uniqueToken(task: string, key: string): string {
  return `${task}.${createHash('sha256').update(key).digest('base64url')}`;
}
