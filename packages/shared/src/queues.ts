/** The streams, consumers and buckets of the platform, as configured. */
import type { Topology } from '@stratum/jobs';
import { defineTopology } from '@stratum/jobs/monitor';
import type { BrokerConfiguration } from './configuration/broker-settings.js';
import { QUEUES } from './queue-names.js';

export { QUEUES, type QueueName } from './queue-names.js';

export const TOPOLOGY_SETTINGS = [
  'STRATUM_PREFIX',
  'STRATUM_REPLICAS',
  'STRATUM_QUEUE_SHARDS',
  'TASK_ACK_WAIT',
  'RESULT_EXPIRES',
  'TASK_MAX_PAYLOAD',
  'TASK_MAX_RESULT',
  'TASK_EVENTS_MAX_BYTES',
  'CUSTOMER_EVENTS_MAX_BYTES',
  'DOMAIN_EVENTS_MAX_BYTES',
  'AUDIT_MAX_BYTES',
] as const satisfies readonly (keyof BrokerConfiguration)[];

/** Streams, consumers and buckets of the platform, as configured. */
export function platformTopology(
  configuration: Pick<BrokerConfiguration, (typeof TOPOLOGY_SETTINGS)[number]>,
): Topology {
  return defineTopology({
    prefix: configuration.STRATUM_PREFIX,
    replicas: configuration.STRATUM_REPLICAS,
    ackWaitMs: configuration.TASK_ACK_WAIT,
    resultExpiresMs: configuration.RESULT_EXPIRES,
    maxPayloadBytes: configuration.TASK_MAX_PAYLOAD,
    maxResultBytes: configuration.TASK_MAX_RESULT,
    eventsMaxBytes: configuration.TASK_EVENTS_MAX_BYTES,
    queues: QUEUES.map((queue) => ({ ...queue, ...configuration.STRATUM_QUEUE_SHARDS.get(queue.name) })),
  });
}
