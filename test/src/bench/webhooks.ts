/**
 * A burst of signed webhooks of one sender against a real API process, with a real broker, database and worker. What was accepted has to
 * be stored exactly. The rate is told beside that of a bare server that the same sender calls.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDatabase, parseKeyRing, withTenant } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { startPostgres } from '@stratum/cli/embedded';
import { createWebhookEndpoint, webhookPath } from '@stratum/shared/webhooks';
import type { Pool } from 'pg';
import { z } from 'zod';
import { compare, type Comparison } from './measure.js';
import { loadResultSchema, type LoadResult } from './webhook-load-process.js';

/** `bare`: answers of the bare server in a second; `ours`: of the API, each stored by the broker. */
export interface WebhookFigures extends Comparison {
  /** Ten seconds at more than the limit of one endpoint, while a worker works. */
  burst: LoadResult;
  /** Deliveries in the database after everything was processed. */
  stored: number;
  drainSeconds: number;
}

const ROUNDS = 3;
const COMPARE_SECONDS = 3;
const BURST_SECONDS = 10;
const BURST_PER_SECOND = 6_000;
const UNLIMITED = 1_000_000;
const DRAIN_TIMEOUT_MS = 300_000;
const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const API = program('../../../services/api/dist/main.js');
const WORKER = program('../../../services/default-worker/dist/main.js');
const SENDER = program('./webhook-load-process.js');
const BARE = program('./bare-server-process.js');
const SECRET = 'bench-secret';

export async function benchWebhooks(natsUrl: string): Promise<WebhookFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const database = await startPostgres({ dataDir, port: 0 });
  const owner = openDatabase({ url: database.url, name: 'bench' });
  const running: Started[] = [];
  const start = async (path: string, env: NodeJS.ProcessEnv = {}): Promise<Started> => {
    const started = await startProcess(path, env);
    running.push(started);
    return started;
  };
  try {
    const keyText = `bench:${randomBytes(32).toString('base64')}`;
    await migrate({ databaseUrl: database.url });
    const paths = await makeEndpoints(owner, keyText);
    const env = {
      NATS_URL: natsUrl,
      DATABASE_URL: database.url,
      STRATUM_CREDENTIALS_KEY: keyText,
      LOG_LEVEL: 'error',
      API_PORT: '0',
    };
    const sender = await start(SENDER);
    const bareServer = await start(BARE);
    const unlimited = await start(API, { ...env, WEBHOOK_RATE_LIMIT: String(UNLIMITED) });
    const full = { secret: SECRET, seconds: COMPARE_SECONDS, perSecond: UNLIMITED };
    let round = 0;
    const answers = async (url: string): Promise<number> => {
      const { accepted, seconds } = await send(sender, {
        ...full,
        url: `${url}${paths.compare}`,
        name: `round-${round++}`,
      });
      return accepted / seconds;
    };
    const rates = await compare(
      ROUNDS,
      () => answers(unlimited.url),
      () => answers(bareServer.url),
    );
    await unlimited.stop();
    await bareServer.stop();
    const api = await start(API, env);
    await start(WORKER, { ...env, WORKER_CONCURRENCY: '16' });
    const burst = await send(sender, {
      secret: SECRET,
      seconds: BURST_SECONDS,
      perSecond: BURST_PER_SECOND,
      url: `${api.url}${paths.burst}`,
      name: 'burst',
    });
    const drainedAt = performance.now();
    const stored = await drained(owner, burst.accepted);
    return {
      ...rates,
      burst,
      stored,
      drainSeconds: (performance.now() - drainedAt) / 1000,
    };
  } finally {
    await Promise.all(running.map(({ stop }) => stop()));
    await owner.end();
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function makeEndpoints(owner: Pool, keyText: string): Promise<{ compare: string; burst: string }> {
  await owner.query(`INSERT INTO tenant (id, name, currency) VALUES (1, 'Bench', 'USD')`);
  const make = (name: string): Promise<string> =>
    withTenant(owner, 1, async (client) => {
      const keys = parseKeyRing(keyText);
      const options = { tenantId: 1, source: 'github', name, secret: SECRET } as const;
      return webhookPath((await createWebhookEndpoint(client, keys, options)).endpoint);
    });
  return { compare: await make('compare'), burst: await make('burst') };
}

/** Deliveries of the burst, once there are as many as were accepted, or no more come. */
async function drained(owner: Pool, accepted: number): Promise<number> {
  const count = async (): Promise<number> => {
    const { rows } = await owner.query<{ count: string }>(
      `SELECT count(*) FROM inbound_webhook_delivery WHERE dedup_key LIKE 'burst-%'`,
    );
    return Number(rows[0]?.count);
  };
  const deadline = Date.now() + DRAIN_TIMEOUT_MS;
  while ((await count()) < accepted && Date.now() < deadline) await delay(250);
  // One that was refused and stored all the same would show within a moment.
  await delay(2_000);
  return count();
}

interface Started {
  url: string;
  child: ChildProcess;
  /** Idempotent. */
  stop: () => Promise<void>;
}

const readySchema = z.object({ type: z.literal('ready'), url: z.string().default('') });

async function startProcess(path: string, env: NodeJS.ProcessEnv): Promise<Started> {
  const child = fork(path, { env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env } });
  const [message]: unknown[] = await once(child, 'message');
  return {
    url: readySchema.parse(message).url,
    child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function send({ child }: Started, order: object): Promise<LoadResult> {
  child.send(order);
  const [result]: unknown[] = await once(child, 'message');
  return loadResultSchema.parse(result);
}

export function reportWebhooks(figures: WebhookFigures, say: (message: string) => void): void {
  const format = (value: number): string => Math.round(value).toLocaleString('en');
  const { burst, stored } = figures;
  say(
    `webhooks accepted and stored ${format(figures.ours)}/s   bare server ${format(figures.bare)}/s   ratio ${figures.ratio.toFixed(2)}`,
  );
  say(
    `burst of one sender, ${format((burst.accepted + burst.refused + burst.failed) / burst.seconds)}/s for ${burst.seconds.toFixed(0)} s beside a worker: ` +
      `${format(burst.accepted)} accepted, ${format(burst.refused)} refused with 429 or 503, ${format(burst.failed)} otherwise`,
  );
  say(
    `deliveries in the database: ${format(stored)} (${stored === burst.accepted ? 'exactly those accepted' : 'NOT those accepted'}), ${figures.drainSeconds.toFixed(1)} s after the burst`,
  );
}
