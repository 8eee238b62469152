/** The whole platform on one machine: servers, schema, sandbox, services. */
import { join } from 'node:path';
import { connectToNats, LOGIN_SETTINGS, loginFrom, reconcileTopology } from '@stratum/jobs';
import { endStaleNatsServer, findNatsServer, startNatsServer } from '@stratum/jobs/embedded';

import {
  loadConfiguration,
  mainModule,
  openDatabase,
  parseKeyRing,
  platformTopology,
  TOPOLOGY_SETTINGS,
  WORKERS,
  type KeyRing,
  type ServiceName,
} from '@stratum/shared';
import type { Pool } from 'pg';
import { migrate } from '../database/index.js';
import { isMarked, markForDemonstration, seed, SeedRefusedError } from '../demonstration/index.js';
import { endStalePostgres, startPostgres } from '../embedded/index.js';
import { sandboxVariables } from './sandbox-variables.js';
import { startChildService, type ChildService } from './child-service.js';
import { ensureCredentialsKey } from './credentials-key.js';
import { homeFolder } from './home.js';
import { PORTS, rememberPorts, type PortKey, type Ports } from './port-settings.js';
import { requireFreePorts } from './ports.js';
import { releaseHome, removeRunFile, writeRunFile, type Addresses } from './run-file.js';

export interface StackOptions extends Ports {
  /** Settings of the scheduler alone. */
  schedulerSettings: NodeJS.ProcessEnv;
  /** Told of each step. */
  onProgress: (message: string) => void;
  /** Ends the start at its next step; what had started is stopped. */
  signal: AbortSignal;
  /** A part has ended by itself. */
  onFailure: (reason: string) => void;
}

export interface Stack {
  readonly addresses: Addresses;
  /** The environment that the services run in. */
  readonly environment: NodeJS.ProcessEnv;
  /** Whether the database is marked for demonstration data. Without that there is no sandbox, and the services reach the real platforms. */
  readonly isDemonstration: boolean;
  /**
   * Starts the scheduler, once the campaigns are there and the platforms have been asked for them: jobs that are due at once would find
   * nothing, or change what the sandbox has not shown yet.
   */
  startSchedule(): Promise<void>;
  /** Services first, then servers. Idempotent. */
  stop(options?: { graceMs?: number }): Promise<void>;
}

const STOP_GRACE_MS = 8_000;
const natsFolder = (): string => join(homeFolder(), 'nats');
const databaseFolder = (): string => join(homeFolder(), 'postgres');

/** Rejects with the reason when a part does not start, or the signal aborts; what had started is stopped by then. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const starter = new StackStarter(options);
  try {
    return await starter.start();
  } catch (error) {
    await starter.stop();
    throw error;
  }
}

class StackStarter {
  private readonly services: ChildService[] = [];
  private readonly servers: { stop(): Promise<void> }[] = [];
  private stopping: Promise<void> | undefined;

  constructor(private readonly options: StackOptions) {}

  async start(): Promise<Stack> {
    const { onProgress, signal } = this.options;
    this.checkAddresses();
    await this.checkPorts();
    const [nats, database] = await this.startServers();
    const { environment, isDemonstration } = await this.prepare(nats.url, database);
    signal.throwIfAborted();
    const sandbox = isDemonstration ? await this.startSandbox(environment) : undefined;
    const withPlatforms = { ...environment, ...(sandbox === undefined ? {} : sandboxVariables(sandbox)) };
    onProgress('starting the services');
    await this.startServices(withPlatforms);
    const api = await this.startService('api', {
      ...withPlatforms,
      API_PORT: String(this.options.apiPort),
    });
    const dashboard = await this.startService('dashboard', {
      ...withPlatforms,
      DASHBOARD_PORT: String(this.options.dashboardPort),
    });
    signal.throwIfAborted();
    const addresses: Addresses = {
      nats: nats.url,
      nats_monitor: nats.monitorUrl,
      database,
      api: api.url ?? null,
      dashboard: dashboard.url ?? null,
      sandbox: sandbox ?? null,
    };
    await rememberPorts({
      natsPort: process.env['NATS_URL'] ? null : addresses.nats,
      natsMonitorPort: addresses.nats_monitor,
      databasePort: process.env['DATABASE_URL'] ? null : database,
      sandboxPort: addresses.sandbox,
      apiPort: addresses.api,
      dashboardPort: addresses.dashboard,
    });
    await writeRunFile(addresses);
    return {
      addresses,
      environment: withPlatforms,
      isDemonstration,
      startSchedule: async () => {
        const settings = { ...withPlatforms, ...this.options.schedulerSettings };
        await this.startService('scheduler', settings);
      },
      stop: (stopOptions) => this.stop(stopOptions?.graceMs),
    };
  }

  stop(graceMs: number = STOP_GRACE_MS): Promise<void> {
    this.stopping ??= this.shutDown(graceMs);
    return this.stopping;
  }

  private async shutDown(graceMs: number): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop(graceMs)));
    await Promise.all(this.servers.map((server) => server.stop()));
    await removeRunFile();
    await releaseHome();
  }

  /** Of servers that are used instead of our own. */
  private checkAddresses(): void {
    loadConfiguration(
      (['NATS_URL', 'DATABASE_URL'] as const).filter((name) => process.env[name]),
      process.env,
    );
  }

  private async checkPorts(): Promise<void> {
    // A run that was killed leaves its servers on these ports.
    await Promise.all([endStaleNatsServer(natsFolder()), endStalePostgres(databaseFolder())]);
    const wanted: PortKey[] = ['sandboxPort', 'apiPort', 'dashboardPort'];
    if (!process.env['NATS_URL']) wanted.push('natsPort', 'natsMonitorPort');
    if (!process.env['DATABASE_URL']) wanted.push('databasePort');
    await requireFreePorts(wanted.map((key) => ({ ...PORTS[key], port: this.options[key] })));
  }

  /** Waits for both also when one fails: a server that starts afterwards would be left behind. */
  private async startServers(): Promise<[{ url: string; monitorUrl: string | null }, string]> {
    const [nats, database] = await Promise.allSettled([this.startNats(), this.startDatabase()]);
    this.options.signal.throwIfAborted();
    if (nats.status === 'rejected') throw nats.reason;
    if (database.status === 'rejected') throw database.reason;
    return [nats.value, database.value];
  }

  private async startNats(): Promise<{ url: string; monitorUrl: string | null }> {
    const given = process.env['NATS_URL'];
    if (given) return { url: given, monitorUrl: null };
    const { natsPort, natsMonitorPort, onProgress, onFailure } = this.options;
    const binary = await findNatsServer({ cacheDir: homeFolder(), onProgress });
    onProgress(`starting NATS ${binary.version}`);
    const server = await startNatsServer({
      binary: binary.path,
      dataDir: natsFolder(),
      port: natsPort,
      monitorPort: natsMonitorPort,
      onExit: onFailure,
    });
    this.servers.push(server);
    return { url: server.url, monitorUrl: server.monitorUrl };
  }

  private async startDatabase(): Promise<string> {
    const given = process.env['DATABASE_URL'];
    if (given) return given;
    const { databasePort, onProgress, onFailure } = this.options;
    onProgress('starting PostgreSQL');
    const dataDir = databaseFolder();
    const server = await startPostgres({ dataDir, port: databasePort, onProgress, onExit: onFailure });
    this.servers.push(server);
    return server.url;
  }

  private async startSandbox(environment: NodeJS.ProcessEnv): Promise<string> {
    this.options.onProgress('starting the sandbox');
    const env = { ...environment, SANDBOX_PORT: String(this.options.sandboxPort) };
    return (await this.startService('sandbox', env)).url ?? '';
  }

  /** Schema, streams, demonstration data; returns the environment of the services. */
  private async prepare(
    natsUrl: string,
    databaseUrl: string,
  ): Promise<{ environment: NodeJS.ProcessEnv; isDemonstration: boolean }> {
    const { onProgress } = this.options;
    const key = process.env['STRATUM_CREDENTIALS_KEY'] || (await ensureCredentialsKey());
    const environment = {
      ...process.env,
      NATS_URL: natsUrl,
      DATABASE_URL: databaseUrl,
      STRATUM_CREDENTIALS_KEY: key,
    };
    onProgress('bringing the database up to date');
    await migrate({ databaseUrl });
    const pool = openDatabase({ url: databaseUrl, name: 'stratum-up' });
    let isDemonstration: boolean;
    try {
      isDemonstration = await this.seed(pool, parseKeyRing(key));
    } finally {
      await pool.end();
    }
    const configuration = loadConfiguration([...LOGIN_SETTINGS, ...TOPOLOGY_SETTINGS], environment);
    const connection = await connectToNats({
      ...loginFrom(configuration),
      name: 'stratum-up',
    });
    try {
      await reconcileTopology(connection, platformTopology(configuration));
    } finally {
      await connection.close();
    }
    return { environment, isDemonstration };
  }

  /** Only a database of our own is marked and seeded. Returns whether the database is marked. */
  private async seed(pool: Pool, keys: KeyRing): Promise<boolean> {
    try {
      if (process.env['DATABASE_URL']) return await isMarked(pool);
      await markForDemonstration(pool);
      if ((await seed(pool, keys)) > 0) this.options.onProgress('added the demonstration tenants');
    } catch (error) {
      if (!(error instanceof SeedRefusedError)) throw error;
      this.options.onProgress(`no demonstration data: ${error.message}`);
    }
    return isMarked(pool);
  }

  /** Side by side. Waits for all also when one fails. */
  private async startServices(environment: NodeJS.ProcessEnv): Promise<void> {
    const started = await Promise.allSettled(WORKERS.map((name) => this.startService(name, environment)));
    for (const each of started) if (each.status === 'rejected') throw each.reason;
  }

  private async startService(name: ServiceName | 'sandbox', env: NodeJS.ProcessEnv): Promise<ChildService> {
    const service = await startChildService({
      name,
      module: mainModule(name),
      env,
      logFolder: join(homeFolder(), 'logs'),
      onExit: this.options.onFailure,
      onShutdown: () => this.options.onProgress(`${name} has shut down on request`),
    });
    this.services.push(service);
    return service;
  }
}
