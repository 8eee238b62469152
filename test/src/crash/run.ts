/**
 * Kills workers, producers, the reaper and the broker at random while thousands of tasks of every kind run, and then looks whether every
 * task has come to exactly one end, and every effect guarded by `once` happened exactly once.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, isFinal, reconcileTopology, type JobsClient } from '@stratum/jobs';
import { openDatabase } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { dataFolder } from '../harness/data-folder.js';
import { startBroker, type Broker } from './broker.js';
import { connectPatiently, crashTopology } from './environment.js';
import { planTasks, type PlannedTask } from './plan.js';
import { Immortal } from './processes.js';
import { randomFrom } from './random.js';

export interface CrashOptions {
  seed: number;
  tasks: number;
  /** Processes are killed for so long, or until everything is enqueued, whichever is later, in milliseconds. */
  killForMs: number;
  natsBinary: string;
  /** 3 for a cluster of three servers, of which one at a time is killed. Default 1. */
  replicas?: number;
  /** An empty database. */
  databaseUrl: string;
  log: (line: string) => void;
}

export interface CrashReport {
  tasks: number;
  kills: Record<'worker' | 'producer' | 'reaper' | 'broker', number>;
  states: Record<string, number>;
  /** Empty when all is well. */
  violations: string[];
}

const WORKERS = 3;
const SETTLE_TIMEOUT_MS = 180_000;
const QUIET_MS = 100;

export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const folder = await dataFolder('stratum-crash-');
  const replicas = options.replicas ?? 1;
  const broker = await startBroker({ binary: options.natsBinary, folder, replicas });
  const environment = {
    NATS_URL: broker.url,
    CRASH_REPLICAS: String(replicas),
    DATABASE_URL: options.databaseUrl,
    CRASH_SEED: String(options.seed),
    CRASH_TASKS: String(options.tasks),
    CRASH_JOURNAL: join(folder, 'journal'),
    // So that there is a producer to kill for most of the time.
    CRASH_RATE: String(options.tasks / ((options.killForMs / 1_000) * 0.8)),
  };
  await prepareDatabase(options.databaseUrl);
  const connection = await connectPatiently(broker.url, 'crash-judge');
  const topology = crashTopology(replicas);
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const workers = Array.from({ length: WORKERS }, () => new Immortal('worker-process.js', environment));
  const producer = new Immortal('producer-process.js', environment);
  const reaper = new Immortal('reaper-process.js', environment);
  try {
    const kills = await killAtRandom(options, { broker, workers, producer, reaper });
    options.log(`killed ${JSON.stringify(kills)}; waiting for the end`);
    const plan = planTasks(options.seed, options.tasks);
    const { states, violations } = await judge(client, plan, options);
    return { tasks: options.tasks, kills, states, violations };
  } finally {
    await Promise.all([...workers, producer, reaper].map((each) => each.stop()));
    await client.close();
    await connection.close();
    await broker.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepareDatabase(url: string): Promise<void> {
  await migrate({ databaseUrl: url });
  const pool = openDatabase({ url, name: 'crash' });
  await pool.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1, 'Crash', 'USD') ON CONFLICT DO NOTHING`,
  );
  // No unique constraint: a second effect must show.
  await pool.query('CREATE TABLE crash_effect (task_id text NOT NULL)');
  await pool.end();
}

interface Targets {
  broker: Broker;
  workers: readonly Immortal[];
  producer: Immortal;
  reaper: Immortal;
}

async function killAtRandom(options: CrashOptions, targets: Targets): Promise<CrashReport['kills']> {
  const { broker, workers, producer, reaper } = targets;
  const random = randomFrom(options.seed ^ 0x5eed);
  const kills = { worker: 0, producer: 0, reaper: 0, broker: 0 };
  const endAt = Date.now() + options.killForMs;
  while (Date.now() < endAt || !producer.isDone) {
    await delay(100 + random() * 900);
    const dice = random();
    if (dice < 0.5) {
      workers[Math.floor(random() * workers.length)]?.kill();
      kills.worker++;
    } else if (dice < 0.7 && !producer.isDone) {
      producer.kill();
      kills.producer++;
    } else if (dice < 0.85) {
      reaper.kill();
      kills.reaper++;
    } else {
      await broker.crash(random);
      kills.broker++;
    }
  }
  return kills;
}

async function judge(
  client: JobsClient,
  plan: readonly PlannedTask[],
  { databaseUrl, log }: CrashOptions,
): Promise<Pick<CrashReport, 'states' | 'violations'>> {
  await untilQuiet(client, log);
  const pool = openDatabase({ url: databaseUrl, name: 'crash' });
  const { rows } = await pool.query<{ task_id: string; count: string }>(
    'SELECT task_id, count(*) FROM crash_effect GROUP BY task_id',
  );
  await pool.end();
  const effects = new Map(rows.map((row) => [row.task_id, Number(row.count)]));
  const states: Record<string, number> = {};
  const violations: string[] = [];
  const children = plan
    .filter(({ payload }) => payload.kind === 'parent')
    .map(({ id }) => ({ id: `${id}-child`, parent: id, expected: 'SUCCESS' as const }));
  for (const { id, expected, ...rest } of [...plan, ...children]) {
    const record = await client.status(id);
    // A parent that was given up may not have come to enqueueing its child.
    const mayBeMissing = 'parent' in rest && (await client.status(rest.parent))?.state !== 'SUCCESS';
    if (record === undefined && mayBeMissing) continue;
    const letter = await client.deadLetters.get(id);
    const state = record?.state ?? 'unknown';
    const lost = letter?.reason === 'worker_lost';
    states[lost ? 'worker_lost' : state] = (states[lost ? 'worker_lost' : state] ?? 0) + 1;
    const count = effects.get(id) ?? 0;
    if (record === undefined || !isFinal(record.state))
      violations.push(`${id} ended in no final state: ${state}`);
    else if (state !== expected && !lost) violations.push(`${id} is ${state}, not ${expected}`);
    if ((state === 'FAILURE') !== (letter !== undefined))
      violations.push(`${id} is ${state}, dead letter: ${letter?.reason ?? 'none'}`);
    if (count > 1) violations.push(`${id} took effect ${count} times`);
    if (state === 'SUCCESS' && count !== 1) violations.push(`${id} succeeded and took effect ${count} times`);
    if (expected === 'FAILURE' && count > 0) violations.push(`${id} was meant to fail and took effect`);
  }
  return { states, violations };
}

async function untilQuiet(client: JobsClient, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + SETTLE_TIMEOUT_MS;
  for (let quiet = 0; quiet < 5;) {
    // What was asked while the broker came back is answered by nobody.
    const [queue] = await client.queues().catch(() => []);
    const left =
      queue === undefined ? 1 : queue.high + queue.normal + queue.low + queue.delayed + queue.running;
    quiet = left === 0 ? quiet + 1 : 0;
    if (Date.now() > deadline) {
      log(`not quiet in time: ${JSON.stringify(queue)}`);
      return;
    }
    await delay(QUIET_MS);
  }
}
