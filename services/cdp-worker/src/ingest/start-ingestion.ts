/** The ingestion as a part of the worker's service. */
import type { HandlerResources, Running } from '@stratum/shared/service';
import { ensureEventStream } from '@stratum/shared/customer-events';
import { EventWriter } from './event-writer.js';
import { IngestMetrics } from './ingest-metrics.js';
import { Ingestion } from './ingestion.js';

export async function startIngestion({
  pool,
  connection,
  configuration,
  logger,
  registry,
}: HandlerResources<'STRATUM_CREDENTIALS_KEY'>): Promise<Running> {
  await ensureEventStream(connection, configuration);
  const ingestion = new Ingestion({
    connection,
    prefix: configuration.STRATUM_PREFIX,
    ackWaitMs: configuration.TASK_ACK_WAIT,
    pool,
    writer: new EventWriter({ pool, keys: configuration.STRATUM_CREDENTIALS_KEY }),
    logger,
    ...(registry === undefined
      ? {}
      : { metrics: new IngestMetrics(registry, connection, configuration.STRATUM_PREFIX) }),
  });
  ingestion.start();
  return { stop: () => ingestion.stop() };
}
