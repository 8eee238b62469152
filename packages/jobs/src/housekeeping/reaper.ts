/**
 * Dead-letters tasks that kept losing their workers. The server gives up such a message after max deliver, keeps it, and only
 * publishes an advisory; the reaper works through the stream that catches the advisories.
 *
 *     store the record → publish the dead letter → move its workflow on → remove the message → acknowledge the advisory
 *
 * Each step can be repeated, so a reaper may die anywhere and several may run. Searches find what no advisory reports: tasks whose
 * advisory was lost, messages that no lane takes, delayed tasks that were not handed over, and runs that nobody has woken.
 */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import type { Logger } from '../telemetry/logger.js';
import { z } from 'zod';
import { Lifetime } from '../broker/lifetime.js';
import { Resources } from '../resources/resources.js';
import { compareAttempts, type AttemptPosition } from '../record/precedence.js';
import { RecordSlot } from '../record/record-store.js';
import {
  handBacksOf,
  lostRecord,
  positionOf,
  readStoredTask,
  WORKER_LOST,
  type TaskMessage,
} from '../record/task-record.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import { REAPER_CONSUMER, type Topology } from '../topology/define.js';
import { storedSequence, storedSubject, type StreamMessage } from '../broker/stored-message.js';
import { readJson } from '../values/read-json.js';
import { timer } from '../values/bounds.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { StreamConsumer } from '../broker/pull/stream-consumer.js';
import type { TaskContract } from '../task/define-task.js';
import { eventSourceOf } from '../record/event-source.js';
import { BackgroundLoop } from './background-loop.js';
import { ExhaustedTasks } from './exhausted-tasks.js';
import { LetterIndexing } from './letter-indexing.js';
import { OverdueTasks } from './overdue-tasks.js';
import { UnheardWaits } from './unheard-waits.js';
import { StrayMessages } from './stray-messages.js';

export interface ReaperOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  metrics?: MetricsRecorder;
  /** Contracts of tasks whose events carry labels. Default: none. */
  contracts?: readonly TaskContract[];
  /**
   * Pause between two searches, in milliseconds: for tasks whose advisory was lost, which the second search that sees them dead-letters;
   * for messages that no lane takes; for delayed tasks that were not handed over. Default 60,000.
   */
  searchEveryMs?: number;
}

export interface Reaper {
  /** Starts working through the advisories. Idempotent. */
  start(): void;
  /** Finishes what it has begun, then stops. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when it has stopped: by `stop`, or by itself because its connection is closed for good. */
  readonly closed: Promise<void>;
}

const DEFAULT_SEARCH_EVERY_MS = 60_000;
/** Each search for overdue tasks reads all that are delayed: with a million of them it may take a twentieth of the time. */
const PAUSE_PER_SEARCH = 19;
/** Until then, listings look through new dead letters themselves. */
const INDEX_EVERY_MS = 1_000;
/** So long a run sleeps on that its waker has forgotten. */
const UNHEARD_EVERY_MS = 5_000;
/** Advisories worked on at once. */
const CONCURRENCY = 16;

const advisorySchema = z.object({
  stream: z.string(),
  consumer: z.string(),
  stream_seq: z.int(),
  deliveries: z.int(),
});
type Advisory = z.infer<typeof advisorySchema>;

/** A reaper for all queues of the topology; run at least one for each prefix. */
export function createReaper(options: ReaperOptions): Reaper {
  return new AdvisoryReaper(options);
}

interface Search {
  search(manager: JetStreamManager, signal: AbortSignal): Promise<void>;
}

class AdvisoryReaper implements Reaper {
  private readonly logger: Logger;
  private readonly resources: Resources;
  private readonly advisories: StreamConsumer;
  private readonly searches: readonly BackgroundLoop[];
  private readonly life: Lifetime;

  constructor(private readonly options: ReaperOptions) {
    const { connection, topology } = options;
    const { names } = topology;
    this.logger = guardedLogger(options.logger).child({ part: 'reaper' });
    const { logger } = this;
    this.life = new Lifetime(connection, logger);
    this.resources = new Resources({
      connection,
      topology,
      metrics: options.metrics,
      contracts: options.contracts,
      logger,
    });
    this.advisories = new StreamConsumer({
      connection,
      stream: names.advisoryStream,
      consumer: REAPER_CONSUMER,
      ackWaitMs: topology.ackWaitMs,
      concurrency: CONCURRENCY,
      process: (message) => this.handle(message),
      onError: (error) =>
        this.logger.error({ err: error }, 'a lost task could not be dead-lettered; trying again later'),
      logger,
    });
    const { resources } = this;
    const exhausted = new ExhaustedTasks({
      topology,
      streams: resources.streams,
      onFound: (stream, sequence) =>
        this.deadLetter({ stream, stream_seq: sequence, deliveries: topology.maxDeliver }),
    });
    const strays = new StrayMessages(resources, logger);
    const overdue = new OverdueTasks(resources, logger);
    const searchEveryMs = timer
      .within({ min: 1 })
      .require('searchEveryMs', options.searchEveryMs ?? DEFAULT_SEARCH_EVERY_MS);
    const search = (kind: Search, everyMs: number, pausePerSearch = 0): BackgroundLoop =>
      new BackgroundLoop({
        run: async (signal) => {
          const startedAt = performance.now();
          await kind.search(await jetstreamManager(connection, { checkAPI: false }), signal);
          return Math.max(everyMs, (performance.now() - startedAt) * pausePerSearch);
        },
        everyMs,
        afterFailureMs: searchEveryMs,
        onFailure: (error) =>
          this.logger.warn({ err: error }, 'a search of the reaper failed; trying again later'),
      });
    this.searches = [
      search(exhausted, searchEveryMs),
      search(strays, searchEveryMs),
      search(overdue, searchEveryMs, PAUSE_PER_SEARCH),
      search(new UnheardWaits(resources), Math.min(searchEveryMs, UNHEARD_EVERY_MS), PAUSE_PER_SEARCH),
      search(new LetterIndexing(resources), Math.min(searchEveryMs, INDEX_EVERY_MS)),
    ];
  }

  get closed(): Promise<void> {
    return this.life.ended;
  }

  start(): void {
    this.advisories.start();
    for (const search of this.searches) search.start();
    this.life.begin(() => this.stop());
  }

  stop(): Promise<void> {
    return this.life.end(() => this.shutDown());
  }

  private async shutDown(): Promise<void> {
    await Promise.all([this.advisories.stop(), ...this.searches.map((search) => search.stop())]);
    await this.resources.close();
  }

  private async handle(message: PulledMessage): Promise<void> {
    const advisory = advisorySchema.safeParse(readJson(message));
    if (!advisory.success) {
      this.logger.error({ subject: message.subject }, 'an advisory of unknown form was skipped');
      message.term('unknown form');
      return;
    }
    await this.deadLetter(advisory.data);
    message.ack();
  }

  private async deadLetter({
    stream,
    stream_seq: sequence,
    deliveries,
  }: Omit<Advisory, 'consumer'>): Promise<void> {
    const { names } = this.options.topology;
    const message = await this.resources.streams.get(stream, { seq: sequence });
    const task = message && readStoredTask(names, message);
    // It was finished after all, or another reaper was faster.
    if (message === undefined || task === undefined) return;
    const { subject, headers, enqueuedAt } = task;
    const total = headers.deliveries + deliveries;
    if (await this.isRenewed(task, message, total)) {
      await this.resources.streams.delete(stream, sequence);
      return;
    }
    const lost = await this.storeLoss(task, total, sequence);
    if (lost !== undefined) {
      const { retries } = headers;
      const error = `${WORKER_LOST}: ${lost.record.error?.message ?? ''}`;
      await this.resources.letters.publishOnce(
        { subject, replayTo: storedSubject(message), headers: message.headers, retries, enqueuedAt },
        { reason: 'worker_lost', error, worker: lost.record.worker },
        message.data,
      );
    }
    if (lost?.isOwn === true) {
      this.resources.events.emit(
        lost.record,
        eventSourceOf(task, message.data, { sequence, delivery: deliveries }),
      );
      this.resources.metrics?.deadLettered(subject.queue, subject.task, 'worker_lost');
      this.logger.error(
        { ...subject, deliveries: total },
        'task lost its workers too often and is now a dead letter',
      );
    }
    if (headers.workflow !== undefined || headers.awaitedBy !== undefined) {
      const end = await this.resources.records.read(subject);
      await this.resources.taskEnds.catchUp(headers, subject, end?.record);
    }
    await this.resources.streams.delete(stream, sequence);
  }

  /** The server counts every delivery; those that a worker handed back are no losses. */
  private async isRenewed(task: TaskMessage, message: StreamMessage, deliveries: number): Promise<boolean> {
    const { records, renewals, topology } = this.resources;
    const stored = await records.read(task.subject);
    if (stored !== undefined && isFinal(stored.record.state)) return false;
    const handBacks = handBacksOf(task, stored?.record);
    if (deliveries - handBacks >= topology.maxDeliver) return false;
    const { headers, data } = message;
    const { subject, enqueuedAt } = task;
    const own = { subject: storedSubject(message), headers, data, streamSequence: storedSequence(message) };
    return renewals.renew({ subject, enqueuedAt, message: own }, deliveries, handBacks);
  }

  /**
   * Of the reaper and a worker that was only thought to be lost, the one that gets to write the record decides. Returns the record of the
   * loss, this reaper's or of one that came no further; `undefined` when the task has ended or gone on.
   */
  private async storeLoss(
    task: TaskMessage,
    deliveries: number,
    sequence: number,
  ): Promise<{ record: TaskRecord; isOwn: boolean } | undefined> {
    const { subject } = task;
    const position = positionOf(task);
    const furthest = await this.resources.messages.furthest(subject, sequence);
    if (furthest !== undefined && compareAttempts(furthest, position) > 0) {
      const stored = await this.resources.records.read(subject);
      const isUnfinished = stored !== undefined && isLoss(stored.record, position);
      return isUnfinished ? { record: stored.record, isOwn: false } : undefined;
    }
    const slot = new RecordSlot();
    for (;;) {
      const lost = (standing: TaskRecord | undefined): TaskRecord => lostRecord(task, deliveries, standing);
      const result = await this.resources.records.replace(subject, lost, slot);
      if ('written' in result) return { record: result.written, isOwn: true };
      const { record, sequence: kept } = result.kept;
      if (isLoss(record, position)) return { record, isOwn: false };
      if (isFinal(record.state) || (furthest !== undefined && compareAttempts(furthest, record) >= 0))
        return undefined;
      // An open record that no message carries on: the task would be forgotten.
      slot.overruled = kept;
    }
  }
}

/** Another reaper, or this one before it died, has stored the loss of this very attempt. */
function isLoss(record: TaskRecord, position: AttemptPosition): boolean {
  return record.error?.type === WORKER_LOST && compareAttempts(record, position) === 0;
}
