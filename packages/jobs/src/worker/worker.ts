/**
 * A worker, put together of its parts:
 *
 *     fetcher → admission → attempt runner (execute → settle)
 */
import { createProducer } from '../client/client.js';
import { Fetcher } from '../broker/pull/fetcher.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { aroundAttempt } from './middleware/around-attempt.js';
import { resolveMiddleware } from './middleware/built-in.js';
import { ControlWatch } from '../control/control-watch.js';
import type { HeartBeat } from '../control/entries.js';
import { NatsService } from '../control/service-protocol.js';
import type { ActiveTask, HeldTask } from '../control/worker-protocol.js';
import { Resources } from '../resources/resources.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import { contain, containWithin } from '../values/contain.js';
import { Admission } from './admission.js';
import { AttemptRunner } from './attempt-runner.js';
import { BlockWarning } from './block-warning.js';
import { breakersOf } from './circuits/breakers-of.js';
import { ClockCheck } from './clock-check.js';
import { contractEntry } from './contract-entry.js';
import { readDelivery } from './delivery.js';
import { EarlyTasks } from './fairness/early-tasks.js';
import { weightByTenant } from './fairness/tenant-weight.js';
import { OthersCopies } from './fairness/others-copies.js';
import { FailureHooks } from './failure-hooks.js';
import { HeartBeats } from './heart-beat.js';
import { keyLimitsOf } from './key-limits/key-limits-of.js';
import { lanesOf, type Lane } from './lanes.js';
import { packageVersion } from './package-version.js';
import { Recovery } from './recovery.js';
import { RateLine } from './rate-line.js';
import { Readiness } from './readiness.js';
import { refuseMessage } from './refuse-message.js';
import { buildRegistry, type TaskHandler } from './registry.js';
import { Settler } from './settle.js';
import { containStrayErrors } from './stray-errors.js';
import { Watchdog } from './watch/watchdog.js';
import { resolveWorkerConfig, type WorkerConfig, type WorkerOptions } from './worker-config.js';
import { workerEndpoints } from './worker-endpoints.js';
import { Ticker } from './ticker.js';
import { WorkerView } from './worker-view.js';

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
  /** Its last heartbeat's figures with the counts of now: slots, finished tasks, load. */
  stats(): HeartBeat;
  /** Whether it takes tasks: it has been started, is not stopping, and `readiness` resolves. */
  readonly isReady: boolean;
  /** Starts fetching. Idempotent. */
  start(): void;
  /** Stops fetching, hands back what has not started, lets running tasks finish inside the grace time. Idempotent. */
  stop(): Promise<void>;
}

/** Time for a handler to release its resources, in milliseconds. */
const CLOSE_WITHIN_MS = 10_000;

/** @throws JobsError `invalid_options` for handlers or numbers that cannot work */
export function createWorker(options: WorkerOptions): Worker {
  const config = resolveWorkerConfig(options);
  return new TaskWorker(config, options, buildRegistry(options.handlers, options.queues));
}

class TaskWorker implements Worker {
  private readonly logger: Logger;
  private readonly resources: Resources;
  private readonly fetcher: Fetcher<Lane>;
  private readonly admission: Admission;
  private readonly othersCopies: OthersCopies;
  private readonly runner: AttemptRunner;
  private readonly view: WorkerView;
  private readonly control: ControlWatch;
  private readonly service: NatsService;
  private readonly heartBeats: HeartBeats;
  private readonly readiness: Readiness;
  private readonly blocking: BlockWarning;
  private readonly clockCheck: ClockCheck;
  private readonly ticker = new Ticker(
    () => this.tick(),
    () => this.runner.count > 0,
  );
  private watchdog: Watchdog | undefined;
  private endContainment: (() => void) | undefined;
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly config: WorkerConfig,
    options: WorkerOptions,
    private readonly registry: ReadonlyMap<string, TaskHandler>,
  ) {
    const { connection, topology, handlers, logger, metrics, readiness, onShutdownRequest } = options;
    const { closedTenants } = options;
    const { names } = topology;
    this.logger = guardedLogger(logger).child({ worker: config.name });
    const contracts = handlers.map(({ contract }) => contract);
    this.resources = new Resources({
      connection,
      topology,
      metrics,
      maxRecordBytes: topology.maxResultBytes,
      contracts,
      workerVersion: config.version,
      logger: this.logger,
    });
    this.blocking = new BlockWarning(this.logger);
    const { resources } = this;
    const { publisher, streams, records, events, clock } = resources;
    const now = (): number => clock.now();
    const middleware = resolveMiddleware({ ...options, logger: this.logger });
    this.readiness = new Readiness(readiness, this.logger, () => this.admission.readinessChanged());
    const producer = createProducer({ resources, contracts, middleware });
    this.control = new ControlWatch(connection, names, this.logger, {
      revoked: () => this.runner.revoke(),
      informed: () => this.admission.informed(),
    });
    const breakers = breakersOf({
      registry,
      resources,
      control: this.control,
      defaults: config.taskDefaults,
      logger: this.logger,
    });
    this.runner = new AttemptRunner({
      worker: config.name,
      execution: {
        names,
        registry,
        producer,
        recovery: new Recovery(resources),
        defaults: config.taskDefaults,
        isReady: () => this.readiness.ask(),
        closedTenants,
        openJournal: (run) => resources.journals.open(run),
        waitsOf: (run, subject) => resources.waitsOf(run, subject),
        surround: aroundAttempt(middleware),
        now,
        unknownForMs: config.unknownForMs,
        hasOtherVersion: (contract) =>
          this.control.hasOtherVersion(contract.queue, contract.name, contractEntry(contract)),
      },
      records,
      settler: new Settler(resources, config.name, new FailureHooks(registry, producer)),
      events,
      control: this.control,
      closedTenants,
      onCall: (delivery, deadline, timeLimitMs) => {
        this.watchdog?.called(delivery, deadline, timeLimitMs);
        this.blocking.called();
      },
      onReturn: ({ subject }) => {
        this.watchdog?.returned();
        this.blocking.returned(subject.task);
      },
      judge:
        breakers && ((delivery, outcome) => this.admission.breakers?.judge(delivery, outcome) ?? outcome),
      onEnd: (delivery) => {
        this.blocking.attemptEnded(delivery.subject.task);
        this.admission.slotFreed(delivery);
      },
      logger: this.logger,
    });
    const lanes = lanesOf(topology, config.queues);
    this.admission = new Admission({
      config,
      names,
      lanes,
      limits: this.control,
      line: new RateLine(
        { publisher, streams, stream: names.lockStream, subjectOf: (task) => names.rateLineKey(task) },
        now,
      ),
      keyLimits: keyLimitsOf({ registry, resources, control: this.control, logger: this.logger }),
      breakers,
      clock,
      runningCount: () => this.runner.count,
      isCongested: () => events.congested,
      isReady: () => this.readiness.isReady,
      isInformed: () => this.control.isInformed,
      run: (delivery) => {
        this.ticker.wake();
        void this.runner.run(delivery);
      },
      postpone: (delivery, delayMs, held) => void this.runner.postpone(delivery, delayMs, held),
      handBack: (delivery) => void this.runner.handBack(delivery),
      refuse: (message, lane) => void refuseMessage(resources, this.logger, config.name, message, lane),
      onRoom: () => this.fetcher.wake(),
      logger: this.logger,
    });
    this.othersCopies = new OthersCopies({
      streams,
      now,
      onFree: (message, lane) => this.admission.receive(message, lane),
      logger: this.logger,
    });
    this.fetcher = new Fetcher({
      connection,
      lanes,
      ackWaitMs: topology.ackWaitMs,
      capacity: () => this.admission.capacity,
      room: () => this.admission.room,
      early: new EarlyTasks({
        resources,
        weightOf: weightByTenant(options.tenantWeight, this.logger),
        isKnownToAll: (queue) => this.control.allTakeEarly(queue),
        logger: this.logger,
      }),
      onMessage: (message, lane) => {
        if (!this.othersCopies.keeps(message, lane)) this.admission.receive(message, lane);
      },
      onStale: (message) => this.leaveAlone(message),
      leaseWatch: {
        hold: (message) => this.watchdog?.hold(message),
        release: (message) => this.watchdog?.release(message),
      },
      logger: this.logger,
    });
    const { admission, runner } = this;
    this.view = new WorkerView({ config, admission, runner, registry });
    this.clockCheck = new ClockCheck(resources);
    this.heartBeats = new HeartBeats(
      publisher,
      names,
      config.name,
      this.logger,
      (load) => this.view.stats(load),
      (sentAt, ack) => void this.clockCheck.check(sentAt, ack),
    );
    this.service = new NatsService(connection, {
      prefix: names.prefix,
      name: names.workerService,
      id: config.name,
      version: packageVersion(),
      description: 'Runs background tasks',
      metadata: { queues: config.queues.join(','), version: config.version },
      endpoints: workerEndpoints(names, this, () => this.shutDownOnRequest(onShutdownRequest)),
    });
  }

  get name(): string {
    return this.config.name;
  }

  get isReady(): boolean {
    return this.admission.isOpen && this.readiness.isReady;
  }

  get runningCount(): number {
    return this.runner.count;
  }

  get concurrency(): number {
    return this.admission.concurrency;
  }

  set concurrency(value: number) {
    this.admission.concurrency = value;
    this.logger.info({ concurrency: value }, 'concurrency changed');
  }

  active(): ActiveTask[] {
    return this.view.active();
  }

  reserved(): HeldTask[] {
    return this.view.reserved();
  }

  scheduled(): HeldTask[] {
    return this.view.scheduled();
  }

  registered(): string[] {
    return this.view.registered();
  }

  stats(): HeartBeat {
    return this.view.stats(this.heartBeats.load);
  }

  start(): void {
    if (this.starting !== undefined || this.stopping !== undefined) return;
    this.admission.start();
    if (this.config.strayErrors === 'log') this.endContainment = containStrayErrors(this.logger);
    if (this.config.watchdog)
      this.watchdog = new Watchdog(this.name, this.resources.connection, this.resources.topology);
    this.ticker.start();
    this.readiness.start();
    this.service.start();
    this.heartBeats.start();
    // What has been revoked has to be known before the first task is taken.
    this.starting = this.beginFetching();
    this.logger.info({ queues: this.config.queues, concurrency: this.concurrency }, 'worker started');
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown().finally(() => this.endContainment?.());
    return this.stopping;
  }

  private async beginFetching(): Promise<void> {
    await Promise.all([this.control.start(), this.clockCheck.first]);
    if (this.admission.isOpen) this.fetcher.start();
  }

  private async shutDown(): Promise<void> {
    this.logger.info({ running: this.runningCount }, 'worker stopping');
    this.admission.close();
    this.readiness.stop();
    const wasStarted = this.starting !== undefined;
    if (wasStarted) this.heartBeats.beat();
    await this.fetcher.stop();
    await this.admission.answered();
    this.admission.clear();
    this.othersCopies.clear();
    await this.runner.drain(this.config.shutdownGraceMs);
    await this.admission.released();
    await this.control.stop();
    this.service.stop();
    this.ticker.stop();
    await this.watchdog?.stop();
    await Promise.all([...this.registry.values()].map((handler) => this.closeHandler(handler)));
    if (wasStarted) await this.heartBeats.stop();
    await this.resources.close();
    this.logger.info('worker stopped');
  }

  private closeHandler(handler: TaskHandler): Promise<void> {
    const { name } = handler.contract;
    return containWithin(
      () => handler.close?.(),
      CLOSE_WITHIN_MS,
      (error) => this.logger.error({ err: error, task: name }, 'a handler could not be closed'),
    );
  }

  private shutDownOnRequest(onShutdownRequest: (() => void) | undefined): void {
    this.logger.info('shutdown requested');
    const report = (error: unknown): void =>
      this.logger.error({ err: error }, 'the requested shutdown failed');
    void this.stop()
      .catch(report)
      .finally(() => contain(() => onShutdownRequest?.(), report));
  }

  private leaveAlone(message: PulledMessage): void {
    const delivery = readDelivery(this.resources.names, message);
    if (delivery !== undefined) void this.runner.leaveAlone(delivery);
  }

  private tick(): void {
    this.watchdog?.beat();
    const now = performance.now();
    this.runner.tick(now);
    this.blocking.tick(now, () => this.runner.attempts().map(({ delivery }) => delivery.subject.task));
  }
}
