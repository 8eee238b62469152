/** A worker: fetches tasks of its queues, executes them a few at a time, settles each. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { pino, type Logger } from 'pino';
import Fifo from 'yocto-queue';
import { createProducer, type JobsClient } from '../client/client.js';
import { TaskLookup } from '../client/lookup.js';
import { AckMultiplexer } from '../connection/ack-multiplexer.js';
import { JobsError } from '../errors.js';
import { EventPublisher } from '../events/event-publisher.js';
import type { Topology } from '../topology/define.js';
import { readDelivery, type Delivery } from './delivery.js';
import { Execution } from './execute.js';
import { Fetcher } from './fetcher.js';
import { lanesOf, type Lane } from './lanes.js';
import { Leases } from './leases.js';
import { recordOf, RecordStore, RunningRecord } from './record-store.js';
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
  logger?: Logger;
}

export interface Worker {
  readonly name: string;
  /** Tasks being executed now. */
  readonly running: number;
  /** Starts fetching. Idempotent. */
  start(): void;
  /** Stops fetching, hands back what has not started, lets running tasks finish inside the grace time. Idempotent. */
  stop(): Promise<void>;
}

const DEFAULT_CONCURRENCY = 4;
const DEFAULT_SHUTDOWN_GRACE_MS = 30_000;

/** @throws JobsError `invalid_options` for handlers or numbers that cannot work */
export function createWorker(options: WorkerOptions): Worker {
  return new TaskWorker(options);
}

class TaskWorker implements Worker {
  readonly name: string;
  private readonly concurrency: number;
  private readonly capacity: number;
  private readonly shutdownGraceMs: number;
  private readonly registry: ReadonlyMap<string, TaskHandler>;
  private readonly logger: Logger;
  private readonly publisher: AckMultiplexer;
  private readonly producer: Omit<JobsClient, 'close'>;
  private readonly lookup: TaskLookup;
  private readonly events: EventPublisher;
  private readonly records: RecordStore;
  private readonly settler: Settler;
  private readonly fetcher: Fetcher;
  private readonly leases: Leases;
  /** Held, not started: one line per lane, the heaviest first. */
  private readonly ready: readonly { lane: Lane; deliveries: Fifo<Delivery> }[];
  private readyCount = 0;
  private readonly executions = new Map<Delivery, Execution>();
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
    this.registry = buildRegistry(options.handlers, options.queues);
    this.logger = (options.logger ?? pino({ level: 'silent' })).child({ worker: this.name });
    this.publisher = new AckMultiplexer(connection);
    this.producer = createProducer(connection, topology, this.publisher);
    this.lookup = new TaskLookup(connection, topology);
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

  get running(): number {
    return this.executions.size;
  }

  start(): void {
    if (this.accepting || this.stopping !== undefined) return;
    this.accepting = true;
    this.leases.start();
    this.fetcher.start();
    this.logger.info({ queues: this.options.queues, concurrency: this.concurrency }, 'worker started');
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    this.logger.info({ running: this.running }, 'worker stopping');
    this.accepting = false;
    await this.fetcher.stop();
    for (const { deliveries } of this.ready) {
      for (const delivery of deliveries.drain()) this.giveBack(delivery);
    }
    this.readyCount = 0;
    if (this.executions.size > 0) await this.finishOrHandBack();
    this.leases.stop();
    await Promise.all([this.events.close(), this.publisher.close()]);
    this.logger.info('worker stopped');
  }

  private async finishOrHandBack(): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.whenIdle = resolve;
    });
    const grace = setTimeout(() => {
      for (const execution of this.executions.values()) execution.handBack();
    }, this.shutdownGraceMs);
    await idle;
    clearTimeout(grace);
  }

  private room(): number {
    if (!this.accepting || this.events.congested) return 0;
    return this.capacity - this.executions.size - this.readyCount;
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
    while (this.accepting && this.executions.size < this.concurrency) {
      const delivery = this.ready.find(({ deliveries }) => deliveries.size > 0)?.deliveries.dequeue();
      if (delivery === undefined) return;
      this.readyCount--;
      void this.process(delivery);
    }
  }

  private async process(delivery: Delivery): Promise<void> {
    const startedAt = Date.now();
    const { id, task, queue, tenant } = delivery.subject;
    const logger = this.logger.child({ queue, task, id, tenant, attempt: delivery.headers.retries + 1 });
    const running = new RunningRecord(recordOf(delivery, this.name), this.records, (error) =>
      logger.warn({ err: error }, 'progress could not be stored'),
    );
    const execution = new Execution({
      delivery,
      registry: this.registry,
      lookup: this.lookup,
      producer: this.producer,
      logger,
      onStart: () => this.events.emit(running.record),
      onProgress: (progress) => running.progress(progress),
    });
    this.executions.set(delivery, execution);
    try {
      const outcome = await execution.run();
      await running.close();
      await this.settler.settle({ delivery, record: running.record, startedAt, logger }, outcome);
    } catch (error) {
      logger.error({ err: error }, 'the outcome could not be stored; the task will be delivered again');
    } finally {
      this.leases.release(delivery);
      this.executions.delete(delivery);
      this.startReady();
      this.fetcher.wake();
      if (this.executions.size === 0) this.whenIdle?.();
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
