/** Watches the control bucket, so that a worker knows revocations and limits without a lookup per task. */
import { DeliverPolicy, jetstream, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../telemetry/logger.js';
import { setTimeout as delay } from 'node:timers/promises';
import { readJson } from '../values/read-json.js';
import type { Names } from '../wire/names.js';
import { heartBeatEntry, OFFLINE_AFTER_MS, readRateLimit, type RateLimit } from './entries.js';
import { Revocations, type RevocableTask } from './revocations.js';

const RETRY_MS = 500;

export class ControlWatch {
  private readonly revocations = new Revocations();
  private readonly rates = new Map<string, RateLimit>();
  private readonly peers = new Map<string, { queues: readonly string[]; seenAt: number }>();
  private messages: ConsumerMessages | undefined;
  private stopped = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly names: Names,
    private readonly logger: Logger,
    /** Called after a revocation: the worker checks its running tasks. */
    private readonly onRevoke: () => void,
  ) {}

  /** Resolves once the whole bucket has been read. Retries while the broker is unreachable. */
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
    return this.revocations.of(task);
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
    const [kind] = key.split('.');
    if (kind === 'revoke') {
      this.revocations.apply(key, message);
      if (!removed) this.onRevoke();
    } else if (kind === 'rate') this.applyRate(key, removed, message);
    else if (kind === 'worker') this.applyPeer(key, removed, message);
  }

  private applyRate(key: string, removed: boolean, message: JsMsg): void {
    const entry = removed ? undefined : readRateLimit(readJson(message));
    if (entry === undefined) this.rates.delete(key.slice('rate.'.length));
    else this.rates.set(entry.task, entry);
  }

  private applyPeer(key: string, removed: boolean, message: JsMsg): void {
    const entry = removed ? undefined : heartBeatEntry.read(readJson(message));
    const name = key.slice('worker.'.length);
    if (entry === undefined || entry.state === 'draining') this.peers.delete(name);
    else this.peers.set(name, { queues: entry.queues, seenAt: message.time.getTime() });
    // A killed worker sends no farewell.
    const since = Date.now() - OFFLINE_AFTER_MS;
    for (const [peer, { seenAt }] of this.peers) if (seenAt < since) this.peers.delete(peer);
  }
}
