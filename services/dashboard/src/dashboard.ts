/** The dashboard: its parts put together, started and stopped. */
import { createClient, openSchedules, reconcileTopology } from '@stratum/jobs';
import { ensureAuditStream, openApplication, openDatabase, roleOf } from '@stratum/shared';
import type { Running, ServiceContext } from '@stratum/shared/service';
import { FailedAttempts } from '@stratum/shared/http';
import { Provider } from './access/provider.js';
import { Sessions } from './access/sessions.js';
import { createProjector } from './history/projector.js';
import { Names } from '@stratum/shared/task-history';
import { pageRoutes } from './http/pages.js';
import { createServer } from './http/server.js';
import type { DashboardResources } from './http/types.js';
import { createSampler } from './live/sample.js';
import { Snapshots } from './live/snapshots.js';
import { auditRoutes } from './routes/audit.js';
import { deadLetterRoutes } from './routes/dead-letters.js';
import { failureRoutes } from './routes/failures.js';
import { goRoutes } from './routes/go.js';
import { createOperationDriver } from '@stratum/shared/operations';
import { operationRoutes } from './routes/operations.js';
import { overviewRoutes } from './routes/overview.js';
import { peopleRoutes } from './routes/people.js';
import { pipelineRoutes } from './routes/pipelines.js';
import { controlRoutes } from './routes/queues.js';
import { scheduleRoutes } from './routes/schedules.js';
import { sessionRoutes } from './routes/session.js';
import { signInRoutes } from './routes/sign-in.js';
import { taskRoutes } from './routes/tasks.js';
import { tenantRoutes } from './routes/tenants.js';
import { viewRoutes } from './routes/views.js';
import { webhookRoutes } from './routes/webhooks.js';
import { workflowRoutes } from './routes/workflows.js';
import { isSecure, requireTls, type DASHBOARD_SETTINGS } from './settings.js';

export type DashboardContext = ServiceContext<(typeof DASHBOARD_SETTINGS)[number]>;

/** Resolves once it listens. Stopping it is idempotent. @throws ConfigurationError rather than listen to strangers in clear text */
export async function startDashboard(context: DashboardContext): Promise<Running & { readonly url: string }> {
  const { configuration, connection, logger } = context;
  requireTls(configuration);
  const { DASHBOARD_HOST: host, DASHBOARD_PUBLIC_URL: publicUrl } = configuration;
  const secure = isSecure(publicUrl);
  const provider = Provider.from(configuration);
  const application = await openApplication(configuration.STRATUM_CONFIG);
  const topology = application.topology(configuration);
  await reconcileTopology(connection, topology, { logger });
  await ensureAuditStream(connection, configuration, { logger });
  const client = createClient({ connection, topology, contracts: application.tasks });
  const schedules = openSchedules({ connection, topology, contracts: application.tasks });
  const pool = openDatabase({
    url: configuration.DATABASE_URL,
    name: 'dashboard',
    role: roleOf('dashboard'),
    poolSize: configuration.DATABASE_POOL_SIZE,
    statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT,
  });
  const snapshots = new Snapshots(pool, topology.names.eventStream, logger);
  const projector = createProjector({
    pool,
    connection,
    topology,
    logger,
    keptDays: configuration.DASHBOARD_HISTORY_DAYS,
  });
  const operations = createOperationDriver({ pool, client, logger });
  const sampler = createSampler({ pool, connection, topology, logger });
  const sessions = new Sessions(pool);
  // Filled when it is known where the server listens: a port of 0 is any.
  const hosts = new Set<string>();
  const origins = new Set<string>();
  const attempts = new FailedAttempts(configuration.API_FAILED_KEYS_LIMIT);
  const app = await createServer({ hosts, origins, secure, sessions, attempts }, configuration, logger);
  const resources: DashboardResources = {
    pool,
    connection,
    topology,
    client,
    contracts: application.tasks,
    schedules,
    configuration,
    sessions,
    names: new Names(),
    snapshots,
  };
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await app.close();
    await Promise.all([projector.stop(), sampler.stop(), snapshots.stop(), operations.stop()]);
    await Promise.all([client.close(), schedules.close()]);
    await pool.end();
  };
  try {
    sessionRoutes(app, resources, { secure, attempts });
    signInRoutes(app, resources, { secure, provider });
    peopleRoutes(app, resources);
    overviewRoutes(app, resources);
    taskRoutes(app, resources);
    viewRoutes(app, resources);
    goRoutes(app, resources);
    workflowRoutes(app, resources);
    controlRoutes(app, resources);
    failureRoutes(app, resources);
    deadLetterRoutes(app, resources);
    scheduleRoutes(app, resources);
    pipelineRoutes(app, resources);
    tenantRoutes(app, resources);
    webhookRoutes(app, resources);
    auditRoutes(app, resources);
    operationRoutes(app, resources);
    await pageRoutes(app, configuration.DASHBOARD_BASE_PATH);
    projector.start();
    sampler.start();
    operations.start();
    snapshots.start();
    const url = await app.listen({ host, port: configuration.DASHBOARD_PORT });
    for (const address of namesOf(url, publicUrl)) {
      hosts.add(address.host);
      origins.add(address.origin);
    }
    return { url, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Every address by which a browser may come. */
function namesOf(url: string, publicUrl: string | undefined): URL[] {
  if (publicUrl !== undefined) return [new URL(publicUrl)];
  const { port } = new URL(url);
  return ['127.0.0.1', 'localhost', '[::1]'].map((name) => new URL(`http://${name}:${port}`));
}
