/**
 * Buries tasks that kept losing their workers. The server gives up such a message after max deliver, keeps it, and only
 * publishes an advisory; the reaper works through the stream that catches the advisories.
 *
 *     publish the dead letter → store the record → remove the message → acknowledge the advisory
 *
 * Each step can be repeated, so a reaper may die anywhere and several may run.
 */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { pino, type Logger } from 'pino';
import { z } from 'zod';
import { TaskLookup } from '../client/lookup.js';
import { AckMultiplexer } from '../connection/ack-multiplexer.js';
import { composeDeadLetter, deadLetterId } from '../dead-letters/compose.js';
import { EventPublisher } from '../events/event-publisher.js';
import { RecordStore } from '../worker/record-store.js';
import { REAPER_CONSUMER, type Topology } from '../topology/define.js';
import { StreamAccess, storedSubject } from '../topology/stream-access.js';
import { readTaskHeaders, ServerHeader } from '../wire/headers.js';
import type { TaskSubject } from '../wire/names.js';
import type { TaskRecord } from '../wire/record.js';
import { Fetcher } from '../worker/fetcher.js';
import type { Lane } from '../worker/lanes.js';

export interface ReaperOptions {
  connection: NatsConnection;
  topology: Topology;
  logger?: Logger;
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
  private readonly lookup: TaskLookup;
  private readonly streams: StreamAccess;
  private readonly fetcher: Fetcher;
  private readonly busy = new Set<Promise<void>>();
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: ReaperOptions) {
    const { connection, topology } = options;
    const { names } = topology;
    this.logger = (options.logger ?? pino({ level: 'silent' })).child({ part: 'reaper' });
    this.publisher = new AckMultiplexer(connection);
    this.events = new EventPublisher(connection, names, this.logger);
    this.records = new RecordStore(this.publisher, names, () => Infinity);
    this.lookup = new TaskLookup(connection, topology);
    this.streams = new StreamAccess(connection);
    const lane: Lane = {
      queue: 'advisories',
      priority: 'normal',
      stream: names.advisoryStream,
      consumer: REAPER_CONSUMER,
      weight: 1,
    };
    this.fetcher = new Fetcher({
      connection,
      lanes: [lane],
      capacity: () => CONCURRENCY,
      room: () => CONCURRENCY - this.busy.size,
      onMessage: (message) => this.accept(message),
      logger: this.logger,
    });
  }

  start(): void {
    this.fetcher.start();
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    await this.fetcher.stop();
    await Promise.all(this.busy);
    await Promise.all([this.events.close(), this.publisher.close()]);
  }

  private accept(message: Msg): void {
    const work = this.handle(message)
      .catch((error: unknown) => {
        // Not acknowledged, so it comes again after the consumer's ack wait.
        this.logger.error({ err: error }, 'a lost task could not be buried; trying again later');
      })
      .finally(() => {
        this.busy.delete(work);
        this.fetcher.wake();
      });
    this.busy.add(work);
  }

  private async handle(message: Msg): Promise<void> {
    const advisory = advisorySchema.safeParse(message.json());
    if (advisory.success) await this.bury(advisory.data);
    else this.logger.error({ subject: message.subject }, 'an advisory of unknown form is left aside');
    message.respond('+ACK');
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
    const record = await this.lookup.record(subject.id);
    const ours =
      record?.enqueued_at === enqueuedAt && record.retries === headers.retries ? record : undefined;
    if (ours?.state !== 'SUCCESS') {
      const error = `WorkerLost: The task lost its worker ${deliveries} times.`;
      const task = {
        subject,
        replayTo: storedSubject(message),
        headers: message.headers,
        retries: headers.retries,
        enqueuedAt,
      };
      const letter = composeDeadLetter(names, task, {
        reason: 'worker_lost',
        error,
        worker: ours?.worker ?? null,
      });
      const buried = await this.isBuried(subject, deadLetterId(subject.id, enqueuedAt, headers.retries));
      if (!buried) await this.publisher.publish(letter.subject, message.data, { headers: letter.headers });
      const final = lostRecord(subject, ours, {
        enqueuedAt,
        retries: headers.retries,
        deliveries,
        parentId: headers.parentId,
        rootId: headers.rootId,
      });
      await this.records.put(final);
      this.events.emit(final);
      this.logger.error(
        { ...subject, deliveries },
        'task lost its workers too often and is now a dead letter',
      );
    }
    await this.streams.delete(stream, sequence);
  }

  /** Beyond the server's window of de-duplication, too. */
  private async isBuried({ queue, task, id }: TaskSubject, letterId: string): Promise<boolean> {
    const { names } = this.options.topology;
    const last = await this.streams.get(names.deadStream, {
      last_by_subj: names.deadSubject(queue, task, id),
    });
    return last?.headers?.get(ServerHeader.MsgId) === letterId;
  }
}

interface LostTask {
  enqueuedAt: string;
  retries: number;
  deliveries: number;
  parentId: string | undefined;
  rootId: string | undefined;
}

function lostRecord(subject: TaskSubject, last: TaskRecord | undefined, lost: LostTask): TaskRecord {
  return {
    id: subject.id,
    task: subject.task,
    queue: subject.queue,
    tenant: subject.tenant ?? null,
    priority: subject.priority,
    state: 'FAILURE',
    retries: lost.retries,
    worker: last?.worker ?? null,
    result: null,
    error: {
      type: 'WorkerLost',
      message: `The task lost its worker ${lost.deliveries} times.`,
      stack: null,
      retryable: false,
    },
    progress: last?.progress ?? null,
    enqueued_at: lost.enqueuedAt,
    started_at: last?.started_at ?? null,
    finished_at: new Date().toISOString(),
    runtime_ms: null,
    parent_id: lost.parentId ?? null,
    root_id: lost.rootId ?? subject.id,
  };
}
