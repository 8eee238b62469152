/** Types that routes are built with. */
import type { JobsClient, Schedules, TaskContract, Topology } from '@stratum/jobs';
import type { Configuration } from '@stratum/shared';
import type { HttpServer } from '@stratum/shared/http';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import type { RightName } from '../access/rights.js';
import type { Sessions, Viewer } from '../access/sessions.js';
import type { Names } from '@stratum/shared/task-history';
import type { Snapshots } from '../live/snapshots.js';
import type { DASHBOARD_SETTINGS } from '../settings.js';

export type DashboardServer = HttpServer;

/** Dependencies of routes. */
export interface DashboardResources {
  /** Connected as `stratum_dashboard`. */
  pool: Pool;
  connection: NatsConnection;
  topology: Topology;
  client: JobsClient;
  /** Of the application's tasks. */
  contracts: readonly TaskContract[];
  schedules: Schedules;
  configuration: Pick<Configuration, (typeof DASHBOARD_SETTINGS)[number]>;
  sessions: Sessions;
  names: Names;
  snapshots: Snapshots;
}

/** Access to a route. */
export type Access =
  /** Everybody: the page itself, which holds no data, and what signs in. */
  | 'public'
  /** Whoever is signed in. */
  | 'signed-in'
  | RightName;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route has to say it; one that does not is refused at start. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Who asks. `undefined` on public routes. */
    viewer: Viewer | undefined;
  }
}
