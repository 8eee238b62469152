/** A worker that runs every kind of task, until it is killed. */
import { createWorker, handleTask, TaskError, type TaskContext } from '@stratum/jobs';
import { once, openDatabase } from '@stratum/shared';
import { connectPatiently, crashTopology, readEnvironment } from './environment.js';
import { crashTask, doomedTask, killerTask } from './plan.js';

const { NATS_URL, DATABASE_URL } = readEnvironment();
const pool = openDatabase({ url: DATABASE_URL, name: 'crash-worker', poolSize: 8 });
const connection = await connectPatiently(NATS_URL, 'crash-worker');

/** The effect that must happen once, however often its task runs. */
async function effect(id: string): Promise<void> {
  await once(pool, { tenantId: 1, key: id }, (client) =>
    client.query('INSERT INTO crash_effect (task_id) VALUES ($1)', [id]),
  );
}

async function run(
  { kind, failures, waitMs }: { kind: string; failures: number; waitMs: number },
  context: TaskContext,
): Promise<{ kind: string }> {
  if (kind === 'flaky' && context.retries < failures) throw new Error('not yet');
  if (kind === 'slow') {
    context.progress(0, 1);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  if (kind === 'snoozing' && Date.now() - Date.parse(context.enqueuedAt) < failures * 200)
    context.snooze(100);
  if (kind === 'parent') {
    const child = { kind: 'child', failures: 0, waitMs: 0 };
    await context.enqueue(crashTask, child, { id: `${context.id}-child` });
  }
  await effect(context.id);
  return { kind };
}

const worker = createWorker({
  connection,
  topology: crashTopology(),
  queues: ['crash'],
  concurrency: 16,
  handlers: [
    handleTask(crashTask, run),
    handleTask(doomedTask, () => {
      throw new TaskError('never');
    }),
    handleTask(killerTask, () => {
      process.kill(process.pid, 'SIGKILL');
      return new Promise<never>(() => undefined);
    }),
  ],
});
worker.start();
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => void worker.stop().then(() => process.exit(0)));
