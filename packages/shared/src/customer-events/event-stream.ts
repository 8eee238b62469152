/** The stream in which accepted events wait to be written: one message for each request. */
import {
  AckPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import type { Configuration } from '../configuration/configuration.js';

export interface EventStreamNames {
  stream: string;
  filter: string;
  consumer: string;
  subject: (tenantId: number, sourceId: number) => string;
  /** Whose events a message holds; `undefined` when the subject is none of this stream's. */
  tenantOf: (subject: string) => number | undefined;
}

/** A worker that holds messages says so well inside this time; one that is lost has its messages given to another after it. */
export const EVENT_ACK_WAIT_MS = 30_000;

export function eventStreamNames(prefix: string): EventStreamNames {
  const head = `${prefix}.customer.`;
  return {
    stream: prefix === 'stratum' ? 'CUSTOMER_EVENTS' : `${prefix}_CUSTOMER_EVENTS`,
    filter: `${head}>`,
    consumer: 'ingest',
    subject: (tenantId, sourceId) => `${head}${tenantId}.${sourceId}`,
    tenantOf: (subject) => {
      const tenant = Number(subject.slice(head.length).split('.')[0]);
      return Number.isSafeInteger(tenant) && tenant > 0 ? tenant : undefined;
    },
  };
}

/** Creates the stream and its consumer unless they are there. */
export async function ensureEventStream(
  connection: NatsConnection,
  configuration: Pick<Configuration, 'STRATUM_PREFIX' | 'STRATUM_REPLICAS'>,
): Promise<void> {
  const names = eventStreamNames(configuration.STRATUM_PREFIX);
  const manager = await jetstreamManager(connection);
  const stream: Partial<StreamConfig> & { name: string } = {
    name: names.stream,
    description: 'Customer events on their way to the database',
    subjects: [names.filter],
    // Kept until they are written; what would not fit is refused, never dropped.
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    num_replicas: configuration.STRATUM_REPLICAS,
  };
  await manager.streams.add(stream);
  const consumer: Partial<ConsumerConfig> = {
    durable_name: names.consumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: EVENT_ACK_WAIT_MS * 1_000_000,
    max_ack_pending: -1,
  };
  await manager.consumers.add(names.stream, consumer);
}

/** A message: what one request brought. Its events are checked one by one. */
export const eventMessageSchema = z.object({
  sourceId: z.int().positive(),
  receivedAt: z.iso.datetime(),
  events: z.array(z.unknown()),
});
export type EventMessage = z.output<typeof eventMessageSchema>;
