/**
 * Debouncing: of the tasks of one key that are enqueued in quick succession the last one runs, once no other has come for a while.
 *
 * The task that waits is a delayed task, and an entry in the bucket of locks names it. The next call replaces its message, unless the broker has
 * handed it over meanwhile: then a new task begins to wait. Both decisions are compare-and-sets, so of calls at the same time one is the last.
 */
import { z } from 'zod';
import { KeyValue, type StoredValue } from '../broker/key-value.js';
import { isConflict } from '../broker/server-errors.js';
import { storedSequence } from '../broker/stored-message.js';
import { JobsError, PublishError } from '../errors.js';
import {
  composeTask,
  type ComposedMessage,
  type DebounceOptions,
  type EnqueueOptions,
  type TaskTarget,
} from '../message/compose-task.js';
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
/** An entry that is still in use is stored again when it is as old as this, and outlives its task. In milliseconds. */
const RENEW_AFTER_MS = 600_000;
/** Other ways to choose the task or its time. */
const EXCLUDED = ['unique', 'uniqueKey', 'uniqueForMs', 'delayMs', 'eta'] as const;

type Publish = (message: ComposedMessage, target: TaskTarget) => Promise<Enqueued>;

export class Debouncer {
  private readonly bursts: KeyValue;

  constructor(
    private readonly resources: Pick<
      Resources,
      'names' | 'publisher' | 'streams' | 'producerTime' | 'topology'
    >,
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
      const now = await this.resources.producerTime.now();
      const stored = await this.bursts.get(token);
      const burst = stored && burstSchema.safeParse(readJson(stored.message)).data;
      if (burst !== undefined) {
        const latest = burst.first_at + maxMs;
        const startAt = new Date(Math.min(now.getTime() + quietMs, latest));
        const replaced = await this.replace(burst, { target, payload, options, startAt, now });
        if (replaced === 'conflict') continue;
        if (replaced !== undefined) {
          await this.keep(token, stored, now, ttlMs);
          return replaced;
        }
      }
      const next: Burst = { id: newId(), first_at: now.getTime() };
      const isFirst = await this.bursts.put(token, JSON.stringify(next), {
        expected: stored?.sequence ?? 0,
        ttlMs,
      });
      if (isFirst === undefined) continue;
      const startAt = new Date(now.getTime() + Math.min(quietMs, maxMs));
      const { names } = this.resources.topology;
      const first = { ...options, id: next.id, eta: startAt };
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
    stored: StoredValue | undefined,
    now: Date,
    ttlMs: number,
  ): Promise<void> {
    if (stored === undefined) return;
    const { message, sequence } = stored;
    const storedAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
    if (now.getTime() - storedAt > RENEW_AFTER_MS)
      await this.bursts.put(token, message.data, { expected: sequence, ttlMs });
  }

  /** `undefined`: the task waits no longer. */
  private async replace(
    { id }: Burst,
    {
      target,
      payload,
      options,
      startAt,
      now,
    }: { target: TaskTarget; payload: unknown; options: EnqueueOptions; startAt: Date; now: Date },
  ): Promise<Enqueued | 'conflict' | undefined> {
    const { streams, topology } = this.resources;
    const { names } = topology;
    const message = composeTask(
      names,
      target,
      payload,
      { ...options, id, eta: startAt },
      { now, fresh: true },
    );
    if (!message.isDelayed) return undefined;
    const stream = names.queueStream(
      carrierOf({ queue: target.queue, shard: names.shardFor(target.queue, id) }),
    );
    const waiting = await streams.get(stream, { last_by_subj: message.subject });
    if (waiting === undefined) return undefined;
    const sequence = storedSequence(waiting);
    message.headers.set(ServerHeader.MsgId, `${id}.debounced-${sequence}`);
    message.headers.set(ServerHeader.ExpectedLastSubjectSequence, String(sequence));
    try {
      await this.publish(message, target);
    } catch (error) {
      if (isConflict(error instanceof PublishError ? error : undefined)) return 'conflict';
      throw error;
    }
    return { id, duplicate: true };
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
