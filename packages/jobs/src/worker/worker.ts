/** A worker: fetches tasks of its queues, executes them a few at a time, settles each. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Tracer } from '../telemetry/tracer.js';
import { standardErrorLogger, type Logger } from '../telemetry/logger.js';
import { createProducer } from '../client/client.js';
import { TaskLookup } from '../record/lookup.js';
import { UniqueLocks } from '../record/unique-locks.js';
import { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { ControlWatch } from '../control/control-watch.js';
import type { HeartBeat } from '../control/entries.js';
import { NatsService } from '../control/service-protocol.js';
import { JobsError } from '../errors.js';
import { EventPublisher } from '../record/event-publisher.js';
import { TASK_DEFAULTS, type TaskDefaults } from '../task/task-defaults.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import { Tracing } from '../telemetry/tracing.js';
import type { Topology } from '../topology/define.js';
import { StreamAccess } from '../broker/stream-access.js';
import { WorkflowEngine } from '../workflow/engine.js';
import { Attempt } from './attempt.js';
import { Backlog } from './backlog.js';
import { readDelivery, type Delivery } from './delivery.js';
import { Execution, type ExecutionParts } from './execute.js';
import { Fetcher } from '../broker/pull/fetcher.js';
import { HeartBeats } from './heart-beat.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { lanesOf, type Lane } from './lanes.js';
import { RateLimiter } from './rate-limiter.js';
import { DeadLettering } from '../record/dead-lettering.js';
import { OtherMessages } from '../record/other-messages.js';
import { RecordStore } from '../record/record-store.js';
import { RunningRecord } from '../record/running-record.js';
import { Recovery } from './recovery.js';
import { buildRegistry, type TaskHandler } from './registry.js';
import { Settler } from './settle.js';
import { Watchdog } from './watchdog.js';
import type { ActiveTask, HeldTask } from '../control/worker-protocol.js';
import { describeHeld, describeRunning, workerEndpoints } from './worker-endpoints.js';

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
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  /** OpenTelemetry spans of attempts and of what they enqueue. Default: none, at no cost. */
  tracer?: Tracer;
  metrics?: MetricsRecorder;
  /** Ends the process (SIGKILL) when a handler blocks the event loop beyond its hard limit. Default true. */
  watchdog?: boolean;
  /** Called when somebody has asked this worker, over NATS, to shut down; it stops by itself either way. */
  onShutdownRequest?: () => void;
}

export interface Worker {
  readonly name: string;
  /** Tasks being executed now. */
  readonly runningCount: number;
  /** Tasks at once; can be changed at any time. */
  concurrency: number;
  /** Tasks being executed now, with their progress. */
  active(): ActiveTask[];
  /** Held for a free slot. */
  reserved(): HeldTask[];
  /** Held for their time. */
  scheduled(): HeldTask[];
  /** Names of the tasks it can run. */
  registered(): string[];
  /** Its heartbeat: slots, counts of finished tasks, load. */
  stats(): HeartBeat;
  /** Starts fetching. Idempotent. */
  start(): void;
  /** Stops fetching, hands back what has not started, lets running tasks finish inside the grace time. Idempotent. */
  stop(): Promise<void>;
}

const VERSION = '0.1.0';
const DEFAULT_CONCURRENCY = 4;
const DEFAULT_SHUTDOWN_GRACE_MS = 30_000;
/** How exactly time limits are kept. */
const TICK_MS = 25;
/** A task whose time or turn is further away than this goes back to the broker, as a delayed one. */
const HOLD_AT_MOST_MS = 2_000;

/** @throws JobsError `invalid_options` for handlers or numbers that cannot work */
export function createWorker(options: WorkerOptions): Worker {
  return new TaskWorker(options);
}

interface Running {
  attempt: Attempt;
  execution: Execution;
  record: RunningRecord;
}

class TaskWorker implements Worker {
  readonly name: string;
  private slots: number;
  private readonly prefetchMultiplier: number;
  private readonly shutdownGraceMs: number;
  private readonly logger: Logger;
  private readonly publisher: AckMultiplexer;
  private readonly tracing: Tracing | undefined;
  private readonly parts: ExecutionParts;
  private readonly events: EventPublisher;
  private readonly records: RecordStore;
  private readonly settler: Settler;
  private readonly fetcher: Fetcher<Lane>;
  private readonly backlog: Backlog;
  private readonly control: ControlWatch;
  private readonly service: NatsService;
  private readonly heartBeats: HeartBeats;
  private readonly rateLimiter = new RateLimiter();
  private readonly running = new Map<Delivery, Running>();
  private readonly counts = { succeeded: 0, failed: 0, retried: 0, abandoned: 0 };
  private readonly startedAt = new Date().toISOString();
  private ticker: NodeJS.Timeout | undefined;
  private watchdog: Watchdog | undefined;
  private whenIdle: (() => void) | undefined;
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private accepting = false;

  constructor(private readonly options: WorkerOptions) {
    const { connection, topology } = options;
    const { names } = topology;
    this.name =
      options.name ??
      `${hostname().replaceAll(/[^A-Za-z0-9_-]/g, '-')}-${process.pid}-${randomBytes(3).toString('hex')}`;
    this.slots = wholeNumber('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY);
    this.prefetchMultiplier = wholeNumber('prefetchMultiplier', options.prefetchMultiplier ?? 1);
    this.shutdownGraceMs = options.shutdownGraceMs ?? DEFAULT_SHUTDOWN_GRACE_MS;
    this.logger = (options.logger ?? standardErrorLogger()).child({ worker: this.name });
    const { metrics, tracer } = options;
    this.publisher = new AckMultiplexer(
      connection,
      metrics === undefined ? {} : { onConfirmed: (milliseconds) => metrics.confirmed(milliseconds) },
    );
    this.tracing = tracer === undefined ? undefined : new Tracing(tracer);
    const streams = new StreamAccess(connection);
    const lookup = new TaskLookup(connection, topology);
    const { publisher, logger } = this;
    const workflows = new WorkflowEngine({ connection, topology, publisher, lookup, logger });
    this.records = new RecordStore(this.publisher, streams, names, () =>
      Math.min(topology.maxResultBytes, connection.info?.max_payload ?? Infinity),
    );
    this.parts = {
      names,
      registry: buildRegistry(options.handlers, options.queues),
      producer: createProducer({
        connection,
        topology,
        publisher,
        lookup,
        workflows,
        contracts: options.handlers.map(({ contract }) => contract),
        tracing: this.tracing,
      }),
      recovery: new Recovery({
        names,
        streams,
        records: this.records,
        letters: new DeadLettering(publisher, streams, names),
        messages: new OtherMessages(streams, names),
        workflows,
      }),
      defaults: { ...TASK_DEFAULTS, ...options.defaults },
    };
    this.events = new EventPublisher(connection, names, this.logger);
    this.settler = new Settler({
      names,
      publisher: this.publisher,
      records: this.records,
      events: this.events,
      streams,
      locks: new UniqueLocks(streams, names, this.publisher),
      workflows,
      worker: this.name,
      metrics: options.metrics,
    });
    const lanes = lanesOf(topology, options.queues);
    this.backlog = new Backlog(lanes, () => this.startReady());
    this.fetcher = new Fetcher({
      connection,
      lanes,
      ackWaitMs: topology.ackWaitMs,
      capacity: () => this.capacity,
      room: () => this.room(),
      onMessage: (message, lane) => this.receive(message, lane),
      logger: this.logger,
    });
    this.control = new ControlWatch(connection, names, this.logger, () => this.revokeRunning());
    this.heartBeats = new HeartBeats(this.publisher, names, this.name, this.logger, (lag) =>
      this.describe(lag),
    );
    this.service = new NatsService(connection, {
      name: names.workerService,
      id: this.name,
      version: VERSION,
      description: 'Runs background tasks',
      metadata: { queues: options.queues.join(',') },
      endpoints: workerEndpoints(names, this, () => this.shutDownOnRequest()),
    });
  }

  get runningCount(): number {
    return this.running.size;
  }

  get concurrency(): number {
    return this.slots;
  }

  set concurrency(value: number) {
    this.slots = wholeNumber('concurrency', value);
    this.logger.info({ concurrency: value }, 'concurrency changed');
    this.startReady();
    this.fetcher.wake();
  }

  active(): ActiveTask[] {
    return [...this.running.values()].map(({ attempt }) => describeRunning(attempt));
  }

  reserved(): HeldTask[] {
    return this.backlog.held().ready.map(describeHeld);
  }

  scheduled(): HeldTask[] {
    return this.backlog.held().waiting.map(describeHeld);
  }

  registered(): string[] {
    return [...this.parts.registry.keys()].toSorted();
  }

  stats(): HeartBeat {
    return this.describe(0);
  }

  start(): void {
    if (this.accepting || this.stopping !== undefined) return;
    this.accepting = true;
    if (this.options.watchdog !== false) this.watchdog = new Watchdog(this.name);
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    this.service.start();
    this.heartBeats.start();
    // What has been revoked has to be known before the first task is taken.
    this.starting = this.beginFetching();
    this.logger.info({ queues: this.options.queues, concurrency: this.slots }, 'worker started');
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async beginFetching(): Promise<void> {
    await this.control.start();
    if (this.accepting) this.fetcher.start();
  }

  private async shutDown(): Promise<void> {
    this.logger.info({ running: this.runningCount }, 'worker stopping');
    this.accepting = false;
    const wasStarted = this.starting !== undefined;
    if (wasStarted) this.heartBeats.beat();
    await this.fetcher.stop();
    for (const { message } of this.backlog.drain()) message.nak();
    if (this.running.size > 0) await this.finishOrHandBack();
    await this.control.stop();
    this.service.stop();
    clearInterval(this.ticker);
    await this.watchdog?.stop();
    await Promise.all([...this.parts.registry.values()].map(async (handler) => handler.close?.()));
    if (wasStarted) await this.heartBeats.stop();
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

  private shutDownOnRequest(): void {
    this.logger.info('asked to shut down');
    void this.stop().finally(() => this.options.onShutdownRequest?.());
  }

  private get capacity(): number {
    return this.slots * this.prefetchMultiplier;
  }

  private room(): number {
    if (!this.accepting || this.events.congested) return 0;
    return this.capacity - this.running.size - this.backlog.size;
  }

  private receive(message: PulledMessage, lane: Lane): void {
    const delivery = readDelivery(this.options.topology.names, message);
    if (delivery === undefined) {
      this.logger.error(
        { subject: message.subject },
        'a message that is no task was delivered; it is left alone',
      );
      message.release();
      return;
    }
    if (!this.accepting) {
      message.nak();
      return;
    }
    const { notBefore } = delivery.headers;
    const wait = notBefore - Date.now();
    if (wait > HOLD_AT_MOST_MS) {
      void this.process(delivery, wait);
      return;
    }
    this.backlog.add(delivery, lane, notBefore);
    this.startReady();
  }

  private startReady(): void {
    while (this.accepting && this.running.size < this.slots) {
      const next = this.backlog.next();
      if (next === undefined) return;
      const { delivery, lane } = next;
      const wait = this.waitForRate(delivery);
      if (wait === 0) void this.process(delivery, undefined);
      else if (wait <= HOLD_AT_MOST_MS) this.backlog.add(delivery, lane, Date.now() + wait);
      else void this.process(delivery, wait);
    }
    // A slot that is taken by nothing but waiting may have become room.
    if (this.accepting && this.running.size < this.slots) this.fetcher.wake();
  }

  private waitForRate({ subject }: Delivery): number {
    const limit = this.control.rateLimitOf(subject.task);
    if (limit === undefined) return 0;
    return this.rateLimiter.take(subject.task, limit, this.control.workersOf(subject.queue));
  }

  /** @param postponeMs put it off by so long instead of running it */
  private async process(delivery: Delivery, postponeMs: number | undefined): Promise<void> {
    const attempt = new Attempt(delivery, this.name, this.logger);
    const record = new RunningRecord(attempt, this.records);
    const execution = new Execution(attempt, this.parts, {
      onStart: () => this.announce(attempt, execution),
      onProgress: (progress) => record.progress(progress),
    });
    this.running.set(delivery, { attempt, execution, record });
    attempt.span = this.tracing?.startAttempt(attempt.record, attempt.traceContext);
    try {
      const revoked = this.control.revocationOf(revocable(delivery)) !== undefined;
      const outcome = revoked
        ? ({ kind: 'revoked' } as const)
        : postponeMs === undefined
          ? await execution.run()
          : ({ kind: 'snoozed', delayMs: postponeMs } as const);
      await record.close();
      await this.settler.settle(attempt, outcome);
      this.count(attempt, execution);
    } catch (error) {
      attempt.logger.error(
        { err: error },
        'the outcome could not be stored; the task will be delivered again',
      );
    } finally {
      // Without an answer, because it could not be settled, it is delivered again.
      delivery.message.release();
      this.running.delete(delivery);
      attempt.span?.end(attempt.record);
      if (execution.hasStarted) this.options.metrics?.finished(attempt.record);
      this.startReady();
      this.fetcher.wake();
      if (this.running.size === 0) this.whenIdle?.();
    }
  }

  private announce({ record, delivery }: Attempt, { earliestDeadline }: Execution): void {
    this.watchdog?.expect(earliestDeadline);
    this.events.emit(record);
    const couldStartAt = Math.max(delivery.headers.notBefore, delivery.message.storedAt);
    this.options.metrics?.started(record, couldStartAt, delivery.message.deliveries);
  }

  private count({ record, logger }: Attempt, execution: Execution): void {
    if (record.state === 'SUCCESS') this.counts.succeeded++;
    else if (record.state === 'FAILURE') this.counts.failed++;
    else if (record.state === 'RETRY') this.counts.retried++;
    const abandoned = execution.abandonedUntil(() => {
      this.counts.abandoned--;
      logger.info('an abandoned handler has ended');
    });
    if (!abandoned) return;
    this.counts.abandoned++;
    logger.warn(
      'a handler goes on beyond its hard limit and does not listen to its signal; isolate the task',
    );
  }

  private revokeRunning(): void {
    for (const [delivery, { execution }] of this.running) {
      const revocation = this.control.revocationOf(revocable(delivery));
      if (revocation !== undefined) execution.revoke(revocation.terminate);
    }
  }

  private tick(): void {
    const now = Date.now();
    let deadline = Infinity;
    for (const { execution, record } of this.running.values()) {
      execution.tick(now);
      record.tick(now);
      deadline = Math.min(deadline, execution.earliestDeadline);
    }
    this.watchdog?.beat(now, deadline);
  }

  private describe(loopLagMs: number): HeartBeat {
    return {
      name: this.name,
      host: hostname(),
      pid: process.pid,
      queues: [...this.options.queues],
      state: this.accepting ? 'running' : 'draining',
      concurrency: this.slots,
      running: this.running.size,
      reserved: this.backlog.readyCount,
      scheduled: this.backlog.waitingCount,
      abandoned: this.counts.abandoned,
      succeeded: this.counts.succeeded,
      failed: this.counts.failed,
      retried: this.counts.retried,
      loop_lag_ms: loopLagMs,
      started_at: this.startedAt,
      at: new Date().toISOString(),
    };
  }
}

function revocable({ subject, headers, enqueuedAt }: Delivery): Parameters<ControlWatch['revocationOf']>[0] {
  const { id, queue, task, tenant } = subject;
  return { id, queue, task, tenant, enqueuedAt, workflow: headers.workflow?.workflow };
}

function wholeNumber(field: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new JobsError('invalid_options', `${field} is ${value}; it must be a whole number above 0.`, {
    details: { field },
  });
}
