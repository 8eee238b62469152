/**
 * Unique keys: per task name and key at most one task is queued or running, regardless of lane, delay and retries. A key-value bucket
 * holds the holder's id. A key is free if its holder has ended, so no crash leaves it locked.
 *
 * A holder that nobody has enqueued yet may be about to be, or its producer has died. Whoever asks for the key meanwhile enqueues its own
 * task under the holder's id: the message id makes one task of both.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue, type StoredValue } from '../broker/key-value.js';
import type { ProducerTime } from '../broker/producer-time.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readJson } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';
import type { TaskIdentity } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';

const lockSchema = z.object({
  id: z.string(),
  /** The holder's tenant; absent in what older versions have written. */
  tenant: z.string().nullable().optional(),
  until: z.number().nullable(),
  /** A lock for a period, before its task is known to be enqueued. */
  pending: z.boolean().optional(),
  /** The holder is a dead letter that is being replayed: when its ended life was enqueued; `null` when that is not known any more. */
  ended_life: z.string().nullable().optional(),
});

/** Time limit between acquiring the key and enqueueing the task: within the two minutes in which a message id is stored once. */
const ENQUEUE_GRACE_MS = 110_000;
const FREE_MARKER_TTL_MS = 60_000;
/** Longer than a replay takes to publish its task. */
const REPLAY_GRACE_MS = 20_000;
const LOOK_AGAIN_MS = 50;

export interface LockRequest {
  key: string;
  /** The task that is to hold it. */
  holder: TaskIdentity;
  /** End of the lock by the broker's time, in milliseconds since 1970. `undefined`: when the task ends. */
  until: number | undefined;
  /** A dead letter of this task is replayed: `enqueued_at` of its record, `null` without one. */
  endedLife?: string | null;
}

/**
 * `own`: this task holds the key. `held`: another one does, and exists. `unborn`: another one does, and nobody has enqueued it; enqueue
 * under its id.
 */
export interface LockHolder {
  state: 'own' | 'held' | 'unborn';
  id: string;
}

/** @param tenant `undefined`: any */
type StatusOf = (task: TaskIdentity, tenant: string | null | undefined) => Promise<TaskRecord | undefined>;
type HeldLock = z.infer<typeof lockSchema> & { sequence: number; takenAt: number };
type LockState = 'free' | 'held' | 'unborn' | 'replaying';

export class UniqueLocks {
  private readonly locks: KeyValue;

  constructor(
    streams: StreamAccess,
    names: Names,
    publisher: AckMultiplexer,
    private readonly time: ProducerTime,
  ) {
    this.locks = new KeyValue({
      publisher,
      streams,
      stream: names.lockStream,
      subjectOf: (key) => names.lockKey(key),
    });
  }

  /** Takes the key if it is free, and returns who holds it afterwards. Waits while a dead letter that holds it is being replayed. */
  async take(request: LockRequest, statusOf: StatusOf): Promise<LockHolder> {
    const { key, until } = request;
    const { id } = request.holder;
    // Most keys are free, and then nothing has to be read.
    const first = await this.locks.put(key, bodyOf(request), { expected: 0, ttlMs: await this.ttlOf(until) });
    if (first !== undefined) return { state: 'own', id };
    const startedAt = performance.now();
    for (;;) {
      const isPatient = performance.now() - startedAt < REPLAY_GRACE_MS;
      const holder = await this.tryTake(request, statusOf, isPatient);
      if (holder !== undefined) return holder;
      await delay(LOOK_AGAIN_MS);
    }
  }

  /** The task of a lock for a period has been enqueued: from now on the lock counts without it. */
  async confirm(key: string, id: string): Promise<void> {
    await this.locks.change(key, async (stored) => {
      const held = stored && toLock(stored);
      if (held?.id !== id || held.pending !== true || held.until === null) return undefined;
      const { tenant } = held;
      return { body: JSON.stringify({ id, tenant, until: held.until }), ttlMs: await this.ttlOf(held.until) };
    });
  }

  /** Releases the key if the task still holds it. */
  async release(key: string, { id, tenant }: Pick<TaskIdentity, 'id' | 'tenant'>): Promise<void> {
    const stored = await this.locks.get(key);
    const held = stored && toLock(stored);
    if (held?.id !== id || (held.tenant !== undefined && held.tenant !== (tenant ?? null))) return;
    await this.locks.delete(key, { expected: held.sequence, ttlMs: FREE_MARKER_TTL_MS });
  }

  /** The compare-and-set is against the very value that was judged. `undefined`: ask again. */
  private async tryTake(
    request: LockRequest,
    statusOf: StatusOf,
    isPatient: boolean,
  ): Promise<LockHolder | undefined> {
    const { key, until } = request;
    const { id } = request.holder;
    let holder: LockHolder | undefined;
    await this.locks.change(key, async (stored) => {
      const held = stored && toLock(stored);
      const state = held === undefined ? 'free' : await this.stateOf(held, request.holder, statusOf);
      if (held === undefined || state === 'free' || (state === 'replaying' && !isPatient)) {
        holder = { state: 'own', id };
        return { body: bodyOf(request), ttlMs: await this.ttlOf(until) };
      }
      if (held.id === id) holder = { state: 'own', id };
      else holder = state === 'replaying' ? undefined : { state, id: held.id };
      return undefined;
    });
    return holder;
  }

  private async stateOf(held: HeldLock, asking: TaskIdentity, statusOf: StatusOf): Promise<LockState> {
    const { id, until, pending, ended_life: endedLife, takenAt } = held;
    const now = (await this.time.now()).getTime();
    if (until !== null && until <= now) return 'free';
    if (until !== null && pending !== true && endedLife === undefined) return 'held';
    // The key belongs to one kind of task, so the holder is of the kind that asks.
    const status = await statusOf({ ...asking, id }, held.tenant);
    if (endedLife !== undefined && (status?.enqueued_at ?? null) === endedLife) return 'replaying';
    if (status === undefined) return now - takenAt < ENQUEUE_GRACE_MS ? 'unborn' : 'free';
    return until !== null || !isFinal(status.state) ? 'held' : 'free';
  }

  private async ttlOf(until: number | undefined): Promise<number | undefined> {
    return until === undefined ? undefined : until - (await this.time.now()).getTime();
  }
}

function bodyOf({ holder, until, endedLife }: LockRequest): string {
  const { id, tenant = null } = holder;
  const pending = until === undefined ? undefined : true;
  return JSON.stringify({ id, tenant, until: until ?? null, pending, ended_life: endedLife });
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
