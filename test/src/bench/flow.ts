/**
 * What middleware, durable steps, calls, batches and turns between tenants cost: each beside the fastest honest way to do the same durable work
 * with plain tasks of the framework. Limits by key, the outbox and workflows have benchmarks of their own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  createClient,
  createWorker,
  defineTask,
  handleBatch,
  handleTask,
  type JobsClient,
  type Middleware,
  type TaskHandler,
} from '@stratum/jobs';
import { startPostgres } from '@stratum/cli/embedded';
import { Pool } from 'pg';
import { z } from 'zod';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { noop, type Framework } from './subject.js';

const TASKS = 5_000;
/** Runs with steps or calls: each is several tasks' work. */
const RUNS = 1_000;
const STEPS = 5;
const TENANTS = 10_000;
const CONCURRENCY = 256;
const IN_FLIGHT = 500;
const LOOK_MS = 5;
const BATCH = { maxSize: CONCURRENCY, maxWaitMs: 200 };
const SESSIONS = 16;

const shared = { queue: noop.queue, output: z.null() };
const counted = z.object({ n: z.int() });
const tenanted = z.object({ tenant_id: z.int(), n: z.int() });
const plain = defineTask({ ...shared, name: 'plain', input: counted });
const stepped = defineTask({ ...shared, name: 'stepped', input: counted });
const parent = defineTask({ ...shared, name: 'parent', input: counted });
const row = defineTask({ ...shared, name: 'row', input: counted });
const owned = defineTask({ ...shared, name: 'owned', input: tenanted });

export interface FlowFigures {
  /** Steps of runs that have five each, and as many plain tasks: each is remembered by itself. */
  steps: Comparison;
  /** Tasks that runs call, one each, and twice as many plain tasks: a call is a run and a task. */
  calls: Comparison;
  /** Tasks that insert a row into PostgreSQL, in batches with one statement each, and one by one. */
  batches: Comparison;
  /** Tasks of 10,000 tenants with one each, and as many of one tenant. */
  tenants: Comparison;
  /** Tasks of one tenant that wait behind those of another, one to one, and as many of one tenant. */
  turns: Comparison;
  /** Tasks enqueued and run through three middleware, and through none. */
  middleware: Comparison;
}

/** Things a second that all of the enqueued tasks do. */
type Drain = (
  handlers: readonly TaskHandler[],
  counts: { ends: number; things: number },
  options?: { middleware?: readonly Middleware[] },
) => Promise<number>;

export async function benchFlow(
  connection: NatsConnection,
  { client, topology }: Framework,
  rounds: number,
  say: (message: string) => void,
): Promise<FlowFigures> {
  const passing: Middleware = {
    name: 'passing',
    enqueue: (_, next) => next(),
    attempt: (_, next) => next(),
  };
  const middleware = [passing, passing, passing];
  const surrounded = createClient({ connection, topology, middleware });

  const drain: Drain = async (handlers, { ends, things }, options = {}) => {
    const worker = createWorker({
      connection,
      topology,
      queues: [noop.queue],
      concurrency: CONCURRENCY,
      handlers,
      ...options,
    });
    return rate(things, async () => {
      worker.start();
      while (worker.stats().succeeded < ends) await delay(LOOK_MS);
      await worker.stop();
    });
  };
  const plainHandler = handleTask(plain, () => null);
  const plainTasks = async (count: number, things = count): Promise<number> => {
    await inParallel(count, IN_FLIGHT, (n) => client.enqueue(plain, { n }));
    return drain([plainHandler], { ends: count, things });
  };
  /** Together with its enqueueing, for middleware surrounds both. */
  const through = async (with_: typeof client, list: readonly Middleware[]): Promise<number> => {
    const enqueuing = performance.now();
    await inParallel(TASKS, IN_FLIGHT, (n) => with_.enqueue(plain, { n }));
    const enqueueMs = performance.now() - enqueuing;
    const perSecond = await drain([plainHandler], { ends: TASKS, things: TASKS }, { middleware: list });
    return (TASKS / (enqueueMs + (TASKS / perSecond) * 1000)) * 1000;
  };
  const ofTenants = async (tenantOf: (n: number) => number): Promise<number> => {
    await inParallel(TENANTS, IN_FLIGHT, (n) => client.enqueue(owned, { tenant_id: tenantOf(n), n }));
    return drain([handleTask(owned, () => null)], { ends: TENANTS, things: TENANTS });
  };
  const ofOne = (): Promise<number> => ofTenants(() => 1);

  const told = async (name: string, compared: Promise<Comparison>): Promise<Comparison> => {
    const figures = await compared;
    say(`${name}: ${figures.ratio.toFixed(2)}`);
    return figures;
  };
  const figures: FlowFigures = {
    steps: await told(
      'steps',
      compare(
        rounds,
        async () => {
          await inParallel(RUNS, IN_FLIGHT, (n) => client.enqueue(stepped, { n }));
          const handler = handleTask(stepped, async (_, context) => {
            for (let step = 0; step < STEPS; step++) await context.step(`step ${step}`, () => step);
            return null;
          });
          return drain([handler], { ends: RUNS, things: RUNS * STEPS });
        },
        () => plainTasks(RUNS * STEPS),
      ),
    ),
    calls: await told(
      'calls',
      compare(
        rounds,
        async () => {
          await inParallel(RUNS, IN_FLIGHT, (n) => client.enqueue(parent, { n }));
          const handler = handleTask(parent, ({ n }, context) => context.call(plain, { n }));
          return drain([handler, plainHandler], { ends: 2 * RUNS, things: RUNS });
        },
        () => plainTasks(2 * RUNS, RUNS),
      ),
    ),
    batches: await told('batches', benchBatches(client, drain, rounds)),
    tenants: await told(
      'tenants',
      compare(rounds, () => ofTenants((n) => n + 1), ofOne),
    ),
    turns: await told(
      'turns',
      compare(rounds, () => ofTenants((n) => (n < TENANTS / 2 ? 1 : 2)), ofOne),
    ),
    // The last, when all code is compiled: it is the smallest difference.
    middleware: await told(
      'middleware',
      compare(
        rounds,
        () => through(surrounded, middleware),
        () => through(client, []),
      ),
    ),
  };
  await surrounded.close();
  return figures;
}

async function benchBatches(client: JobsClient, drain: Drain, rounds: number): Promise<Comparison> {
  const dataDir = await mkdtemp(join(tmpdir(), 'stratum-bench-'));
  const server = await startPostgres({ dataDir, port: 0 });
  const pool = new Pool({ connectionString: server.url, max: SESSIONS });
  // The server ends idle sessions when it stops.
  pool.on('error', () => undefined);
  const inserting = (handler: TaskHandler) => async (): Promise<number> => {
    await inParallel(TASKS, IN_FLIGHT, (n) => client.enqueue(row, { n }));
    return drain([handler], { ends: TASKS, things: TASKS });
  };
  const together = handleBatch(
    row,
    async (tasks) => {
      await pool.query('insert into rows select * from unnest($1::int[])', [
        tasks.map(({ payload }) => payload.n),
      ]);
      for (const task of tasks) task.succeed(null);
    },
    BATCH,
  );
  const alone = handleTask(row, async ({ n }) => {
    await pool.query('insert into rows values ($1)', [n]);
    return null;
  });
  try {
    await pool.query('create table rows (n int not null)');
    return await compare(rounds, inserting(together), inserting(alone));
  } finally {
    await pool.end();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
