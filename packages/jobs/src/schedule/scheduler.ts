/**
 * Enqueues scheduled tasks. Several schedulers may run: one leads, the others wait and take over within seconds.
 *
 *     lead: read the bucket → declare the code's entries → { run due ticks → check open runs → wait } …
 *
 * A tick is published before it is recorded. If a leader dies in between, the next one publishes the tick again under the same task id,
 * which is still one task.
 */
import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/nats-core';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import { setTimeout as delay } from 'node:timers/promises';
import { Lifetime } from '../broker/lifetime.js';
import { createProducer } from '../client/client.js';
import { Resources } from '../resources/resources.js';
import type { ClosedTenants } from '../task/closed-tenants.js';
import type { TaskContract } from '../task/define-task.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import type { Topology } from '../topology/define.js';
import { Beat } from './beat.js';
import { ScheduleBook } from './book.js';
import { ScheduleBucket } from './bucket.js';
import { BrokerTime } from './broker-time.js';
import type { ScheduleClock } from './clock.js';
import { declareEntries } from './declare.js';
import type { ScheduleEntryOptions } from './entry.js';
import { KeptPlaces } from './kept-places.js';
import { Leadership, type Lease } from './leadership.js';
import { rewindEntries } from './rewind.js';
import { TickRunner } from './tick-runner.js';

export interface SchedulerOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Contracts of the tasks that may be scheduled. */
  contracts: readonly TaskContract[];
  /** Entries of the code. Entries that an earlier version declared and this one does not are removed. */
  entries?: readonly ScheduleEntryOptions[];
  /** One token that identifies this scheduler. Default: derived from host name and process id. */
  name?: string;
  /** Default: the broker's time. */
  clock?: ScheduleClock;
  /** Tenants that do nothing any more: the ticks of their entries pass without a run. Default: none. */
  closedTenants?: ClosedTenants;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  metrics?: MetricsRecorder;
}

export interface Scheduler {
  readonly name: string;
  readonly leading: boolean;
  /** Idempotent. */
  start(): void;
  /** Lets the next scheduler lead at once. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when it has stopped: by `stop`, or by itself because its connection is closed for good. */
  readonly closed: Promise<void>;
}

/** Pause in milliseconds before leadership is requested again after a failure. */
const AGAIN_MS = 1_000;
/** Timeout in milliseconds for storing a tick. It is retried later under the same id. */
const PUBLISH_WITHIN_MS = 10_000;

/** @throws JobsError `invalid_options` for an entry that is not valid, `unknown_task` for one whose task has no contract */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new BeatScheduler(options);
}

class BeatScheduler implements Scheduler {
  readonly name: string;
  private readonly logger: Logger;
  private readonly clock: ScheduleClock;
  private readonly brokerTime: BrokerTime;
  private readonly resources: Resources;
  private readonly bucket: ScheduleBucket;
  private readonly leadership: Leadership;
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private readonly life: Lifetime;
  private lease: Lease | undefined;
  private rewound = false;

  constructor(private readonly options: SchedulerOptions) {
    const { connection, topology } = options;
    this.name =
      options.name ??
      `${hostname()
        .replaceAll(/[^A-Za-z0-9_-]/g, '-')
        .slice(0, 40)}-${process.pid}-${randomBytes(3).toString('hex')}`;
    this.logger = guardedLogger(options.logger).child({ part: 'scheduler' });
    this.life = new Lifetime(connection, this.logger);
    this.resources = new Resources({
      connection,
      topology,
      publishing: { deadlineMs: PUBLISH_WITHIN_MS },
      metrics: options.metrics,
      contracts: options.contracts,
      logger: this.logger,
    });
    this.brokerTime = new BrokerTime(this.resources.clock, this.logger);
    this.clock = options.clock ?? this.brokerTime;
    this.bucket = new ScheduleBucket(this.resources);
    this.leadership = new Leadership(this.bucket, this.name, this.logger, this.clock, this.brokerTime);
  }

  get leading(): boolean {
    return this.lease?.isHeld() ?? false;
  }

  get closed(): Promise<void> {
    return this.life.ended;
  }

  start(): void {
    this.running ??= this.run();
    this.life.begin(() => this.stop());
  }

  stop(): Promise<void> {
    return this.life.end(() => this.shutDown());
  }

  private async shutDown(): Promise<void> {
    this.stopped.abort();
    await this.running;
    await this.resources.close();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      this.lease = await this.leadership.acquire(signal);
      if (this.lease === undefined) break;
      try {
        this.logger.info({ scheduler: this.name }, 'leads the schedulers');
        await this.lead(this.lease);
      } catch (error) {
        this.logger.error({ err: error }, 'leading has failed, trying again');
        await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      } finally {
        await this.lease.release();
      }
    }
    await this.leadership.signOut();
  }

  private async lead(lease: Lease): Promise<void> {
    const { topology, contracts, entries } = this.options;
    const book = new ScheduleBook(this.bucket, this.logger);
    const places = new KeptPlaces(this.bucket, this.logger);
    const client = createProducer({ resources: this.resources });
    const unrecorded = new Set(contracts.filter(({ ignoreResult }) => ignoreResult).map(({ name }) => name));
    const runner = new TickRunner({
      client,
      bucket: this.bucket,
      book,
      logger: this.logger,
      brokerNow: () => this.brokerTime.now(),
      ignoresResult: (task) => unrecorded.has(task),
      closedTenants: this.options.closedTenants,
      isLeading: () => lease.isHeld(),
      onTicks: (outcome, count) => this.resources.metrics?.ticks(outcome, count),
    });
    const close = (): void => void book.close();
    lease.signal.addEventListener('abort', close);
    try {
      await book.open();
      if (!lease.isHeld()) return;
      if (entries !== undefined) {
        // A fast clock may be hours past its start by now.
        const now = this.clock.beginsAt ?? this.clock.now();
        const parts = { bucket: this.bucket, book, places, logger: this.logger };
        await declareEntries(parts, { topology, contracts, entries, now });
      }
      if (this.clock.beginsAt !== undefined && !this.rewound) {
        await rewindEntries(book, this.clock.beginsAt);
        this.rewound = true;
      }
      const { clock, logger } = this;
      await new Beat({ lease, book, runner, places, clock, logger }).run();
    } finally {
      lease.signal.removeEventListener('abort', close);
      await book.close();
    }
  }
}
