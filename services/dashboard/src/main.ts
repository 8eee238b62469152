/** The dashboard as a service. Several may run: one keeps the history. */
import { reconcileTopology } from '@stratum/jobs';
import { openDatabase, platformTopology, roleOf, runService, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { createProjector } from './history/projector.js';

await runService({
  name: 'dashboard',
  settings: [
    ...TOPOLOGY_SETTINGS,
    'DATABASE_URL',
    'DATABASE_POOL_SIZE',
    'DATABASE_STATEMENT_TIMEOUT',
    'DASHBOARD_HISTORY_DAYS',
  ],
  start: async ({ configuration, connection, logger }) => {
    const topology = platformTopology(configuration);
    await reconcileTopology(connection, topology, { logger });
    const pool = openDatabase({
      url: configuration.DATABASE_URL,
      name: 'dashboard',
      role: roleOf('dashboard'),
      poolSize: configuration.DATABASE_POOL_SIZE,
      statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
    });
    const keptDays = configuration.DASHBOARD_HISTORY_DAYS;
    const projector = createProjector({ pool, connection, topology, logger, keptDays });
    projector.start();
    return {
      stop: async () => {
        await projector.stop();
        await pool.end();
      },
    };
  },
});
