/** Turns published events into deliveries, and recovers lost ones. Several may run. */
import type { JobsClient } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { EventReader } from './event-reader.js';
import { Sweeper } from './sweeper.js';

export interface WebhookDispatcherOptions {
  /** Connected as `stratum_scheduler`. */
  pool: Pool;
  connection: NatsConnection;
  client: Pick<JobsClient, 'enqueueMany'>;
  prefix: string;
  logger: Logger;
  /** Deliveries at once to one subscription's receiver. */
  perSubscription: number;
  /** How often overdue messages are looked for, in milliseconds. Default 5,000. */
  sweepEveryMs?: number;
  /** A message without a task is overdue when it is due for so long, in milliseconds. Default 30,000. */
  overdueMs?: number;
}

export interface WebhookDispatcher {
  /** Resolves once it reads. */
  start(): Promise<void>;
  /** Finishes the work in progress. Idempotent. */
  stop(): Promise<void>;
}

export function createWebhookDispatcher(options: WebhookDispatcherOptions): WebhookDispatcher {
  const reader = new EventReader(options);
  const sweeper = new Sweeper(options);
  return {
    start: async () => {
      await reader.start();
      sweeper.start();
    },
    stop: async () => {
      await Promise.all([reader.stop(), sweeper.stop()]);
    },
  };
}
