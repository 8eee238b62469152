/** The stream of domain events: its names and its settings. */
import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { reconcileStreams, type ReconcileOptions } from '@stratum/jobs';
import { scopedName } from '@stratum/jobs/internal';
import type { Configuration } from '@stratum/shared';

const KEPT_NS = 7 * 86_400e9;
const DUPLICATE_WINDOW_NS = 600e9;

export interface DomainEventNames {
  stream: string;
  filter: string;
  /** For example `stratum.domain.1.segment.entered`. */
  subject: (tenantId: number | string, type: string) => string;
}

export function domainEventNames(prefix: string): DomainEventNames {
  return {
    stream: scopedName(prefix, 'DOMAIN_EVENTS'),
    filter: `${prefix}.domain.>`,
    subject: (tenantId, type) => `${prefix}.domain.${tenantId}.${type}`,
  };
}

export async function ensureDomainEventStream(
  connection: NatsConnection,
  configuration: Pick<Configuration, 'STRATUM_PREFIX' | 'STRATUM_REPLICAS' | 'DOMAIN_EVENTS_MAX_BYTES'>,
  options?: ReconcileOptions,
): Promise<void> {
  const names = domainEventNames(configuration.STRATUM_PREFIX);
  const config = {
    name: names.stream,
    description: 'What tenants can listen to',
    subjects: [names.filter],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: configuration.STRATUM_REPLICAS,
    max_age: KEPT_NS,
    max_bytes: configuration.DOMAIN_EVENTS_MAX_BYTES,
    // Events that were read have been processed and are kept for inspection: the oldest may be dropped.
    discard: DiscardPolicy.Old,
    duplicate_window: DUPLICATE_WINDOW_NS,
  };
  await reconcileStreams(connection, [{ config, consumers: [] }], options);
}
