/** Options of the dispatcher and its parts. */
import type { JobsClient } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Pool } from 'pg';

export interface WebhookDispatcherOptions {
  /** Connected as `stratum_scheduler`. */
  pool: Pool;
  connection: NatsConnection;
  client: Pick<JobsClient, 'enqueueMany'>;
  prefix: string;
  /** Events that a lost process has read go to another after this time, in milliseconds. */
  ackWaitMs: number;
  logger: Logger;
  /** Deliveries at once to one subscription's receiver. */
  perSubscription: number;
  /** How often overdue messages are looked for, in milliseconds. Default 5,000. */
  sweepEveryMs?: number;
  /** A message without a task is overdue when it is due for so long, in milliseconds. Default 30,000. */
  overdueMs?: number;
}
