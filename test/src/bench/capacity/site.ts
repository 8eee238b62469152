/** The real services on a broker and a database of their own, and what each of them has used so far. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { migrate } from '@stratum/cli/database';
import { markForDemonstration, seed } from '@stratum/cli/demonstration';
import { startPostgres } from '@stratum/cli/embedded';
import { reconcileTopology, type Topology } from '@stratum/jobs';
import type { NatsServer } from '@stratum/jobs/embedded';
import {
  loadConfiguration,
  openDatabase,
  parseKeyRing,
  platformTopology,
  TOPOLOGY_SETTINGS,
} from '@stratum/shared';
import { endpointsAt } from '@stratum/sandbox';
import type { Pool } from 'pg';
import { z } from 'zod';
import { childrenOf, processorSeconds } from '../processor-time.js';

export const PART_NAMES = ['nats', 'postgresql', 'worker', 'api', 'projector'] as const;
export type PartName = (typeof PART_NAMES)[number];

/** Totals so far. */
export interface Usage {
  atMs: number;
  /** Processor time by part, in seconds. */
  processor: Record<PartName, number>;
  /** Stored in streams, and in the database. */
  natsDiskBytes: number;
  postgresqlDiskBytes: number;
  /** Received and sent by the broker. */
  natsWireBytes: number;
}

export interface Site {
  readonly pool: Pool;
  readonly topology: Topology;
  readonly manager: JetStreamManager;
  readonly keyText: string;
  /** Starts a service of one part; resolves with its address. */
  start(part: PartName | 'other', module: string, env?: NodeJS.ProcessEnv): Promise<Service>;
  usage(): Promise<Usage>;
  /** Resolves once the projector has read every event. */
  projected(): Promise<void>;
  stop(): Promise<void>;
}

export interface Service {
  readonly url: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

const PREFIX = 'capacity';
const SANDBOX_CAMPAIGNS = '2000';
const START_TIMEOUT_MS = 60_000;
const SETTLE_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
const readySchema = z.object({ type: z.literal('ready'), url: z.string().default('') });
const trafficSchema = z.object({ in_bytes: z.number(), out_bytes: z.number() });

export async function openSite(server: NatsServer, connection: NatsConnection): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-capacity-'));
  const postgres = await startPostgres({ dataDir: folder });
  const pool = openDatabase({ url: postgres.url, name: 'capacity' });
  const children: ChildProcess[] = [];
  const pids = new Map<PartName, number[]>();
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await pool.end();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const keyText = `bench:${Buffer.alloc(32, 7).toString('base64')}`;
    await migrate({ databaseUrl: postgres.url });
    await markForDemonstration(pool);
    await seed(pool, parseKeyRing(keyText));
    const startService = starter(children);
    const sandbox = await startService('@stratum/sandbox/main', { SANDBOX_PORT: '0', SANDBOX_CAMPAIGNS });
    const environment = {
      NATS_URL: server.url,
      DATABASE_URL: postgres.url,
      STRATUM_PREFIX: PREFIX,
      STRATUM_CREDENTIALS_KEY: keyText,
      LOG_LEVEL: 'warn',
      API_PORT: '0',
      DASHBOARD_PORT: '0',
      INGEST_RATE_LIMIT: '1000000',
      WEBHOOK_RATE_LIMIT: '1000000',
      WORKER_CONCURRENCY: '16',
      ...endpointsAt(sandbox.url),
    };
    const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, environment));
    await reconcileTopology(connection, topology);
    const manager = await jetstreamManager(connection);
    return {
      pool,
      topology,
      manager,
      keyText,
      start: async (part, module, env = {}) => {
        const service = await startService(module, { ...environment, ...env });
        if (part !== 'other') pids.set(part, [...(pids.get(part) ?? []), service.child.pid ?? 0]);
        return {
          ...service,
          stop: async () => {
            if (part !== 'other')
              pids.set(
                part,
                (pids.get(part) ?? []).filter((pid) => pid !== service.child.pid),
              );
            await service.stop();
          },
        };
      },
      usage: async () => {
        const processor = { nats: 0, postgresql: 0, worker: 0, api: 0, projector: 0 };
        for (const part of PART_NAMES) {
          const own = pids.get(part) ?? [];
          const all =
            part === 'nats'
              ? [server.pid]
              : part === 'postgresql'
                ? [postgres.pid, ...(await childrenOf(postgres.pid))]
                : own;
          processor[part] = (await processorSeconds(all)) ?? 0;
        }
        const traffic = await fetch(`${server.monitorUrl}/varz`).then((answer) => answer.json());
        const { in_bytes: received, out_bytes: sent } = trafficSchema.parse(traffic);
        let natsDiskBytes = 0;
        for await (const { state } of manager.streams.list()) natsDiskBytes += state.bytes;
        const { rows } = await pool.query<{ bytes: string }>(
          'SELECT pg_database_size(current_database()) AS bytes',
        );
        return {
          atMs: performance.now(),
          processor,
          natsDiskBytes,
          postgresqlDiskBytes: Number(rows[0]?.bytes),
          natsWireBytes: received + sent,
        };
      },
      projected: () =>
        until('the projector', async () => {
          const { state } = await manager.streams.info(topology.names.eventStream);
          const { rows } = await pool.query<{ sequence: string }>('SELECT sequence FROM projector');
          return Number(rows[0]?.sequence ?? 0) >= state.last_seq;
        }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Error that says what was waited for */
export async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await delay(POLL_MS);
  }
}

function starter(children: ChildProcess[]): (module: string, env: NodeJS.ProcessEnv) => Promise<Service> {
  return async (module, env) => {
    const path = module.startsWith('.') ? new URL(module, import.meta.url).href : import.meta.resolve(module);
    const child = fork(fileURLToPath(path), {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children.push(child);
    const signal = AbortSignal.timeout(START_TIMEOUT_MS);
    const [message]: unknown[] = await once(child, 'message', { signal });
    return { url: readySchema.parse(message).url, child, stop: () => end(child) };
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
