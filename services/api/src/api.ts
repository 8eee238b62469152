/** The API: its parts put together, started and stopped. */
import { createClient, openSchedules, reconcileTopology, type LaneDepths } from '@stratum/jobs';
import { ensureAuditStream, FollowedTenants, openDatabase, platformTopology, roleOf } from '@stratum/shared';
import type { Running, ServiceContext } from '@stratum/shared/service';
import { ensureEventStream } from '@stratum/shared/customer-events';
import { BodyBudget, FailedAttempts } from '@stratum/shared/http';
import { createOperationDriver } from '@stratum/shared/operations';
import { AcceptedEvents } from './customer-events/accepted-events.js';
import { checkedApplication } from './checked-application.js';
import { Idempotency } from './http/idempotency.js';
import { LongRequests } from './http/long-requests.js';
import { createServer } from './http/server.js';
import type { ApiResources } from './http/types.js';
import { startEnqueueResponder, type EnqueueResponder } from './nats/enqueue-responder.js';
import { TaskQuota } from './quotas/task-quota.js';
import { accountRoutes } from './routes/accounts.js';
import { auditRoutes } from './routes/audit.js';
import { deadLetterRoutes } from './routes/dead-letters.js';
import { deliveryRoutes } from './routes/deliveries.js';
import { customerEventRoutes } from './routes/customer-events.js';
import { funnelRoutes } from './routes/funnels.js';
import { keyRoutes } from './routes/keys.js';
import { operationRoutes } from './routes/operations.js';
import { profileRoutes } from './routes/profiles.js';
import { usageRoutes } from './routes/usage.js';
import { QueueRates } from './routes/queue-rates.js';
import { recordRoutes } from './routes/records.js';
import { queueRoutes } from './routes/queues.js';
import { reportRoutes } from './routes/reports.js';
import { ruleRoutes } from './routes/rules.js';
import { segmentPreviewRoute } from './routes/segment-preview.js';
import { runEventRoutes } from './routes/run-events.js';
import { scheduleRoutes } from './routes/schedules.js';
import { serviceRoutes } from './routes/service.js';
import { subscriptionRoutes } from './routes/subscriptions.js';
import { sourceRoutes } from './routes/sources.js';
import { tenantRoutes } from './routes/tenants.js';
import { taskRoutes } from './routes/tasks.js';
import { workflowRoutes } from './routes/workflows.js';
import type { API_SETTINGS } from './settings.js';
import { useWebhooks } from './webhooks/webhooks.js';

export type ApiContext = ServiceContext<(typeof API_SETTINGS)[number]>;

/** Resolves once it listens. Stopping it is idempotent. */
export async function startApi(context: ApiContext): Promise<Running & { readonly url: string }> {
  const { configuration, connection, logger, metrics, registry } = context;
  const application = await checkedApplication(configuration);
  const topology = application.topology(configuration);
  const platform = platformTopology(configuration);
  await reconcileTopology(connection, platform, { logger });
  await reconcileTopology(connection, topology, { logger });
  await ensureAuditStream(connection, configuration, { logger });
  await ensureEventStream(connection, configuration, { logger });
  const tracing = context.tracer === undefined ? {} : { tracer: context.tracer };
  const client = createClient({ connection, topology, metrics, contracts: application.tasks, ...tracing });
  const schedules = openSchedules({ connection, topology, contracts: application.tasks });
  const pool = openDatabase({
    url: configuration.DATABASE_URL,
    name: 'api',
    role: roleOf('api'),
    poolSize: configuration.DATABASE_POOL_SIZE,
    statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
  });
  const closedTenants = new FollowedTenants(pool, logger);
  await closedTenants.start();
  const taskQuota = new TaskQuota({
    pool,
    countTasks: async (tenantId) => sumOf(await client.waitingOf(String(tenantId))),
    onError: (error) => logger.warn({ err: error }, 'counting the tasks of a tenant failed'),
  });
  const resources: ApiResources = {
    pool,
    taskQuota,
    connection,
    application,
    topology,
    client,
    schedules,
    closedTenants,
    configuration,
    registry,
    bodies: new BodyBudget(configuration.API_MEMORY_LIMIT),
    ...tracing,
  };
  const operations = createOperationDriver({ pool, client, logger });
  const rates = new QueueRates(client, (error) =>
    logger.warn({ err: error }, 'reading the queue depths failed'),
  );
  const acceptedEvents = new AcceptedEvents({
    connection,
    prefix: configuration.STRATUM_PREFIX,
  });
  const closeResources = async (): Promise<void> => {
    await Promise.all([rates.stop(), closedTenants.stop(), operations.stop()]);
    await taskQuota
      .close()
      .catch((error: unknown) => logger.warn({ err: error }, 'the use of quotas was not stored'));
    await Promise.all([acceptedEvents.close(), schedules.close(), client.close(), pool.end()]);
  };
  const attempts = new FailedAttempts(configuration.API_FAILED_KEYS_LIMIT);
  const app = await createServer(resources, logger, attempts);
  let responder: EnqueueResponder | undefined;
  try {
    const idempotency = await Idempotency.open(connection, topology, configuration.STRATUM_REPLICAS);
    const longRequests = new LongRequests();
    serviceRoutes(app, resources);
    taskRoutes(app, resources, { idempotency, longRequests });
    workflowRoutes(app, resources, { idempotency, longRequests });
    runEventRoutes(app, resources);
    queueRoutes(app, resources, rates);
    scheduleRoutes(app, resources);
    deadLetterRoutes(app, resources);
    operationRoutes(app, resources);
    keyRoutes(app, resources);
    auditRoutes(app, resources);
    tenantRoutes(app, resources);
    usageRoutes(app, resources);
    subscriptionRoutes(app, resources);
    deliveryRoutes(app, resources);
    // Known once it listens.
    let origin = configuration.API_PUBLIC_URL;
    const publicUrl = (): string => (origin ??= app.listeningOrigin);
    await useWebhooks(app, resources, { publicUrl, attempts });
    sourceRoutes(app, resources);
    profileRoutes(app, resources);
    accountRoutes(app, resources);
    recordRoutes(app, resources);
    funnelRoutes(app, resources);
    ruleRoutes(app, resources);
    segmentPreviewRoute(app, resources);
    reportRoutes(app, resources, { longRequests });
    customerEventRoutes(app, resources, { accepted: acceptedEvents, attempts, publicUrl });
    operations.start();
    responder = startEnqueueResponder(resources, logger);
    const url = await app.listen({ host: configuration.API_HOST, port: configuration.API_PORT });
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      await Promise.all([app.close(), responder?.stop()]);
      await closeResources();
    };
    return { url, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await Promise.all([app.close(), responder?.stop()]);
    await closeResources();
    throw error;
  }
}

function sumOf(depths: Readonly<Record<string, LaneDepths>>): number {
  return Object.values(depths).reduce((sum, { high, normal, low }) => sum + high + normal + low, 0);
}
