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
import TinyQueue from 'tinyqueue';
import { createProducer } from '../client/client.js';
import { Resources } from '../resources/resources.js';
import type { TaskContract } from '../task/define-task.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import type { Topology } from '../topology/define.js';
import { LeadershipLostError, ScheduleBook, type BookedEntry } from './book.js';
import { ScheduleBucket } from './bucket.js';
import { REAL_CLOCK, type ScheduleClock } from './clock.js';
import { declareEntries } from './declare.js';
import type { ScheduleEntryOptions } from './entry.js';
import { Leadership, type Lease } from './leadership.js';
import { QueueLanes } from './queue-lanes.js';
import { rewindEntries } from './rewind.js';
import { isOpen, lastDealtWith, TickRunner } from './tick-runner.js';

export interface SchedulerOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Contracts of the tasks that may be scheduled. */
  contracts: readonly TaskContract[];
  /** Entries of the code. Entries that an earlier version declared and this one does not are removed. */
  entries?: readonly ScheduleEntryOptions[];
  /** One token that identifies this scheduler. Default: derived from host name and process id. */
  name?: string;
  /** Default: the real time. */
  clock?: ScheduleClock;
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
}

/** Interval at which open runs are checked, and at which leadership is requested again after a failure. */
const POLL_MS = 1_000;
/** Timeout in milliseconds for storing a tick. It is retried later under the same id. */
const PUBLISH_WITHIN_MS = 10_000;
/** Pause in milliseconds before an entry whose tick could not be enqueued is retried. */
const RETRY_MS = 5_000;
/** Grace time in milliseconds for work in progress when leadership ends. */
const STOP_WITHIN_MS = 2_000;
/** Runs checked in one round. */
const MAX_FOLLOWED = 2_000;

/** @throws JobsError `invalid_options` for an entry that is not valid, `unknown_task` for one whose task has no contract */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new BeatScheduler(options);
}

interface DueAt {
  at: number;
  name: string;
}

class BeatScheduler implements Scheduler {
  readonly name: string;
  private readonly logger: Logger;
  private readonly clock: ScheduleClock;
  private readonly resources: Resources;
  private readonly bucket: ScheduleBucket;
  private readonly leadership: Leadership;
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
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
    this.clock = options.clock ?? REAL_CLOCK;
    this.resources = new Resources({
      connection,
      topology,
      publishing: { deadlineMs: PUBLISH_WITHIN_MS },
      metrics: options.metrics,
      contracts: options.contracts,
      logger: this.logger,
    });
    this.bucket = new ScheduleBucket(this.resources);
    this.leadership = new Leadership(this.bucket, this.name, this.logger, this.clock);
  }

  get leading(): boolean {
    return this.lease?.isHeld() ?? false;
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
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
        await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
      } finally {
        await this.lease.release();
      }
    }
    await this.leadership.signOut();
  }

  private async lead(lease: Lease): Promise<void> {
    const { topology, contracts, entries } = this.options;
    const book = new ScheduleBook(this.bucket, this.logger);
    const client = createProducer({ resources: this.resources });
    const runner = new TickRunner({
      client,
      bucket: this.bucket,
      book,
      logger: this.logger,
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
        await declareEntries(this.bucket, book, { topology, contracts, entries, now });
      }
      if (this.clock.beginsAt !== undefined && !this.rewound) {
        await rewindEntries(book, this.clock.beginsAt);
        this.rewound = true;
      }
      await this.beat(lease, book, runner);
    } finally {
      lease.signal.removeEventListener('abort', close);
      await book.close();
    }
  }

  private async beat(lease: Lease, book: ScheduleBook, runner: TickRunner): Promise<void> {
    const queue = new TinyQueue<DueAt>([], (a, b) => a.at - b.at);
    const dueAt = new Map<string, number>();
    const open = new Set<string>([...book.entries.values()].filter(isOpen).map(({ name }) => name));
    const lanes = new QueueLanes();
    /** Entries in progress. Ticks and changes that arrive meanwhile are handled afterwards. */
    const busy = new Set<string>();
    const lost = new AbortController();
    const plan = (name: string, at: number): void => {
      if (dueAt.get(name) === at) return;
      dueAt.set(name, at);
      queue.push({ at, name });
    };
    const enter = (booked: BookedEntry): void => {
      if (isOpen(booked)) open.add(booked.name);
      if (booked.entry.paused !== null) dueAt.delete(booked.name);
      else plan(booked.name, booked.cadence.next(Math.min(lastDealtWith(booked), this.clock.now())));
    };
    const work = (name: string, task: (booked: BookedEntry) => Promise<void>): void => {
      const { queue: lane } = book.entries.get(name)?.entry ?? {};
      if (lane === undefined) return;
      busy.add(name);
      lanes.add(lane, async () => {
        const booked = book.entries.get(name);
        try {
          if (booked !== undefined) await task(booked);
          busy.delete(name);
          if (booked !== undefined) enter(booked);
        } catch (error) {
          busy.delete(name);
          if (error instanceof LeadershipLostError) lost.abort(error);
          this.logger.error({ err: error, entry: name }, 'an entry could not be seen to, trying again');
          if (booked !== undefined && isOpen(booked)) open.add(name);
          plan(name, this.clock.now() + RETRY_MS);
        }
      });
    };
    try {
      for (let followedAt = -Infinity; lease.isHeld() && !lost.signal.aborted;) {
        for (const name of book.changed) {
          const booked = book.entries.get(name);
          if (booked === undefined) dueAt.delete(name);
          else if (!busy.has(name)) enter(booked);
        }
        book.changed.clear();
        for (const name of takeDue(queue, dueAt, this.clock.now())) {
          if (!busy.has(name)) work(name, (booked) => runner.runDue(booked, this.clock.now()));
        }
        if (performance.now() - followedAt >= POLL_MS) {
          followedAt = performance.now();
          for (const { name, backfill } of book.entries.values()) if (backfill !== undefined) open.add(name);
          for (const name of takeOpen(open, busy)) work(name, (booked) => runner.followUp(booked));
        }
        await this.pause(lease, book, queue.peek()?.at);
      }
    } finally {
      await lanes.stop(STOP_WITHIN_MS);
    }
    lost.signal.throwIfAborted();
  }

  /** Waits until the next tick, the next round, or a change. */
  private async pause(lease: Lease, book: ScheduleBook, nextAt: number | undefined): Promise<void> {
    const round = new AbortController();
    const signal = AbortSignal.any([lease.signal, round.signal]);
    const waits = [delay(POLL_MS, undefined, { signal }).catch(() => undefined), book.nextChange()];
    if (nextAt !== undefined) waits.push(this.clock.wait(Math.max(0, nextAt - this.clock.now()), signal));
    await Promise.race(waits);
    round.abort();
  }
}

/** Runs that did not fit into the last round come first. */
function takeOpen(open: Set<string>, busy: ReadonlySet<string>): string[] {
  const names = [...open].filter((name) => !busy.has(name)).slice(0, MAX_FOLLOWED);
  for (const name of names) open.delete(name);
  return names;
}

/** Names that are due. Skips entries that were postponed or removed after they were queued. */
function takeDue(queue: TinyQueue<DueAt>, dueAt: Map<string, number>, now: number): string[] {
  const names: string[] = [];
  for (let head = queue.peek(); head !== undefined && head.at <= now; head = queue.peek()) {
    queue.pop();
    if (dueAt.get(head.name) !== head.at) continue;
    dueAt.delete(head.name);
    names.push(head.name);
  }
  return names;
}
