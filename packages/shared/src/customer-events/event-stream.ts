/** The stream in which accepted events wait to be written: one message for each request. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { ReconcileOptions } from '@stratum/jobs';
import { scopedName } from '@stratum/jobs/internal';
import { z } from 'zod';
import type { Configuration } from '../configuration/configuration.js';
import { ensureWorkQueueStream } from '../work-queue-stream.js';
import { eventNoteSchema } from './event.js';

export interface EventStreamNames {
  stream: string;
  filter: string;
  consumer: string;
  subject: (tenantId: number, sourceId: number) => string;
  /** Whose events a message holds; `undefined` when the subject is none of this stream's. */
  tenantOf: (subject: string) => number | undefined;
}

export function eventStreamNames(prefix: string): EventStreamNames {
  const head = `${prefix}.customer.`;
  return {
    stream: scopedName(prefix, 'CUSTOMER_EVENTS'),
    filter: `${head}>`,
    consumer: 'ingest',
    subject: (tenantId, sourceId) => `${head}${tenantId}.${sourceId}`,
    tenantOf: (subject) => {
      const tenant = Number(subject.slice(head.length).split('.')[0]);
      return Number.isSafeInteger(tenant) && tenant > 0 ? tenant : undefined;
    },
  };
}

/** Brings the stream and its consumer to what is configured. */
export async function ensureEventStream(
  connection: NatsConnection,
  configuration: Pick<
    Configuration,
    'STRATUM_PREFIX' | 'STRATUM_REPLICAS' | 'CUSTOMER_EVENTS_MAX_BYTES' | 'TASK_ACK_WAIT'
  >,
  options?: ReconcileOptions,
): Promise<void> {
  const names = eventStreamNames(configuration.STRATUM_PREFIX);
  const declared = {
    ...names,
    description: 'Customer events on their way to the database',
    replicas: configuration.STRATUM_REPLICAS,
    maxBytes: configuration.CUSTOMER_EVENTS_MAX_BYTES,
    ackWaitNs: configuration.TASK_ACK_WAIT * 1_000_000,
  };
  await ensureWorkQueueStream(connection, declared, options);
}

/** A message: what one request brought. Its events are checked one by one. */
export const eventMessageSchema = z.object({
  sourceId: z.int().positive(),
  receivedAt: z.iso.datetime(),
  events: z.array(z.unknown()),
  /** Why other events of the request were refused, one for each. */
  rejected: z.array(eventNoteSchema).optional(),
});
export type EventMessage = z.output<typeof eventMessageSchema>;
