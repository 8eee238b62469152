/** The scheduler as a service. Several may run: one leads, all of them dead-letter lost tasks, publish domain events and make deliveries of them, and remove old rows. */
import {
  createClient,
  createReaper,
  createResultResponder,
  createScheduler,
  createWorkflowMaintenance,
  fastClock,
  reconcileTopology,
} from '@stratum/jobs';
import { collectQueueMetrics } from '@stratum/jobs/metrics';
import { createDomainEventRelay } from './domain-events/relay.js';
import {
  FollowedTenants,
  openDatabase,
  platformTopology,
  roleOf,
  TASKS,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { runService } from '@stratum/shared/service';
import { ensureDomainEventStream } from './domain-events/stream.js';
import { RETENTION_SETTINGS } from './retention/retention.js';
import { createRetentionSweep } from './retention/retention-sweep.js';
import { createWebhookDispatcher } from './subscriptions/dispatcher.js';
import { SCHEDULE } from './schedule.js';

await runService({
  name: 'scheduler',
  settings: [
    ...TOPOLOGY_SETTINGS,
    'DATABASE_URL',
    'SCHEDULE_CLOCK_FROM',
    'SCHEDULE_CLOCK_SPEED',
    'SUBSCRIPTION_CONCURRENCY',
    ...RETENTION_SETTINGS,
  ],
  start: async ({ configuration, connection, logger, metrics, registry, tracer }) => {
    const topology = platformTopology(configuration);
    await reconcileTopology(connection, topology, { logger });
    await ensureDomainEventStream(connection, configuration, { logger });
    const client = createClient({
      connection,
      topology,
      metrics,
      ...(tracer === undefined ? {} : { tracer }),
    });
    // One process shows the figures of the whole system.
    collectQueueMetrics(client, registry);
    const reaper = createReaper({ connection, topology, contracts: TASKS, logger, metrics });
    reaper.start();
    const maintenance = createWorkflowMaintenance({ connection, topology, contracts: TASKS, logger });
    maintenance.start();
    const pool = openDatabase({
      url: configuration.DATABASE_URL,
      name: 'scheduler',
      role: roleOf('scheduler'),
      poolSize: 4,
    });
    const closedTenants = new FollowedTenants(pool, logger);
    await closedTenants.start();
    const responder = createResultResponder({ connection, topology, client, closedTenants, logger });
    responder.start();
    const from = configuration.SCHEDULE_CLOCK_FROM;
    const scheduler = createScheduler({
      connection,
      topology,
      contracts: TASKS,
      entries: SCHEDULE,
      closedTenants,
      logger,
      metrics,
      ...(from === undefined ? {} : { clock: fastClock(from, configuration.SCHEDULE_CLOCK_SPEED) }),
    });
    scheduler.start();
    const relay = createDomainEventRelay({ pool, connection, prefix: configuration.STRATUM_PREFIX, logger });
    relay.start();
    const dispatcher = createWebhookDispatcher({
      pool,
      connection,
      client,
      prefix: configuration.STRATUM_PREFIX,
      ackWaitMs: configuration.TASK_ACK_WAIT,
      logger,
      perSubscription: configuration.SUBSCRIPTION_CONCURRENCY,
    });
    await dispatcher.start();
    const sweep = createRetentionSweep({ pool, days: configuration, logger });
    sweep.start();
    return {
      stop: async () => {
        await Promise.all([
          scheduler.stop(),
          reaper.stop(),
          maintenance.stop(),
          relay.stop(),
          responder.stop(),
          dispatcher.stop(),
          sweep.stop(),
          closedTenants.stop(),
        ]);
        await client.close();
        await pool.end();
      },
    };
  },
});
