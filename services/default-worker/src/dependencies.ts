/** Dependencies of the handlers of the default queue. */
import type { SafeFetch } from '@stratum/connectors/safe-fetch';
import type { WhatsAppClient } from '@stratum/connectors/whatsapp';
import type { JobsClient, Topology } from '@stratum/jobs';
import type { KeyRing } from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import type { DeliveryOptions } from './subscriptions/delivery-options.js';

export interface DefaultDependencies {
  /** Connected as `stratum_default_worker`. */
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
  client: Pick<JobsClient, 'queues' | 'deadLetters' | 'erase'>;
  keys: KeyRing;
  /** Keys of the audit chain, and the file that gets its anchors besides the stream. */
  audit: { keys: KeyRing; anchorFile?: string | undefined };
  whatsapp: WhatsAppClient;
  /** For sites whose addresses users typed. */
  site: SafeFetch;
  /** First token of every subject. */
  prefix: string;
  /** Days for which events that name an erased person are dropped. Default 30. */
  erasedBlockDays?: number;
  /** How events are delivered to subscriptions. */
  deliveries?: DeliveryOptions;
}
