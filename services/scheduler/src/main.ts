/** The scheduler as a service. Several may run. */
import { createReaper, reconcileTopology } from '@stratum/jobs';
import { platformTopology, runService, TOPOLOGY_SETTINGS } from '@stratum/shared';

await runService({
  name: 'scheduler',
  settings: [...TOPOLOGY_SETTINGS],
  start: async ({ configuration, connection, logger }) => {
    const topology = platformTopology(configuration);
    await reconcileTopology(connection, topology);
    const reaper = createReaper({ connection, topology, logger });
    reaper.start();
    return { stop: () => reaper.stop() };
  },
});
