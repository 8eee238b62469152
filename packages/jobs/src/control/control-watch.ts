/** Follows the control bucket, so that a worker knows what was revoked and limited without asking for each task. */
import { DeliverPolicy, jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from 'pino';
import { setTimeout as delay } from 'node:timers/promises';
import type { Names } from '../wire/names.js';
import {
  filterRevocationSchema,
  heartBeatSchema,
  OFFLINE_AFTER_MS,
  rateLimitSchema,
  taskRevocationSchema,
  workflowRevocationSchema,
  type RateLimit,
  type TaskFilter,
} from './entries.js';

export interface RevocableTask {
  id: string;
  queue: string;
  task: string;
  tenant: string | undefined;
  /** RFC 3339. */
  enqueuedAt: string;
  workflow: string | undefined;
}

interface Revocation {
  matches: (task: RevocableTask) => boolean;
  terminate: boolean;
}

const RETRY_MS = 500;
/** Clocks of producers and broker may differ by so much. */
const CLOCK_SKEW_MS = 1_000;

export class ControlWatch {
  private readonly byId = new Map<string, Revocation>();
  private readonly byWorkflow = new Map<string, Revocation>();
  private readonly byFilter = new Map<string, Revocation>();
  private readonly rates = new Map<string, RateLimit>();
  private readonly peers = new Map<string, { queues: readonly string[]; seenAt: number }>();
  private messages: ConsumerMessages | undefined;
  private stopped = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly names: Names,
    private readonly logger: Logger,
    /** Something was revoked: look through what is running. */
    private readonly onRevoke: () => void,
  ) {}

  /** Resolves once everything that stood in the bucket is known. Goes on trying while the broker is away. */
  async start(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.follow();
        return;
      } catch (error) {
        this.logger.warn({ err: error }, 'the control bucket cannot be followed, trying again');
        await delay(RETRY_MS);
      }
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.messages?.close();
  }

  /** `undefined` when it is not revoked. */
  revocationOf(task: RevocableTask): { terminate: boolean } | undefined {
    if (this.byId.size === 0 && this.byFilter.size === 0 && this.byWorkflow.size === 0) return undefined;
    const own = this.byId.get(task.id);
    if (own?.matches(task)) return own;
    if (task.workflow !== undefined && this.byWorkflow.has(task.workflow))
      return this.byWorkflow.get(task.workflow);
    for (const revocation of this.byFilter.values()) if (revocation.matches(task)) return revocation;
    return undefined;
  }

  rateLimitOf(task: string): RateLimit | undefined {
    return this.rates.get(task);
  }

  /** Workers that serve a queue, this one included. */
  workersOf(queue: string): number {
    const since = Date.now() - OFFLINE_AFTER_MS;
    let count = 0;
    for (const peer of this.peers.values()) if (peer.seenAt >= since && peer.queues.includes(queue)) count++;
    return Math.max(1, count);
  }

  private async follow(): Promise<void> {
    const consumer = await jetstream(this.connection).consumers.get(this.names.controlStream, {
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subjects: [this.names.controlKeyFilter],
    });
    let pending = (await consumer.info()).num_pending;
    await new Promise<void>((resolve, reject) => {
      consumer
        .consume({
          callback: (message) => {
            this.apply(message);
            if (--pending === 0) resolve();
          },
        })
        .then((messages) => {
          this.messages = messages;
          return pending === 0 ? resolve() : undefined;
        })
        .catch(reject);
    });
  }

  private apply(message: JsMsg): void {
    const key = message.subject.slice(this.names.controlKey('').length);
    const removed = message.data.length === 0;
    const [kind, scope] = key.split('.');
    if (kind === 'revoke' && scope === 'workflow') this.applyWorkflow(key, removed, message);
    else if (kind === 'revoke') this.applyRevocation(key, scope === 'id', removed, message);
    else if (kind === 'rate') this.applyRate(key, removed, message);
    else if (kind === 'worker') this.applyPeer(key, removed, message);
  }

  private applyRevocation(key: string, single: boolean, removed: boolean, message: JsMsg): void {
    const before = message.time.getTime() + CLOCK_SKEW_MS;
    const enqueuedBefore = (task: RevocableTask): boolean => Date.parse(task.enqueuedAt) <= before;
    if (single) {
      const entry = removed ? undefined : taskRevocationSchema.safeParse(message.json()).data;
      const id = key.slice('revoke.id.'.length);
      if (entry === undefined) this.byId.delete(id);
      else this.byId.set(id, { terminate: entry.terminate, matches: enqueuedBefore });
    } else {
      const entry = removed ? undefined : filterRevocationSchema.safeParse(message.json()).data;
      if (entry === undefined) {
        this.byFilter.delete(key);
      } else {
        const { terminate, ...filter } = entry;
        const matches = (task: RevocableTask): boolean => matchesFilter(filter, task) && enqueuedBefore(task);
        this.byFilter.set(key, { terminate, matches });
      }
    }
    if (!removed) this.onRevoke();
  }

  /** Whenever its tasks were enqueued: a cancelled workflow never goes on. */
  private applyWorkflow(key: string, removed: boolean, message: JsMsg): void {
    const entry = removed ? undefined : workflowRevocationSchema.safeParse(message.json()).data;
    const id = key.slice('revoke.workflow.'.length);
    if (entry === undefined) this.byWorkflow.delete(id);
    else this.byWorkflow.set(id, { terminate: entry.terminate, matches: () => true });
    if (!removed) this.onRevoke();
  }

  private applyRate(key: string, removed: boolean, message: JsMsg): void {
    const entry = removed ? undefined : rateLimitSchema.safeParse(message.json()).data;
    if (entry === undefined) this.rates.delete(key.slice('rate.'.length));
    else this.rates.set(entry.task, entry);
  }

  private applyPeer(key: string, removed: boolean, message: JsMsg): void {
    const entry = removed ? undefined : heartBeatSchema.safeParse(message.json()).data;
    const name = key.slice('worker.'.length);
    if (entry === undefined || entry.state === 'draining') this.peers.delete(name);
    else this.peers.set(name, { queues: entry.queues, seenAt: message.time.getTime() });
  }
}

export function matchesFilter(
  filter: TaskFilter,
  task: { queue: string; task: string; tenant: string | undefined },
): boolean {
  return (
    (filter.queue === undefined || filter.queue === task.queue) &&
    (filter.task === undefined || filter.task === task.task) &&
    (filter.tenant === undefined || filter.tenant === task.tenant)
  );
}
