/** Customer events from an HTTP request to the database: the real API and the real worker, beside a bare INSERT of the same rows. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDatabase, withTenant } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { createSource, eventStreamNames } from '@stratum/shared/customer-events';
import { startPostgres } from '@stratum/cli/embedded';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { z } from 'zod';
import { readPeakMemory } from './peak-memory.js';
import { childrenOf, processorSeconds } from './processor-time.js';

const TENANT = 1;
const PREFIX = 'bench-ingest';
const PER_REQUEST = 100;
const CONNECTIONS = 8;
const START_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 600_000;
const POLL_MS = 250;
const CHUNK = 1_000;
const KIB_PER_MIB = 1024;
const readySchema = z.object({ type: z.literal('ready'), url: z.string().optional() });
const loadSchema = z.object({ accepted: z.number(), repeated: z.number(), seconds: z.number() });

interface Memory {
  third: number | null;
  end: number | null;
  peak: number | null;
}

export interface IngestFigures {
  events: number;
  /** By the API, with a 2xx. */
  accepted: number;
  stored: number;
  acceptedPerSecond: number;
  /** From the first request until the last event was in the database. */
  storedPerSecond: number;
  /** The same rows by one connection into a table of the same form, nothing else done. */
  barePerSecond: number;
  ratio: number;
  profiles: number;
  merges: number;
  /** In MiB. */
  memory: { api: Memory; worker: Memory };
  /** Processor time for an event in microseconds, whatever else the machine was doing; `null` where the system does not tell. */
  processorMicros: Record<string, number | null>;
}

export async function benchIngest(
  server: { url: string; pid: number },
  connection: NatsConnection,
  events: number,
  say: (message: string) => void,
): Promise<IngestFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const postgres = await startPostgres({ dataDir: folder });
  const children: ChildProcess[] = [];
  const pool = openDatabase({ url: postgres.url, name: 'bench', statementTimeoutMs: DRAIN_TIMEOUT_MS });
  try {
    await migrate({ databaseUrl: postgres.url });
    await pool.query(`INSERT INTO tenant (id, name, currency) VALUES ($1, 'Bench', 'USD')`, [TENANT]);
    const { writeKey } = await withTenant(pool, TENANT, (client) => createSource(client, { name: 'bench' }));
    const environment = {
      NATS_URL: server.url,
      DATABASE_URL: postgres.url,
      STRATUM_PREFIX: PREFIX,
      STRATUM_CREDENTIALS_KEY: `bench:${Buffer.alloc(32, 7).toString('base64')}`,
      LOG_LEVEL: 'warn',
      API_PORT: '0',
      INGEST_RATE_LIMIT: '1000000',
    };
    const api = await start(children, '@stratum/api/main', environment);
    const worker = await start(children, '@stratum/cdp-worker/main', environment);
    const memory = { api: blankMemory(), worker: blankMemory() };
    const startedAt = performance.now();
    const load = fork(
      fileURLToPath(new URL('./ingest-load-process.js', import.meta.url)),
      [api.url, writeKey, '0', String(events), String(PER_REQUEST), String(CONNECTIONS)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    children.push(load);
    const sent = once(load, 'message').then(([message]: unknown[]) => loadSchema.parse(message));
    await reached(pool, events / 3);
    memory.api.third = await readMemory(api.pid);
    memory.worker.third = await readMemory(worker.pid);
    const { accepted, repeated, seconds } = await sent;
    const acceptedPerSecond = Math.round(accepted / seconds);
    say(
      `accepted ${count(accepted)} events in ${seconds.toFixed(1)} s: ${count(acceptedPerSecond)}/s${repeated > 0 ? `; ${repeated} requests were sent again` : ''}`,
    );
    const inDatabase = await drained(connection, pool);
    if (inDatabase !== accepted) throw new Error(`${accepted} events were accepted, ${inDatabase} stored.`);
    const processorMicros: Record<string, number | null> = {};
    const processes = {
      api: [api.pid],
      worker: [worker.pid],
      NATS: [server.pid],
      PostgreSQL: [postgres.pid, ...(await childrenOf(postgres.pid))],
    };
    for (const [name, pids] of Object.entries(processes)) {
      const used = await processorSeconds(pids);
      processorMicros[name] = used === null ? null : Math.round((used * 1e6) / inDatabase);
    }
    const wholeSeconds = (performance.now() - startedAt) / 1000;
    const storedPerSecond = Math.round(inDatabase / wholeSeconds);
    say(
      `stored ${count(inDatabase)} in ${wholeSeconds.toFixed(1)} s from the first request: ${count(storedPerSecond)}/s`,
    );
    for (const [name, pid] of [
      ['api', api.pid],
      ['worker', worker.pid],
    ] as const) {
      memory[name].end = await readMemory(pid);
      memory[name].peak = await readPeakMemory(pid);
      say(
        `memory of the ${name}: ${memory[name].third} MiB after a third, ${memory[name].end} MiB at the end, ${memory[name].peak} MiB at most`,
      );
    }
    const shares = Object.entries(processorMicros).map(([name, micros]) => `${name} ${micros ?? '?'}`);
    say(`processor time for an event, in µs: ${shares.join(', ')}`);
    const { rows } = await pool.query<{ profiles: number; merges: number }>(
      'SELECT (SELECT count(*)::int FROM cdp_profile WHERE merged_into IS NULL) AS profiles, (SELECT count(*)::int FROM cdp_merge) AS merges',
    );
    const { profiles = 0, merges = 0 } = rows[0] ?? {};
    await Promise.all(children.splice(0).map(end));
    const barePerSecond = await bareInsert(pool, inDatabase);
    say(
      `${count(profiles)} profiles, ${count(merges)} merges; the same rows by a bare INSERT: ${count(barePerSecond)}/s`,
    );
    return {
      events,
      accepted,
      stored: inDatabase,
      acceptedPerSecond,
      storedPerSecond,
      barePerSecond,
      ratio: storedPerSecond / barePerSecond,
      profiles,
      merges,
      memory,
      processorMicros,
    };
  } finally {
    await Promise.all(children.map(end));
    await pool.end();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves once so many events are in the database. */
async function reached(pool: Pool, wanted: number): Promise<void> {
  await until(`${wanted} events in the database`, async () => (await countEvents(pool)) >= wanted);
}

/** Resolves with the number of events in the database once none is on its way. */
async function drained(connection: NatsConnection, pool: Pool): Promise<number> {
  const { stream } = eventStreamNames(PREFIX);
  const manager = await jetstreamManager(connection);
  await until(
    'the stream to be empty',
    async () => (await manager.streams.info(stream)).state.messages === 0,
  );
  const total = await countEvents(pool);
  const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int AS count FROM cdp_event');
  if (rows[0]?.count !== total) throw new Error(`${rows[0]?.count} events, but profiles count ${total}`);
  return total;
}

async function countEvents(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'SELECT coalesce(sum(total_events), 0)::int AS count FROM cdp_profile WHERE merged_into IS NULL',
  );
  return rows[0]?.count ?? 0;
}

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DRAIN_TIMEOUT_MS;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await delay(POLL_MS);
  }
}

/** Events per second, of the rows that are there, into a table with the same columns and indexes. */
async function bareInsert(pool: Pool, rows: number): Promise<number> {
  await pool.query('CREATE TABLE bare_event (LIKE cdp_event INCLUDING DEFAULTS INCLUDING INDEXES)');
  const client = await pool.connect();
  let milliseconds = 0;
  try {
    await client.query(
      'CREATE TEMP TABLE source AS SELECT row_number() OVER (ORDER BY received_at) AS place, * FROM cdp_event',
    );
    await client.query('CREATE INDEX ON source (place)');
    for (let first = 1; first <= rows; first += CHUNK) {
      const { rows: chunk } = await client.query<{ row: string }>(
        `SELECT (to_jsonb(s) - 'place')::text AS row FROM source s WHERE place >= $1 AND place < $2`,
        [first, first + CHUNK],
      );
      const body = `[${chunk.map(({ row }) => row).join(',')}]`;
      const startedAt = performance.now();
      await client.query(
        'INSERT INTO bare_event SELECT * FROM jsonb_populate_recordset(NULL::bare_event, $1::jsonb)',
        [body],
      );
      milliseconds += performance.now() - startedAt;
    }
  } finally {
    client.release();
  }
  return Math.round((rows / milliseconds) * 1000);
}

async function start(
  children: ChildProcess[],
  module: string,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string; pid: number }> {
  const child = fork(fileURLToPath(import.meta.resolve(module)), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const [message]: unknown[] = await once(child, 'message', {
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  });
  return { url: readySchema.parse(message).url ?? '', pid: child.pid ?? 0 };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

function blankMemory(): Memory {
  return { third: null, end: null, peak: null };
}

/** What a process has now, in MiB; `null` where the system does not tell. */
async function readMemory(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / KIB_PER_MIB);
}

function count(value: number): string {
  return value.toLocaleString('en');
}
