/** The worker of the sync queue as a service. */
import {
  endpointsFrom,
  openDatabase,
  runService,
  startPlatformWorker,
  WORKER_SETTINGS,
} from '@stratum/shared';
import { createSyncHandlers, SYNC_SETTINGS } from './handlers.js';

await runService({
  name: 'sync-worker',
  settings: [...WORKER_SETTINGS, ...SYNC_SETTINGS],
  start: async ({ configuration, connection, logger, metrics }) => {
    const pool = openDatabase({
      url: configuration.DATABASE_URL,
      name: 'sync-worker',
      role: 'stratum_sync_worker',
      // Each running sync holds one connection for its lock and uses one more at a time.
      poolSize: Math.max(configuration.DATABASE_POOL_SIZE, 2 * configuration.WORKER_CONCURRENCY),
      statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
    });
    const handlers = createSyncHandlers({
      pool,
      keys: configuration.STRATUM_CREDENTIALS_KEY,
      endpoints: endpointsFrom(configuration),
      requestTimeoutMs: configuration.PLATFORM_REQUEST_TIMEOUT,
    });
    const worker = await startPlatformWorker({
      configuration,
      connection,
      logger,
      metrics,
      queues: ['sync'],
      handlers,
    });
    return {
      stop: async () => {
        await worker.stop();
        await pool.end();
      },
    };
  },
});
