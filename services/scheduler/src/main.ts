/** The scheduler as a service. Several may run: one leads, all of them bury lost tasks. */
import {
  collectQueueMetrics,
  createClient,
  createReaper,
  createScheduler,
  fastClock,
  reconcileTopology,
} from '@stratum/jobs';
import { platformTopology, runService, TASKS, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { SCHEDULE } from './schedule.js';

await runService({
  name: 'scheduler',
  settings: [...TOPOLOGY_SETTINGS, 'SCHEDULE_CLOCK_FROM', 'SCHEDULE_CLOCK_SPEED'],
  start: async ({ configuration, connection, logger, metrics, registry }) => {
    const topology = platformTopology(configuration);
    await reconcileTopology(connection, topology);
    const client = createClient({ connection, topology, metrics });
    // One process shows the figures of the whole system.
    collectQueueMetrics(client, registry);
    const reaper = createReaper({ connection, topology, logger, metrics });
    reaper.start();
    const from = configuration.SCHEDULE_CLOCK_FROM;
    const scheduler = createScheduler({
      connection,
      topology,
      contracts: TASKS,
      entries: SCHEDULE,
      logger,
      metrics,
      ...(from === undefined ? {} : { clock: fastClock(from, configuration.SCHEDULE_CLOCK_SPEED) }),
    });
    scheduler.start();
    return {
      stop: async () => {
        await Promise.all([scheduler.stop(), reaper.stop()]);
        await client.close();
      },
    };
  },
});
