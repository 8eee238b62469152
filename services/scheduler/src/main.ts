/** The scheduler as a service. Several may run. */
import { collectQueueMetrics, createClient, createReaper, reconcileTopology } from '@stratum/jobs';
import { platformTopology, runService, TOPOLOGY_SETTINGS } from '@stratum/shared';

await runService({
  name: 'scheduler',
  settings: [...TOPOLOGY_SETTINGS],
  start: async ({ configuration, connection, logger, metrics, registry }) => {
    const topology = platformTopology(configuration);
    await reconcileTopology(connection, topology);
    const client = createClient({ connection, topology, metrics });
    // One process shows the figures of the whole system.
    collectQueueMetrics(client, registry);
    const reaper = createReaper({ connection, topology, logger, metrics });
    reaper.start();
    return {
      stop: async () => {
        await reaper.stop();
        await client.close();
      },
    };
  },
});
