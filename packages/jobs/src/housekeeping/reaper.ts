/**
 * Buries tasks that kept losing their workers. The server gives up such a message after max deliver, keeps it, and only
 * publishes an advisory; the reaper works through the stream that catches the advisories.
 *
 *     store the record → publish the dead letter → move its workflow on → remove the message → acknowledge the advisory
 *
 * Each step can be repeated, so a reaper may die anywhere and several may run.
 */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { standardErrorLogger, type Logger } from '../telemetry/logger.js';
import { z } from 'zod';
import { TaskLookup } from '../record/lookup.js';
import { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { composeDeadLetter, deadLetterId } from '../message/compose-dead-letter.js';
import { JobsError } from '../errors.js';
import { EventPublisher } from '../record/event-publisher.js';
import { RecordStore } from '../record/record-store.js';
import type { MetricsRecorder } from '../telemetry/metrics-recorder.js';
import { REAPER_CONSUMER, type Topology } from '../topology/define.js';
import { StreamAccess, storedSubject } from '../broker/stream-access.js';
import { readTaskHeaders, ServerHeader, type TaskHeaders } from '../wire/headers.js';
import type { TaskSubject } from '../wire/names.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import { WorkflowEngine } from '../workflow/engine.js';
import type { PulledMessage } from '../broker/pull/pulled-message.js';
import { StreamConsumer } from '../broker/pull/stream-consumer.js';

export interface ReaperOptions {
  connection: NatsConnection;
  topology: Topology;
  /** Any pino logger. Default: warnings and errors, as lines of JSON on standard error. */
  logger?: Logger;
  metrics?: MetricsRecorder;
}

export interface Reaper {
  /** Starts working through the advisories. Idempotent. */
  start(): void;
  /** Finishes what it has begun, then stops. Idempotent. */
  stop(): Promise<void>;
}

/** Advisories worked on at once. */
const CONCURRENCY = 16;

const advisorySchema = z.object({
  stream: z.string(),
  consumer: z.string(),
  stream_seq: z.int(),
  deliveries: z.int(),
});
type Advisory = z.infer<typeof advisorySchema>;

export function createReaper(options: ReaperOptions): Reaper {
  return new AdvisoryReaper(options);
}

class AdvisoryReaper implements Reaper {
  private readonly logger: Logger;
  private readonly publisher: AckMultiplexer;
  private readonly events: EventPublisher;
  private readonly records: RecordStore;
  private readonly streams: StreamAccess;
  private readonly workflows: WorkflowEngine;
  private readonly advisories: StreamConsumer;
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: ReaperOptions) {
    const { connection, topology } = options;
    const { names } = topology;
    this.logger = (options.logger ?? standardErrorLogger()).child({ part: 'reaper' });
    this.publisher = new AckMultiplexer(connection);
    this.events = new EventPublisher(connection, names, this.logger);
    this.streams = new StreamAccess(connection);
    this.records = new RecordStore(this.publisher, this.streams, names, () => Infinity);
    const { publisher, logger } = this;
    const lookup = new TaskLookup(connection, topology);
    this.workflows = new WorkflowEngine({ connection, topology, publisher, lookup, logger });
    this.advisories = new StreamConsumer({
      connection,
      stream: names.advisoryStream,
      consumer: REAPER_CONSUMER,
      ackWaitMs: topology.ackWaitMs,
      concurrency: CONCURRENCY,
      process: (message) => this.handle(message),
      onError: (error) =>
        this.logger.error({ err: error }, 'a lost task could not be buried; trying again later'),
      logger,
    });
  }

  start(): void {
    this.advisories.start();
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    await this.advisories.stop();
    await Promise.all([this.events.close(), this.publisher.close()]);
  }

  private async handle(message: PulledMessage): Promise<void> {
    const advisory = advisorySchema.safeParse(message.json());
    if (!advisory.success) {
      this.logger.error({ subject: message.subject }, 'an advisory of unknown form is left aside');
      message.term('unknown form');
      return;
    }
    await this.bury(advisory.data);
    message.ack();
  }

  private async bury({ stream, stream_seq: sequence, deliveries }: Advisory): Promise<void> {
    const { names } = this.options.topology;
    const message = await this.streams.get(stream, { seq: sequence });
    const subject = message && names.parseTaskSubject(storedSubject(message));
    // It was finished after all, or another reaper was faster.
    if (message === undefined || subject === undefined) return;
    const headers = readTaskHeaders(message.headers);
    const enqueuedAt =
      headers.enqueuedAt ??
      new Date(message.headers?.get(ServerHeader.TimeStamp) ?? Date.now()).toISOString();
    const stored = await this.records.read(subject.id);
    const isOurs = stored?.record.enqueued_at === enqueuedAt && stored.record.retries === headers.retries;
    const ours = isOurs ? stored.record : undefined;
    const lost = { enqueuedAt, deliveries, headers };
    if (stored === undefined || !hasGoneOn(stored.record, enqueuedAt, headers.retries)) {
      // Of the reaper and a worker that was only thought to be lost, the one that gets to write the record decides.
      const final = lostRecord(subject, ours, lost);
      if ((await this.records.replaceRecord(final, stored?.sequence ?? 0)) === undefined) {
        throw new JobsError('publish_conflict', `The record of task "${subject.id}" changed meanwhile.`);
      }
      await this.publishLetter(message, subject, lost, ours?.worker ?? null);
      this.events.emit(final);
      this.options.metrics?.buried(subject.queue, subject.task, 'worker_lost');
      this.logger.error(
        { ...subject, deliveries },
        'task lost its workers too often and is now a dead letter',
      );
    } else if (ours?.error?.type === LOST) {
      // Another reaper came no further than the record.
      await this.publishLetter(message, subject, lost, ours.worker);
    }
    if (headers.workflow !== undefined) {
      const end = await this.records.read(subject.id);
      await this.workflows.catchUp(headers.workflow, subject.id, end?.record);
    }
    await this.streams.delete(stream, sequence);
  }

  /** Once, beyond the server's window of de-duplication, too. */
  private async publishLetter(
    message: Msg,
    subject: TaskSubject,
    { enqueuedAt, deliveries, headers: { retries } }: LostTask,
    worker: string | null,
  ): Promise<void> {
    const { names } = this.options.topology;
    const { queue, task, id } = subject;
    const last = await this.streams.get(names.deadStream, {
      last_by_subj: names.deadSubject(queue, task, id),
    });
    if (last?.headers?.get(ServerHeader.MsgId) === deadLetterId(id, enqueuedAt, retries)) return;
    const dead = { subject, replayTo: storedSubject(message), headers: message.headers, retries, enqueuedAt };
    const error = `${LOST}: ${lostMessage(deliveries)}`;
    const letter = composeDeadLetter(names, dead, { reason: 'worker_lost', error, worker });
    await this.publisher.publish(letter.subject, message.data, { headers: letter.headers });
  }
}

/** It came to its end, or further, and only its acknowledgement was lost. */
function hasGoneOn(record: TaskRecord, enqueuedAt: string, retries: number): boolean {
  const life = record.enqueued_at ?? '';
  if (record.state === 'SUCCESS' || life > enqueuedAt) return true;
  return life === enqueuedAt && (isFinal(record.state) || record.retries > retries);
}

const LOST = 'WorkerLost';

function lostMessage(deliveries: number): string {
  return `The task lost its worker ${deliveries} times.`;
}

interface LostTask {
  enqueuedAt: string;
  deliveries: number;
  headers: Readonly<TaskHeaders>;
}

function lostRecord(
  subject: TaskSubject,
  last: TaskRecord | undefined,
  { enqueuedAt, deliveries, headers }: LostTask,
): TaskRecord {
  return {
    id: subject.id,
    task: subject.task,
    queue: subject.queue,
    tenant: subject.tenant ?? null,
    priority: subject.priority,
    state: 'FAILURE',
    retries: headers.retries,
    worker: last?.worker ?? null,
    result: null,
    error: { type: LOST, message: lostMessage(deliveries), stack: null, retryable: false },
    progress: last?.progress ?? null,
    enqueued_at: enqueuedAt,
    started_at: last?.started_at ?? null,
    finished_at: new Date().toISOString(),
    runtime_ms: null,
    parent_id: headers.parentId ?? null,
    root_id: headers.rootId ?? subject.id,
  };
}
