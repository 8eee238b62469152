/**
 * Publishes the events that services have written into `domain_event`: after the transaction that makes it true, at least once, and once for
 * its readers, because an event's id is its deduplication key.
 */
import { jetstream } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { BackgroundLoop } from '@stratum/jobs/internal';
import { domainEventNames } from './stream.js';
import type { Logger } from 'pino';
import type { Pool } from 'pg';

const BATCH = 200;
const IDLE_MS = 500;
const FAILED_MS = 2_000;
const PUBLISH_TIMEOUT_MS = 5_000;

interface RelayOptions {
  /** Connected as `stratum_scheduler`. */
  pool: Pool;
  connection: NatsConnection;
  prefix: string;
}

export function createDomainEventRelay(options: RelayOptions & { logger: Logger }): BackgroundLoop {
  return new BackgroundLoop({
    everyMs: IDLE_MS,
    afterFailureMs: FAILED_MS,
    run: async () => ((await relayBatch(options)) < BATCH ? undefined : 0),
    onFailure: (error) => options.logger.error({ err: error }, 'domain events are waiting to be published'),
  });
}

interface EventRow {
  id: string;
  tenant_id: string;
  type: string;
  data: Record<string, unknown>;
  occurred_at: Date;
}

async function relayBatch({ pool, connection, prefix }: RelayOptions): Promise<number> {
  const { rows } = await pool.query<EventRow>('SELECT * FROM unpublished_domain_events($1)', [BATCH]);
  if (rows.length === 0) return 0;
  const names = domainEventNames(prefix);
  const stream = jetstream(connection);
  await Promise.all(
    rows.map(async ({ id, tenant_id: tenantId, type, data, occurred_at: at }) => {
      const headers = newHeaders();
      headers.set('Nats-Msg-Id', `domain-${id}`);
      const body = { id, type, tenant_id: Number(tenantId), occurred_at: at.toISOString(), data };
      await stream.publish(names.subject(tenantId, type), JSON.stringify(body), {
        headers,
        timeout: PUBLISH_TIMEOUT_MS,
      });
    }),
  );
  await pool.query('SELECT mark_domain_events_published($1)', [rows.map(({ id }) => id)]);
  return rows.length;
}
