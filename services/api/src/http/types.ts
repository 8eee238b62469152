/** Types that routes are built with. */
import type { JobsClient, Schedules, Topology, Tracer } from '@stratum/jobs';
import type { Application, Configuration, FollowedTenants } from '@stratum/shared';
import type { Principal, Scope } from '@stratum/shared/api-keys';
import type { BodyBudget, HttpServer } from '@stratum/shared/http';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import type { TaskQuota } from '../quotas/task-quota.js';
import type { API_SETTINGS } from '../settings.js';

export type ApiServer = HttpServer;

/** Dependencies of routes. */
export interface ApiResources {
  /** Connected as `stratum_api`. */
  pool: Pool;
  connection: NatsConnection;
  /** Whose tasks are served. */
  application: Application;
  /** Queues of the application. */
  topology: Topology;
  client: JobsClient;
  schedules: Schedules;
  /** Tenants that were deleted: nothing of theirs is accepted. */
  closedTenants: Pick<FollowedTenants, 'has'>;
  configuration: Pick<Configuration, (typeof API_SETTINGS)[number]>;
  registry: Registry;
  taskQuota: TaskQuota;
  /** Memory for request bodies, besides those of customer events. */
  bodies: BodyBudget;
  /** Where OpenTelemetry is switched on. */
  tracer?: Tracer;
}

/** Access to a route. */
export type Access =
  /** Everybody: the route knows its callers by other means, or has nothing to hide. */
  | 'public'
  /** A key with this scope. */
  | Scope;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route has to say it; one that does not is refused at start. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Who asks. `undefined` on public routes. */
    principal: Principal | undefined;
  }
}
