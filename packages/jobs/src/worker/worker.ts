/** A worker: fetches tasks of its queues, executes them a few at a time, settles each. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { pino, type Logger } from 'pino';
import Fifo from 'yocto-queue';
import { createProducer } from '../client/client.js';
import { TaskLookup } from '../client/lookup.js';
import { AckMultiplexer } from '../connection/ack-multiplexer.js';
import { JobsError } from '../errors.js';
import { EventPublisher } from '../events/event-publisher.js';
import { TASK_DEFAULTS, type TaskDefaults } from '../task/task-defaults.js';
import type { Topology } from '../topology/define.js';
import { StreamAccess } from '../topology/stream-access.js';
import { Attempt } from './attempt.js';
import { readDelivery, type Delivery } from './delivery.js';
import { Execution, type ExecutionParts } from './execute.js';
import { Fetcher } from './fetcher.js';
import { lanesOf, type Lane } from './lanes.js';
import { Leases } from './leases.js';
import { RecordStore, RunningRecord } from './record-store.js';
import { Recovery } from './recovery.js';
import { buildRegistry, type TaskHandler } from './registry.js';
import { Settler } from './settle.js';

export interface WorkerOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Handlers of other queues are left aside, so all of a program's can be passed. */
  handlers: readonly TaskHandler[];
  queues: readonly string[];
  /** Tasks at once. Default 4. */
  concurrency?: number;
  /** Messages held, as a multiple of the concurrency: above 1, the next ones wait in the worker. Default 1. */
  prefetchMultiplier?: number;
  /** How long `stop` lets running tasks go on before it hands them back, in milliseconds. Default 30,000. */
  shutdownGraceMs?: number;
  /** One token, unique among the workers. Default: host, process id and a random end. */
  name?: string;
  /** What holds for tasks whose contract does not say. */
  defaults?: Partial<TaskDefaults>;
  logger?: Logger;
}

export interface Worker {
  readonly name: string;
  /** Tasks being executed now. */
  readonly runningCount: number;
  /** Starts fetching. Idempotent. */
  start(): void;
  /** Stops fetching, hands back what has not started, lets running tasks finish inside the grace time. Idempotent. */
  stop(): Promise<void>;
}

const DEFAULT_CONCURRENCY = 4;
const DEFAULT_SHUTDOWN_GRACE_MS = 30_000;
/** How exactly time limits are kept. */
const TICK_MS = 25;

/** @throws JobsError `invalid_options` for handlers or numbers that cannot work */
export function createWorker(options: WorkerOptions): Worker {
  return new TaskWorker(options);
}

class TaskWorker implements Worker {
  readonly name: string;
  private readonly concurrency: number;
  private readonly capacity: number;
  private readonly shutdownGraceMs: number;
  private readonly logger: Logger;
  private readonly publisher: AckMultiplexer;
  private readonly parts: ExecutionParts;
  private readonly events: EventPublisher;
  private readonly records: RecordStore;
  private readonly settler: Settler;
  private readonly fetcher: Fetcher;
  private readonly leases: Leases;
  /** Held, not started: one line per lane, the heaviest first. */
  private readonly ready: readonly { lane: Lane; deliveries: Fifo<Delivery> }[];
  private readyCount = 0;
  private readonly running = new Map<Delivery, { execution: Execution; record: RunningRecord }>();
  private ticker: NodeJS.Timeout | undefined;
  private whenIdle: (() => void) | undefined;
  private stopping: Promise<void> | undefined;
  private accepting = false;

  constructor(private readonly options: WorkerOptions) {
    const { connection, topology } = options;
    this.name =
      options.name ??
      `${hostname().replaceAll(/[^A-Za-z0-9_-]/g, '-')}-${process.pid}-${randomBytes(3).toString('hex')}`;
    this.concurrency = wholeNumber('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY);
    this.capacity = this.concurrency * wholeNumber('prefetchMultiplier', options.prefetchMultiplier ?? 1);
    this.shutdownGraceMs = options.shutdownGraceMs ?? DEFAULT_SHUTDOWN_GRACE_MS;
    this.logger = (options.logger ?? pino({ level: 'silent' })).child({ worker: this.name });
    this.publisher = new AckMultiplexer(connection);
    this.parts = {
      registry: buildRegistry(options.handlers, options.queues),
      producer: createProducer(connection, topology, this.publisher),
      recovery: new Recovery(
        new StreamAccess(connection),
        topology.names,
        new TaskLookup(connection, topology),
      ),
      defaults: { ...TASK_DEFAULTS, ...options.defaults },
    };
    this.events = new EventPublisher(connection, topology.names, this.logger);
    this.records = new RecordStore(
      this.publisher,
      topology.names,
      () => connection.info?.max_payload ?? Infinity,
    );
    this.settler = new Settler({
      names: topology.names,
      publisher: this.publisher,
      records: this.records,
      events: this.events,
      worker: this.name,
    });
    this.leases = new Leases(topology.ackWaitMs);
    const lanes = lanesOf(topology, options.queues);
    this.ready = lanes
      .toSorted((a, b) => b.weight - a.weight)
      .map((lane) => ({ lane, deliveries: new Fifo<Delivery>() }));
    this.fetcher = new Fetcher({
      connection,
      lanes,
      capacity: this.capacity,
      room: () => this.room(),
      onMessage: (message, lane) => this.receive(message, lane),
      logger: this.logger,
    });
  }

  get runningCount(): number {
    return this.running.size;
  }

  start(): void {
    if (this.accepting || this.stopping !== undefined) return;
    this.accepting = true;
    this.leases.start();
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    this.fetcher.start();
    this.logger.info({ queues: this.options.queues, concurrency: this.concurrency }, 'worker started');
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    this.logger.info({ running: this.runningCount }, 'worker stopping');
    this.accepting = false;
    await this.fetcher.stop();
    for (const { deliveries } of this.ready) {
      for (const delivery of deliveries.drain()) this.giveBack(delivery);
    }
    this.readyCount = 0;
    if (this.running.size > 0) await this.finishOrHandBack();
    this.leases.stop();
    clearInterval(this.ticker);
    await Promise.all([this.events.close(), this.publisher.close()]);
    this.logger.info('worker stopped');
  }

  private async finishOrHandBack(): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.whenIdle = resolve;
    });
    const grace = setTimeout(() => {
      for (const { execution } of this.running.values()) execution.handBack();
    }, this.shutdownGraceMs);
    await idle;
    clearTimeout(grace);
  }

  private room(): number {
    if (!this.accepting || this.events.congested) return 0;
    return this.capacity - this.running.size - this.readyCount;
  }

  private receive(message: Msg, lane: Lane): void {
    const delivery = readDelivery(this.options.connection, this.options.topology.names, message);
    if (delivery === undefined) {
      this.logger.error(
        { subject: message.subject },
        'a message that is no task was delivered; it is left alone',
      );
      return;
    }
    if (!this.accepting) {
      delivery.handBack();
      return;
    }
    this.leases.hold(delivery);
    this.ready.find((line) => line.lane === lane)?.deliveries.enqueue(delivery);
    this.readyCount++;
    this.startReady();
  }

  private startReady(): void {
    while (this.accepting && this.running.size < this.concurrency) {
      const delivery = this.ready.find(({ deliveries }) => deliveries.size > 0)?.deliveries.dequeue();
      if (delivery === undefined) return;
      this.readyCount--;
      void this.process(delivery);
    }
  }

  private async process(delivery: Delivery): Promise<void> {
    const attempt = new Attempt(delivery, this.name, this.logger);
    const record = new RunningRecord(attempt, this.records);
    const execution = new Execution(attempt, this.parts, {
      onStart: () => this.events.emit(attempt.record),
      onProgress: (progress) => record.progress(progress),
    });
    this.running.set(delivery, { execution, record });
    try {
      const outcome = await execution.run();
      await record.close();
      await this.settler.settle(attempt, outcome);
    } catch (error) {
      attempt.logger.error(
        { err: error },
        'the outcome could not be stored; the task will be delivered again',
      );
    } finally {
      this.leases.release(delivery);
      this.running.delete(delivery);
      this.startReady();
      this.fetcher.wake();
      if (this.running.size === 0) this.whenIdle?.();
    }
  }

  private tick(): void {
    const now = Date.now();
    for (const { execution, record } of this.running.values()) {
      execution.tick(now);
      record.tick(now);
    }
  }

  private giveBack(delivery: Delivery): void {
    this.leases.release(delivery);
    delivery.handBack();
  }
}

function wholeNumber(field: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new JobsError('invalid_options', `${field} is ${value}; it must be a whole number above 0.`, {
    details: { field },
  });
}
