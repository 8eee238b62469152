/**
 * How long one tenant's dead letters take to list beside many of another: at a real API process, one at a time, ten at once and after
 * clients that left without their answer; and by the command. The letters are those of a foreign program, indexed by a real reaper.
 */
import { execFile, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createReaper, reconcileTopology, type Names } from '@stratum/jobs';
import {
  loadConfiguration,
  openDatabase,
  platformTopology,
  TOPOLOGY_SETTINGS,
  withTenant,
} from '@stratum/shared';
import { createApiKey } from '@stratum/shared/api-keys';
import { migrate } from '@stratum/cli/database';
import { startPostgres } from '@stratum/cli/embedded';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

/** Milliseconds of each request. */
export interface OtherLetterFigures {
  letters: number;
  /** Until the reaper has indexed all of them, when they arrive at once. */
  indexSeconds: number;
  /** Medians and slowest. */
  alone: Spread;
  tenAtOnce: Spread;
  afterClientsThatLeft: Spread;
  /** With `error_contains` that matches nothing: all own letters are read. */
  searched: Spread;
  /** `stratum dead list --tenant`, the start of its process included. */
  command: Spread;
}

interface Spread {
  medianMs: number;
  worstMs: number;
}

const LETTERS = 20_000;
const OWN_LETTERS = 50;
const REPETITIONS = 20;
const LEAVERS = 200;
const WINDOW = 500;
const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const API = program('../../../services/api/dist/main.js');
const COMMAND = program('../../../packages/cli/bin/stratum.js');

export async function benchLettersOfOthers(
  natsUrl: string,
  connection: NatsConnection,
): Promise<OtherLetterFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const database = await startPostgres({ dataDir, port: 0 });
  const owner = openDatabase({ url: database.url, name: 'bench' });
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));
  await reconcileTopology(connection, topology);
  const reaper = createReaper({ connection, topology });
  await migrate({ databaseUrl: database.url });
  await owner.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1001, 'Loud', 'USD'), (1002, 'Quiet', 'USD')`,
  );
  const { text: key } = await withTenant(owner, 1002, (own) =>
    createApiKey(own, { tenantId: 1002, name: 'bench', scopes: ['dead-letters:read'] }),
  );
  const keyText = `bench:${randomBytes(32).toString('base64')}`;
  const env = { PATH: process.env['PATH'], NATS_URL: natsUrl, DATABASE_URL: database.url };
  const api = fork(API, {
    env: { ...env, STRATUM_CREDENTIALS_KEY: keyText, LOG_LEVEL: 'error', API_PORT: '0' },
  });
  try {
    const [ready]: unknown[] = await once(api, 'message');
    const { url } = z.object({ url: z.string() }).parse(ready);
    await fill(connection, topology.names);
    reaper.start();
    const indexSeconds = await indexed(connection, topology.names.deadIndexStream);
    const list = async (query = '', signal?: AbortSignal): Promise<number> => {
      const began = performance.now();
      const response = await fetch(`${url}/v1/dead-letters?limit=50${query}`, {
        headers: { authorization: `Bearer ${key}` },
        ...(signal === undefined ? {} : { signal }),
      });
      const { items } = z.object({ items: z.array(z.unknown()) }).parse(await response.json());
      if (items.length !== (query === '' ? OWN_LETTERS : 0))
        throw new Error(`${items.length} letters were listed`);
      return performance.now() - began;
    };
    await list();
    const alone = await oneByOne(() => list());
    const tenAtOnce = await Promise.all(Array.from({ length: 10 }, () => oneByOne(() => list())));
    await Promise.all(
      Array.from({ length: LEAVERS }, () => list('', AbortSignal.timeout(5)).catch(() => undefined)),
    );
    return {
      letters: LETTERS,
      indexSeconds,
      alone: spread(alone),
      tenAtOnce: spread(tenAtOnce.flat()),
      afterClientsThatLeft: spread(await oneByOne(() => list())),
      searched: spread(await oneByOne(() => list('&error_contains=nothing-like-it'))),
      command: spread(
        await oneByOne(async () => {
          const began = performance.now();
          await promisify(execFile)(COMMAND, ['dead', 'list', '--tenant', '1002', '--json'], { env });
          return performance.now() - began;
        }, 5),
      ),
    };
  } finally {
    api.kill('SIGTERM');
    await once(api, 'exit');
    await reaper.stop();
    await owner.end();
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Stores letters as workers of another version would: in between, now and then, one of the other tenant. */
async function fill(connection: NatsConnection, names: Names): Promise<void> {
  const broker = jetstream(connection);
  for (let from = 0; from < LETTERS; from += WINDOW)
    await Promise.all(
      Array.from({ length: WINDOW }, (_, place) => {
        const n = from + place;
        const tenant = n % (LETTERS / OWN_LETTERS) === 0 ? '1002' : '1001';
        const at = { queue: 'sync', task: 'sync_campaign_data', id: `letter-${n}` };
        const headers = newHeaders();
        headers.set('Dead-Reason', 'max_retries');
        headers.set('Dead-Error', 'Error: no answer');
        headers.set('Dead-At', new Date().toISOString());
        headers.set('Dead-Attempts', '4');
        headers.set('Dead-Subject', names.taskSubject({ ...at, priority: 'normal', tenant }));
        return broker.publish(names.deadSubject(at.queue, at.task, at.id), '{"platform":"meta"}', {
          headers,
        });
      }),
    );
}

/** Resolves once the reaper has indexed all letters, with the seconds that took. */
async function indexed(connection: NatsConnection, stream: string): Promise<number> {
  const manager = await jetstreamManager(connection);
  const began = performance.now();
  while ((await manager.streams.info(stream)).state.messages < LETTERS) await delay(20);
  return (performance.now() - began) / 1_000;
}

/** One line for each figure. */
export function linesOf(figures: OtherLetterFigures): string[] {
  const { letters, indexSeconds, ...spreads } = figures;
  return [
    `${OWN_LETTERS} dead letters of one tenant, listed beside ${letters.toLocaleString('en')} of another; indexed ${indexSeconds.toFixed(1)} s after they came at once`,
    ...Object.entries(spreads).map(
      ([name, { medianMs, worstMs }]) =>
        `${name.padEnd(22)} median ${medianMs.toFixed(0).padStart(5)} ms   worst ${worstMs.toFixed(0).padStart(5)} ms`,
    ),
  ];
}

async function oneByOne(act: () => Promise<number>, repetitions = REPETITIONS): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < repetitions; n++) times.push(await act());
  return times;
}

function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0, worstMs: sorted.at(-1) ?? 0 };
}
