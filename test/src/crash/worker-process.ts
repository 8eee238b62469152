/** A worker that runs every kind of task, until it is killed or asked to stop. */
import { createWorker, handleTask, TaskError, type TaskContext } from '@stratum/jobs';
import { once, openDatabase } from '@stratum/shared';
import { sumOf, total } from '../jobs/workflow-tasks.js';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';
import {
  crashTask,
  doomedTask,
  gatedTask,
  killerTask,
  limitedTask,
  newcomerTask,
  revocableTask,
  SHARED,
  tickTask,
} from './plan.js';

const environment = readEnvironment();
const pool = openDatabase({ url: environment.DATABASE_URL, name: 'crash-worker', poolSize: 8 });
const connection = await connectPatiently(environment.NATS_URL, 'crash-worker');

/** The effect that must happen once, however often its task runs. */
async function effect({ id, scheduledBy }: TaskContext, version = 0): Promise<void> {
  await once(pool, { tenantId: 1, key: id }, (client) =>
    client.query('INSERT INTO crash_effect (task_id, entry, tick, version) VALUES ($1, $2, $3, $4)', [
      id,
      scheduledBy?.entry,
      scheduledBy?.tick,
      version,
    ]),
  );
}

/** Returns how often it has started. */
async function noteStart({ id, task }: TaskContext): Promise<number> {
  await pool.query('INSERT INTO crash_start (task, task_id) VALUES ($1, $2)', [task, id]);
  const { rows } = await pool.query<{ count: string }>(
    'SELECT count(*) FROM crash_start WHERE task_id = $1',
    [id],
  );
  return Number(rows[0]?.count);
}

interface Payload {
  kind: string;
  failures: number;
  waitMs: number;
}

async function run({ kind, failures, waitMs }: Payload, context: TaskContext): Promise<{ kind: string }> {
  if (kind.startsWith(SHARED)) return holdKey({ kind, failures, waitMs }, context);
  if (kind === 'flaky' && context.retries < failures) throw new Error('not yet');
  if (kind === 'slow') {
    context.progress(0, 1);
    await pause(waitMs);
  }
  if (kind === 'snoozing' && (await noteStart(context)) <= failures) context.snooze(100);
  if (kind === 'parent') {
    const child = { kind: 'child', failures: 0, waitMs: 0 };
    await context.enqueue(crashTask, child, { id: `${context.id}-child` });
  }
  await effect(context);
  return { kind };
}

/** While a task has its unique key, no other one of that key may run, its retries included. */
async function holdKey({ kind, failures, waitMs }: Payload, context: TaskContext): Promise<{ kind: string }> {
  await pool.query('SELECT crash_take($1, $2)', [context.id, kind]);
  await pause(waitMs);
  if (context.retries < failures) throw new Error('not yet');
  await effect(context);
  await pool.query('UPDATE crash_key SET is_held = false WHERE task_id = $1', [context.id]);
  return { kind };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const worker = createWorker({
  connection,
  topology: crashTopology(),
  queues: ['crash', 'gated', 'work'],
  concurrency: 16,
  // Shorter than its longest tasks, which it then hands back.
  shutdownGraceMs: 200,
  handlers: [
    handleTask(crashTask, run),
    handleTask(doomedTask, () => {
      throw new TaskError('never');
    }),
    handleTask(killerTask, () => {
      process.kill(process.pid, 'SIGKILL');
      return new Promise<never>(() => undefined);
    }),
    ...(environment.CRASH_LACKS_NEWCOMER ? [] : [handleTask(newcomerTask, run)]),
    ...[gatedTask, limitedTask].map((task) =>
      handleTask(task, async ({ kind }, context) => {
        await noteStart(context);
        await effect(context);
        return { kind };
      }),
    ),
    handleTask(revocableTask, async (_payload, context) => {
      await noteStart(context);
      await new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
      throw new Error('ended without a signal');
    }),
    handleTask(tickTask, async ({ version }, context) => {
      await effect(context, version);
      return { kind: 'tick' };
    }),
    handleTask(total, async ({ of, plus }, context) => {
      await effect(context);
      return { sum: sumOf(of) + plus };
    }),
  ],
});
worker.start();
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => void worker.stop().then(() => process.exit(0)));
