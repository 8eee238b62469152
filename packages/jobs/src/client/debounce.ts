/**
 * Debouncing: of the tasks of one key that are enqueued in quick succession the last one runs, once no other has come for a while.
 *
 * The task that waits is a delayed task, and an entry in the bucket of locks names it. The next call replaces its message, unless the broker has
 * handed it over meanwhile: then a new task begins to wait. Both decisions are compare-and-sets, so of calls at the same time one is the last.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { KeyValue, type StoredValue } from '../broker/key-value.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence } from '../broker/stored-message.js';
import { JobsError } from '../errors.js';
import {
  composeTask,
  type ComposedMessage,
  type EnqueueOptions,
  type TaskTarget,
} from '../message/compose-task.js';
import type { DebounceOptions } from '../task/contract-debounce.js';
import type { Enqueued } from '../message/enqueued.js';
import { uniqueToken } from '../record/unique-locks.js';
import type { Resources } from '../resources/resources.js';
import { debounceQuiet, duration } from '../values/bounds.js';
import { newId } from '../values/new-id.js';
import { readJson } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import { carrierOf } from '../wire/shards.js';

const burstSchema = z.object({
  /** Of the task that waits. */
  id: z.string(),
  /** When the first of its calls came, in milliseconds since 1970. */
  first_at: z.number(),
});
type Burst = z.infer<typeof burstSchema>;

const MAX_KEY = 1_000;
const TRIES = 30;
const LEAST_PAUSE_MS = 25;
/** A task is stored after the entry that names it. Until then it is not there, and cannot have been handed over: that takes longer. */
const STORED_WITHIN_MS = 500;
/** An entry that is still in use is stored again when it is as old as this, and outlives its task. In milliseconds. */
const RENEW_AFTER_MS = 600_000;
/** Other ways to choose the task or its time. */
const EXCLUDED = ['unique', 'uniqueKey', 'uniqueForMs', 'delayMs', 'eta'] as const;

type Publish = (message: ComposedMessage, target: TaskTarget) => Promise<Enqueued>;

export class Debouncer {
  private readonly bursts: KeyValue;

  constructor(
    private readonly resources: Pick<Resources, 'names' | 'publisher' | 'streams' | 'producerTime'>,
    private readonly publish: Publish,
  ) {
    const { publisher, streams, names } = resources;
    this.bursts = new KeyValue({
      publisher,
      streams,
      stream: names.lockStream,
      subjectOf: (key) => names.debounceKey(key),
    });
  }

  /** Resolves with the task that waits; `duplicate`: it waited already, and runs with this payload. */
  async enqueue(
    target: TaskTarget,
    payload: unknown,
    { debounce, ...options }: EnqueueOptions & { debounce: DebounceOptions },
  ): Promise<Enqueued> {
    const { quietMs, maxMs, token } = checked(target, debounce, options);
    const ttlMs = quietMs + 2 * RENEW_AFTER_MS;
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 0) await delay(LEAST_PAUSE_MS * (1 + Math.random()));
      const now = await this.resources.producerTime.now();
      const stored = await this.bursts.get(token);
      const burst = stored && burstSchema.safeParse(readJson(stored.message)).data;
      if (stored !== undefined && burst !== undefined) {
        const eta = new Date(Math.min(now.getTime() + quietMs, burst.first_at + maxMs));
        const again = { ...options, id: burst.id, eta };
        const message = composeTask(this.resources.names, target, payload, again, { now, fresh: true });
        const outcome = await this.replace(message, target);
        const isOnItsWay = outcome === 'not waiting' && now.getTime() - burst.first_at < STORED_WITHIN_MS;
        if (outcome === 'conflict' || isOnItsWay) continue;
        if (outcome === 'replaced') {
          await this.keep(token, stored, now, ttlMs);
          return { id: burst.id, duplicate: true };
        }
      }
      const next: Burst = { id: newId(), first_at: now.getTime() };
      const isFirst = await this.bursts.put(token, JSON.stringify(next), {
        expected: stored?.sequence ?? 0,
        ttlMs,
      });
      if (isFirst === undefined) continue;
      const first = { ...options, id: next.id, eta: new Date(now.getTime() + quietMs) };
      const { names } = this.resources;
      return this.publish(composeTask(names, target, payload, first, { now, fresh: true }), target);
    }
    throw new JobsError(
      'publish_conflict',
      `Task "${target.task}" was debounced by others ${TRIES} times; try again.`,
    );
  }

  /** Of a burst that goes on for long. If somebody else has stored it meanwhile, it is kept as well. */
  private async keep(
    token: string,
    { message, sequence }: StoredValue,
    now: Date,
    ttlMs: number,
  ): Promise<void> {
    const storedAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
    if (now.getTime() - storedAt > RENEW_AFTER_MS)
      await this.bursts.put(token, message.data, { expected: sequence, ttlMs });
  }

  /** Stores the message in place of the one that waits. */
  private async replace(
    message: ComposedMessage,
    target: TaskTarget,
  ): Promise<'replaced' | 'conflict' | 'not waiting'> {
    if (!message.isDelayed) return 'not waiting';
    const { streams, names } = this.resources;
    const { id, subject, headers } = message;
    const stream = names.queueStream(
      carrierOf({ queue: target.queue, shard: names.shardFor(target.queue, id) }),
    );
    const waiting = await streams.get(stream, { last_by_subj: subject });
    if (waiting === undefined) return 'not waiting';
    const sequence = storedSequence(waiting);
    headers.set(ServerHeader.MsgId, `${id}.debounced-${sequence}`);
    headers.set(ServerHeader.ExpectedLastSubjectSequence, String(sequence));
    try {
      await this.publish(message, target);
      return 'replaced';
    } catch (error) {
      if (isConflict(error)) return 'conflict';
      throw error;
    }
  }
}

/** @throws JobsError `invalid_options` that names the option */
function checked(
  { task, tenant: own }: TaskTarget,
  { key, quietMs, maxMs }: DebounceOptions,
  options: EnqueueOptions,
): { quietMs: number; maxMs: number; token: string } {
  const excluded = EXCLUDED.find((name) => options[name] !== undefined);
  if (excluded !== undefined)
    throw new JobsError('invalid_options', `debounce cannot be combined with ${excluded}.`, {
      details: { field: excluded },
    });
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY)
    throw new JobsError('invalid_options', `debounce.key must be a text of 1 to ${MAX_KEY} characters.`, {
      details: { field: 'debounce.key' },
    });
  const quiet = debounceQuiet.require('debounce.quietMs', quietMs);
  const longest =
    maxMs === undefined ? undefined : duration.within({ min: quiet }).require('debounce.maxMs', maxMs);
  // Tasks of two tenants never replace each other.
  const tenant = options.tenant ?? own ?? '';
  return { quietMs: quiet, maxMs: longest ?? Infinity, token: uniqueToken(task, `${tenant}/${key}`) };
}
