/**
 * What the parts of a client, worker, scheduler or housekeeper share over its connection. Each is built here, once, and handed on; nothing
 * else builds one.
 */
import { AckMultiplexer, type AckMultiplexerOptions } from '../broker/ack-multiplexer.js';
import { outboxOf } from '../broker/outbox.js';
import { DeadLettering } from '../record/dead-lettering.js';
import { EVENT_WINDOW, EventPublisher, type EventPublisherOptions } from '../record/event-publisher.js';
import { LetterIndex } from '../record/letter-index.js';
import { TaskLookup } from '../record/lookup.js';
import { OtherMessages } from '../record/other-messages.js';
import { RecordStore } from '../record/record-store.js';
import { Renewals } from '../record/renewals.js';
import { UniqueLocks } from '../record/unique-locks.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import { guardedMetrics } from '../telemetry/guarded-metrics.js';
import type { TaskContract } from '../task/define-task.js';
import type { Logger } from '../telemetry/logger.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import { count, timer } from '../values/bounds.js';
import { EventLog } from '../events/event-log.js';
import { Waking } from '../events/waking.js';
import { CallEnds } from '../steps/call-ends.js';
import type { RunIdentity } from '../steps/journal.js';
import { Journals } from '../steps/journals.js';
import { StoredWaits, type Waits } from '../steps/waits.js';
import { WorkflowEngine } from '../workflow/engine.js';
import { TaskEnds } from './task-ends.js';
import { BrokerResources, type BrokerResourcesOptions } from './broker-resources.js';

export interface ResourcesOptions extends BrokerResourcesOptions {
  /** Told how long each confirmation took. */
  metrics?: MetricsRecorder | undefined;
  /** Largest record of a task that is stored, in bytes. Default: what the server takes. */
  maxRecordBytes?: number;
  /** Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger | undefined;
  /** Of tasks whose events carry labels. */
  contracts?: readonly TaskContract[] | undefined;
  /** Version of the worker, for events of its attempts. */
  workerVersion?: string;
}

/** In bytes: for the headers of a task and of its dead letter, the history of failures among them. */
const HEADER_ROOM = 16 * 1024;

/** @throws JobsError `invalid_options` that names the option and its bounds */
function requirePublishing(options: AckMultiplexerOptions = {}): AckMultiplexerOptions {
  count.within({ min: 1 }).optional('publishing.windowSize', options.windowSize);
  timer.optional('publishing.ackTimeoutMs', options.ackTimeoutMs);
  timer.optional('publishing.deadlineMs', options.deadlineMs);
  return options;
}

export class Resources extends BrokerResources {
  readonly records: RecordStore;
  readonly letters: DeadLettering;
  readonly letterIndex: LetterIndex;
  readonly messages: OtherMessages;
  readonly renewals: Renewals;
  readonly lookup: TaskLookup;
  readonly locks: UniqueLocks;
  readonly journals: Journals;
  readonly waking: Waking;
  readonly eventLog: EventLog;
  readonly callEnds: CallEnds;
  readonly workflows: WorkflowEngine;
  readonly taskEnds: TaskEnds;
  readonly metrics: MetricsRecorder | undefined;
  private readonly eventOptions: Omit<EventPublisherOptions, 'publisher'>;
  private eventPublisher: EventPublisher | undefined;

  constructor({
    metrics: unguarded,
    maxRecordBytes,
    logger: given,
    contracts = [],
    workerVersion,
    publishing,
    ...broker
  }: ResourcesOptions) {
    const logger = guardedLogger(given);
    const metrics = unguarded && guardedMetrics(unguarded, logger);
    super({
      ...broker,
      publishing: {
        ...requirePublishing(publishing),
        ...(metrics === undefined
          ? {}
          : { onConfirmed: (milliseconds: number) => metrics.confirmed(milliseconds) }),
      },
    });
    const { connection, topology, names, publisher, streams } = this;
    this.eventOptions = { names, logger, contracts, workerVersion };
    this.metrics = metrics;
    this.lookup = new TaskLookup(connection, topology, streams);
    this.records = new RecordStore(publisher, streams, names, () =>
      maxRecordBytes === undefined ? Infinity : this.withinServerLimit(maxRecordBytes),
    );
    this.letters = new DeadLettering(publisher, streams, names, () => this.maxBodyBytes);
    this.letterIndex = new LetterIndex(connection, publisher, streams, names);
    this.messages = new OtherMessages(streams, names);
    this.renewals = new Renewals(names, publisher, streams, () => this.maxBodyBytes);
    this.locks = new UniqueLocks(streams, names, publisher, this.producerTime);
    this.journals = new Journals({
      connection,
      publisher,
      names,
      streams,
      maxBytes: () => this.withinServerLimit(Math.min(topology.maxResultBytes, this.maxBodyBytes)),
    });
    this.waking = new Waking({ publisher, streams, names, now: () => this.clock.now() });
    const { waking } = this;
    this.eventLog = new EventLog({ connection, publisher, streams, names, waking });
    this.callEnds = new CallEnds({ connection, publisher, streams, names, waking });
    this.workflows = new WorkflowEngine({
      connection,
      topology,
      publisher,
      streams,
      lookup: this.lookup,
      records: this.records,
      letters: this.letters,
      maxPayloadBytes: () => this.maxPayloadBytes,
      events: () => this.events,
      logger,
    });
    this.taskEnds = new TaskEnds(this.workflows, this.callEnds);
  }

  /** What the steps of a run wait for. @param subject of the run's task */
  waitsOf(run: RunIdentity, subject: string): Waits {
    const { eventLog: log, callEnds: ends, lookup } = this;
    return new StoredWaits(run, subject, { log, ends, lookup });
  }

  /** Built at first use: whoever emits no events needs no second window. */
  get events(): EventPublisher {
    // A window of their own, so that results never wait behind events.
    this.eventPublisher ??= new EventPublisher({
      publisher: new AckMultiplexer(this.connection, { windowSize: EVENT_WINDOW }),
      ...this.eventOptions,
    });
    return this.eventPublisher;
  }

  /** Largest payload of a task, in bytes. */
  get maxPayloadBytes(): number {
    return Math.min(this.topology.maxPayloadBytes, this.maxBodyBytes);
  }

  /** Largest body, in bytes, of a message that gets headers: what the server takes, less room for them. */
  get maxBodyBytes(): number {
    const limit = this.withinServerLimit(Infinity);
    return limit - Math.min(HEADER_ROOM, limit / 4);
  }

  /** Waits for what is being stored, then stops. The connection stays open: it is the caller's. Idempotent. */
  override async close(): Promise<void> {
    await Promise.all([this.eventPublisher?.close(), super.close()]);
    outboxOf(this.connection).flush();
  }

  private withinServerLimit(bytes: number): number {
    return Math.min(bytes, this.connection.info?.max_payload ?? Infinity);
  }
}
