/**
 * Takes accepted events from their stream to the database. Messages gather while a batch is being written, so batches grow with the load:
 * a lone event waits for nothing, and under pressure a transaction holds thousands.
 *
 * A message is acknowledged after the commit; one that comes again is known by its events' ids. While the database does not answer, what is
 * held is tried again and again, and nothing more is fetched.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Fetcher, type PulledMessage } from '@stratum/jobs/internal';
import { withTenant } from '@stratum/shared';
import { customerEventSchema, eventMessageSchema, eventStreamNames } from '@stratum/shared/customer-events';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { countNotes, type SourceNote } from './event-notes.js';
import type { IncomingEvent } from './event-row.js';
import type { EventWriter } from './event-writer.js';
import type { IngestMetrics } from './ingest-metrics.js';
import { saveRejected, type RejectedEvent } from './rejected-events.js';

export interface IngestionOptions {
  connection: NatsConnection;
  prefix: string;
  /** The ack wait of the stream's consumer, in milliseconds. */
  ackWaitMs: number;
  /** Connected as `stratum_cdp_worker`. */
  pool: Pool;
  writer: EventWriter;
  logger: Logger;
  metrics?: IngestMetrics;
}

/** Messages held, and their bytes: parsed they take several times as much. */
const MAX_HELD = 4_000;
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** The largest that the API sends. */
const MAX_MESSAGE_BYTES = 640 * 1024;
/** Messages in one transaction, and their bytes: some thousands of events. */
const MAX_BATCH_MESSAGES = 2_000;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;
/** One works out and parses while the other's transaction runs. */
const LANES = 2;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

interface Held {
  message: PulledMessage;
  tenantId: number | undefined;
}

export class Ingestion {
  private readonly fetcher: Fetcher<{ stream: string; consumer: string }>;
  private readonly waiting: Held[] = [];
  private readonly held = new Set<PulledMessage>();
  private heldBytes = 0;
  private readonly stopped = new AbortController();
  private readonly wakeUps: (() => void)[] = [];
  private lanes: Promise<void>[] = [];
  private readonly tenantOf: (subject: string) => number | undefined;

  constructor(private readonly options: IngestionOptions) {
    const names = eventStreamNames(options.prefix);
    this.tenantOf = names.tenantOf;
    this.fetcher = new Fetcher({
      connection: options.connection,
      lanes: [{ stream: names.stream, consumer: names.consumer }],
      ackWaitMs: options.ackWaitMs,
      capacity: () => MAX_HELD,
      room: () => this.room(),
      onMessage: (message) => this.take(message),
      logger: options.logger,
    });
  }

  /** Idempotent. */
  start(): void {
    if (this.lanes.length > 0) return;
    this.fetcher.start();
    this.lanes = Array.from({ length: LANES }, () => this.run());
  }

  /** Finishes the current write; other held messages go to other workers. Idempotent. */
  async stop(): Promise<void> {
    if (this.stopped.signal.aborted) return;
    this.stopped.abort();
    await this.fetcher.stop();
    this.wakeAll();
    await Promise.all(this.lanes);
    for (const message of this.held) message.nak();
  }

  /** A request cannot say how many bytes it may bring, so each message counts as the largest. */
  private room(): number {
    const messages = MAX_HELD - this.held.size;
    const bytes = MAX_HELD_BYTES - this.heldBytes;
    return Math.max(0, Math.min(messages, Math.floor(bytes / MAX_MESSAGE_BYTES)));
  }

  private take(message: PulledMessage): void {
    this.held.add(message);
    this.heldBytes += message.data.length;
    this.waiting.push({ message, tenantId: this.tenantOf(message.subject) });
    this.wakeAll();
  }

  private letGo(messages: readonly PulledMessage[]): void {
    for (const message of messages) {
      message.ack();
      this.held.delete(message);
      this.heldBytes -= message.data.length;
    }
    this.fetcher.wake();
  }

  private async run(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const batch = this.nextBatch();
      if (batch === undefined) await new Promise<void>((resolve) => this.wakeUps.push(resolve));
      else await this.writeBatch(batch);
    }
  }

  private wakeAll(): void {
    for (const wakeUp of this.wakeUps.splice(0)) wakeUp();
  }

  /** Messages of the tenant that has waited longest. */
  private nextBatch(): { tenantId: number | undefined; messages: PulledMessage[] } | undefined {
    const [first] = this.waiting;
    if (first === undefined) return undefined;
    const { tenantId } = first;
    const messages: PulledMessage[] = [];
    let bytes = 0;
    const rest: Held[] = [];
    for (const each of this.waiting) {
      const fits =
        messages.length === 0 ||
        (bytes + each.message.data.length <= MAX_BATCH_BYTES && messages.length < MAX_BATCH_MESSAGES);
      if (each.tenantId === tenantId && fits) {
        messages.push(each.message);
        bytes += each.message.data.length;
      } else {
        rest.push(each);
      }
    }
    this.waiting.splice(0, this.waiting.length, ...rest);
    return { tenantId, messages };
  }

  private async writeBatch({
    tenantId,
    messages,
  }: {
    tenantId: number | undefined;
    messages: PulledMessage[];
  }): Promise<void> {
    const { logger, metrics } = this.options;
    if (tenantId === undefined) {
      logger.error(
        { subjects: messages.map(({ subject }) => subject) },
        'customer events without a tenant are dropped',
      );
      this.letGo(messages);
      return;
    }
    const { events, rejected, refused } = parse(messages);
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        await saveRejected(this.options.pool, tenantId, rejected);
        rejected.length = 0;
        if (refused.length > 0)
          await withTenant(this.options.pool, tenantId, (client) => countNotes(client, tenantId, refused));
        refused.length = 0;
        const startedAt = performance.now();
        const outcome = await this.options.writer.write(tenantId, events);
        metrics?.noteBatch(outcome, performance.now() - startedAt);
        if (outcome.rejected > 0)
          logger.error(
            { tenantId, rejected: outcome.rejected },
            'customer events could not be written and are set aside',
          );
        this.letGo(messages);
        return;
      } catch (error) {
        if (this.stopped.signal.aborted) return;
        logger.warn(
          { err: error, tenantId, events: events.length, waitMs },
          'customer events are waiting to be written',
        );
        await delay(waitMs, undefined, { signal: this.stopped.signal }).catch(() => undefined);
      }
    }
  }
}

/** Events that are none are set aside at once: other programs may publish here, too. */
function parse(messages: readonly PulledMessage[]): {
  events: IncomingEvent[];
  rejected: RejectedEvent[];
  /** The API has refused them. */
  refused: SourceNote[];
} {
  const events: IncomingEvent[] = [];
  const refused: SourceNote[] = [];
  const rejected: RejectedEvent[] = [];
  for (const message of messages) {
    const body = parseBody(message);
    if (body === undefined) {
      rejected.push({
        sourceId: null,
        messageId: null,
        payload: message.data,
        error: 'not a message of customer events',
      });
      continue;
    }
    const { sourceId, receivedAt } = body;
    for (const note of body.rejected ?? [])
      refused.push({ ...note, sourceId, outcome: 'rejected', at: receivedAt });
    for (const each of body.events) {
      const { data: event, error } = customerEventSchema.safeParse(each);
      if (event !== undefined) events.push({ sourceId, receivedAt, event });
      else
        rejected.push({
          sourceId,
          messageId: null,
          payload: JSON.stringify(each) ?? 'null',
          error: error.message,
        });
    }
  }
  return { events, rejected, refused };
}

function parseBody(message: PulledMessage): ReturnType<typeof eventMessageSchema.safeParse>['data'] {
  try {
    return eventMessageSchema.safeParse(message.json()).data;
  } catch {
    return undefined;
  }
}
