/**
 * Reads the stream of domain events through a durable consumer: for each subscription that wants an event a message is stored and a task
 * made, then the event is acknowledged. A process that dies in between repeats it without harm: the message is there already, and the id of
 * its task comes from it.
 */
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type ConsumerMessages,
  type JsMsg,
} from '@nats-io/jetstream';
import { z } from 'zod';
import { deliverWebhook } from '@stratum/shared';
import { answersInTime } from '@stratum/shared/service';
import { domainEventNames } from '../domain-events/stream.js';
import { firstDelivery } from '@stratum/shared/subscriptions';
import type { WebhookDispatcherOptions } from './dispatcher-options.js';

const CONSUMER = 'webhooks';
/** Events in one statement. */
const BATCH = 500;
/** Events that could not be dealt with come again after so long. */
const AGAIN_AFTER_MS = 2_000;

const eventSchema = z.object({ id: z.coerce.number().int().positive(), tenant_id: z.int().positive() });

interface ReadEvent {
  id: number;
  tenantId: number;
  message: JsMsg;
}

export class EventReader {
  private readonly waiting: JsMsg[] = [];
  private messages: ConsumerMessages | undefined;
  private working: Promise<void> | undefined;

  constructor(private readonly options: WebhookDispatcherOptions) {}

  async start(): Promise<void> {
    const { connection, prefix, ackWaitMs } = this.options;
    const { stream } = domainEventNames(prefix);
    const manager = await jetstreamManager(connection);
    await manager.consumers.add(stream, {
      durable_name: CONSUMER,
      description: 'Makes deliveries to subscriptions',
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ackWaitMs * 1_000_000,
      // Bounds what waits here, too.
      max_ack_pending: 2 * BATCH,
    });
    const consumer = await jetstream(connection).consumers.get(stream, CONSUMER);
    this.messages = await consumer.consume({
      max_messages: BATCH,
      callback: (message) => {
        this.waiting.push(message);
        this.working ??= this.work();
      },
    });
  }

  async stop(): Promise<void> {
    // Closing asks the broker, which may be away.
    if (this.messages !== undefined) await answersInTime(this.messages.close());
    await this.working;
  }

  /** Events that arrive while one batch is processed become the next one: the more there is, the fewer statements it takes. */
  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH);
      try {
        await this.dispatch(batch.flatMap((message) => this.read(message)));
      } catch (error) {
        this.options.logger.error({ err: error, events: batch.length }, 'events are waiting to be delivered');
        for (const message of batch) message.nak(AGAIN_AFTER_MS);
      }
    }
    this.working = undefined;
  }

  private read(message: JsMsg): ReadEvent[] {
    const parsed = eventSchema.safeParse(parseJson(message));
    if (parsed.success) return [{ id: parsed.data.id, tenantId: parsed.data.tenant_id, message }];
    this.options.logger.error(
      { subject: message.subject, sequence: message.seq },
      'a domain event of unknown form was skipped',
    );
    message.term('unknown form');
    return [];
  }

  private async dispatch(events: readonly ReadEvent[]): Promise<void> {
    const { pool, client } = this.options;
    const { rows } = await pool.query<{ tenant_id: string; subscription_id: string; event_id: string }>(
      'SELECT * FROM expect_webhooks($1, $2)',
      [events.map(({ tenantId }) => tenantId), events.map(({ id }) => id)],
    );
    await client.enqueueMany(
      deliverWebhook,
      rows.map((row) =>
        firstDelivery({
          tenantId: Number(row.tenant_id),
          subscriptionId: row.subscription_id,
          eventId: Number(row.event_id),
        }),
      ),
    );
    for (const { message } of events) message.ack();
  }
}

function parseJson(message: JsMsg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
