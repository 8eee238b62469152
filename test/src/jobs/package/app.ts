/** An application as a stranger writes it. The test compiles it as ES module and as CommonJS, away from this repository. */
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  openSchedules,
  reconcileTopology,
  TaskError,
  type HandlerFor,
} from '@stratum/jobs';
import { z } from 'zod';

const greet = defineTask({
  name: 'greet',
  queue: 'mail',
  input: z.object({ name: z.string().min(1), at: z.iso.datetime().optional() }),
  output: z.object({ text: z.string() }),
  retry: { maxRetries: 2, backoff: { kind: 'fixed', delayMs: 20 } },
});

const greetOnce: HandlerFor<typeof greet> = ({ name }, { retries }) => {
  if (retries === 0) throw new TaskError('not yet');
  return { text: `Hello, ${name}!` };
};

async function main(): Promise<void> {
  const connection = await connectToNats({ servers: process.env['NATS_URL'] ?? '', name: 'app' });
  const topology = defineTopology({ prefix: process.env['PREFIX'] ?? '', queues: [{ name: 'mail' }] });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const workersBefore = await client.control.inspect('ping');

  const worker = createWorker({
    connection,
    topology,
    queues: ['mail'],
    handlers: [handleTask(greet, greetOnce)],
    name: 'post',
  });
  worker.start();
  const answer = await client.call(greet, { name: 'Ada' });
  const text: string = answer.text;
  const refused = await client.enqueue(greet, { name: '' }).catch((error: unknown) => error);

  const schedules = openSchedules({ connection, topology, contracts: [greet] });
  const entry = await schedules.add({
    name: 'daily',
    task: 'greet',
    payload: { name: 'Eve' },
    cron: '0 9 * * *',
  });
  const workers = await client.control.inspect('ping');
  await schedules.close();
  await worker.stop();
  await client.close();
  await connection.close();
  const report = {
    text,
    workersBefore: workersBefore.length,
    workers: workers.length,
    entry: entry.name,
    refused: refused instanceof Error ? refused.name : undefined,
  };
  process.stdout.write(JSON.stringify(report));
}

void main();
