/** One sync of a large account from the sandbox into PostgreSQL: rows per second, and the memory it takes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient, reconcileTopology } from '@stratum/jobs';
import {
  loadConfiguration,
  openDatabase,
  parseKeyRing,
  platformTopology,
  TOPOLOGY_SETTINGS,
  syncCampaignData,
} from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { markForDemonstration, seed } from '@stratum/cli/demonstration';
import { startPostgres } from '@stratum/cli/embedded';
import { endpointsAt } from '@stratum/sandbox';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { readPeakMemory } from './peak-memory.js';

const CAMPAIGNS = 10_000;
const TIMEOUT_MS = 300_000;
const readySchema = z.object({ type: z.literal('ready'), url: z.string().optional() });

export interface SyncFigures {
  campaigns: number;
  rows: number;
  seconds: number;
  rowsPerSecond: number;
  /** Of the worker's process, in MiB; `null` where the system does not tell. */
  peakMemoryMiB: number | null;
}

export async function benchSync(connection: NatsConnection, natsUrl: string): Promise<SyncFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const postgres = await startPostgres({ dataDir: folder });
  const children: ChildProcess[] = [];
  try {
    const key = `bench:${Buffer.alloc(32, 7).toString('base64')}`;
    await migrate({ databaseUrl: postgres.url });
    const pool = openDatabase({ url: postgres.url, name: 'bench' });
    await markForDemonstration(pool);
    await seed(pool, parseKeyRing(key));
    await pool.end();
    const sandbox = await start(children, '@stratum/sandbox/main', {
      SANDBOX_PORT: '0',
      SANDBOX_CAMPAIGNS: String(CAMPAIGNS),
    });
    const environment = {
      NATS_URL: natsUrl,
      DATABASE_URL: postgres.url,
      STRATUM_PREFIX: 'bench-sync',
      STRATUM_CREDENTIALS_KEY: key,
      LOG_LEVEL: 'warn',
      ...endpointsAt(sandbox.url ?? ''),
    };
    const worker = await start(children, '@stratum/sync-worker/main', environment);
    const topology = platformTopology(loadConfiguration([...TOPOLOGY_SETTINGS], environment));
    await reconcileTopology(connection, topology);
    const client = createClient({ connection, topology });
    const { id } = await client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'google' });
    const record = await client.result(id, { timeoutMs: TIMEOUT_MS });
    await client.close();
    const result = syncCampaignData.output.parse(record.result);
    const seconds = (record.runtime_ms ?? 0) / 1000;
    return {
      campaigns: result.campaigns_read,
      rows: result.metric_rows_written,
      seconds,
      rowsPerSecond: Math.round(result.metric_rows_written / seconds),
      peakMemoryMiB: await readPeakMemory(worker.pid),
    };
  } finally {
    await Promise.all(children.map(end));
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function start(
  children: ChildProcess[],
  module: string,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string | undefined; pid: number }> {
  const child = fork(fileURLToPath(import.meta.resolve(module)), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  children.push(child);
  const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
  return { url: readySchema.parse(message).url, pid: child.pid ?? 0 };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}
