/** The six queues of the platform. */
import { defineTopology, type QueueOptions, type Topology } from '@stratum/jobs';
import type { Configuration } from './configuration/configuration.js';

export const QUEUES = [
  { name: 'default', weight: 'normal' },
  { name: 'sync', weight: 'high' },
  { name: 'rules', weight: 'high' },
  { name: 'intel', weight: 'low' },
  { name: 'ml', weight: 'normal' },
  { name: 'cdp', weight: 'normal' },
] as const satisfies readonly QueueOptions[];

export type QueueName = (typeof QUEUES)[number]['name'];

/** Streams, consumers and buckets of the platform, as configured. */
export function platformTopology(
  configuration: Pick<Configuration, 'STRATUM_PREFIX' | 'STRATUM_REPLICAS' | 'RESULT_EXPIRES'>,
): Topology {
  return defineTopology({
    prefix: configuration.STRATUM_PREFIX,
    replicas: configuration.STRATUM_REPLICAS,
    resultExpiresMs: configuration.RESULT_EXPIRES,
    queues: QUEUES,
  });
}
