/**
 * Unique keys: per task name and key at most one task is queued or running, regardless of lane, delay and retries. A key-value bucket
 * holds the holder's id. A key is free if its holder has ended or was never enqueued, so no crash leaves it locked.
 */
import { createHash } from 'node:crypto';
import { headers as newHeaders } from '@nats-io/nats-core';
import { z } from 'zod';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { JobsError } from '../errors.js';
import { storedSequence, type StreamAccess } from '../broker/stream-access.js';
import { isConflict } from '../broker/server-errors.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';

const lockSchema = z.object({ id: z.string(), until: z.number().nullable() });

/** Time limit between acquiring the key and enqueueing the task. */
const ENQUEUE_GRACE_MS = 70_000;
const FREE_MARKER_TTL = '60s';
const ATTEMPTS = 10;

export interface LockRequest {
  key: string;
  id: string;
  /** End of the lock, in milliseconds since 1970. `undefined`: when the task ends. */
  until: number | undefined;
}

export class UniqueLocks {
  constructor(
    private readonly streams: StreamAccess,
    private readonly names: Names,
    private readonly publisher: AckMultiplexer,
  ) {}

  /** Returns the id of the task that holds the key afterwards: this one, or an earlier one. */
  async take(
    request: LockRequest,
    statusOf: (id: string) => Promise<TaskRecord | undefined>,
  ): Promise<string> {
    let expected = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.write(request, expected)) return request.id;
      const held = await this.read(request.key);
      if (held?.id === request.id) return request.id;
      if (held !== undefined && (await this.isHeld(held, statusOf))) return held.id;
      expected = held?.sequence ?? (await this.lastSequence(request.key));
    }
    throw new JobsError('publish_conflict', `The unique key is being fought over; try again.`);
  }

  /** Releases the key if the task still holds it. */
  async release(key: string, id: string): Promise<void> {
    const held = await this.read(key);
    if (held?.id !== id) return;
    const headers = newHeaders();
    headers.set('KV-Operation', 'DEL');
    headers.set(ServerHeader.Ttl, FREE_MARKER_TTL);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(held.sequence));
    try {
      await this.publisher.publish(this.names.lockKey(key), '', { headers });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }

  private async write({ key, id, until }: LockRequest, expected: number): Promise<boolean> {
    const headers = newHeaders();
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(expected));
    if (until !== undefined) {
      headers.set(ServerHeader.Ttl, `${Math.max(1, Math.ceil((until - Date.now()) / 1000))}s`);
    }
    try {
      const body = JSON.stringify({ id, until: until ?? null });
      await this.publisher.publish(this.names.lockKey(key), body, { headers });
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  private async read(
    key: string,
  ): Promise<{ id: string; until: number | null; sequence: number; takenAt: number } | undefined> {
    const message = await this.streams.get(this.names.lockStream, { last_by_subj: this.names.lockKey(key) });
    if (message === undefined || message.data.length === 0) return undefined;
    const lock = lockSchema.parse(message.json());
    const takenAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
    return { ...lock, sequence: storedSequence(message), takenAt };
  }

  /** Sequence of the marker that a release leaves, so that the next holder can replace it. */
  private async lastSequence(key: string): Promise<number> {
    const message = await this.streams.get(this.names.lockStream, { last_by_subj: this.names.lockKey(key) });
    return message === undefined ? 0 : storedSequence(message);
  }

  private async isHeld(
    { id, until, takenAt }: { id: string; until: number | null; takenAt: number },
    statusOf: (id: string) => Promise<TaskRecord | undefined>,
  ): Promise<boolean> {
    if (until !== null) return until > Date.now();
    const status = await statusOf(id);
    if (status === undefined) return Date.now() - takenAt < ENQUEUE_GRACE_MS;
    return !isFinal(status.state);
  }
}

/** Encodes the task's name and any text as one token of a subject. */
export function uniqueToken(task: string, key: string): string {
  return `${task}.${createHash('sha256').update(key).digest('base64url')}`;
}
