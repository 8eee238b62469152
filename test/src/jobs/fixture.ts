/** Tasks, a client and workers under a namespace of the test's own. */
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
  TaskError,
  type JobsClient,
  type TaskHandler,
  type Topology,
  type TopologyOptions,
  type Worker,
  type WorkerOptions,
} from '@stratum/jobs';
import { startNatsServer, type NatsServer } from '@stratum/jobs/embedded';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { inject, onTestFinished } from 'vitest';
import { z } from 'zod';
import { testNamespace, waitFor } from '../harness/index.js';

export const add = defineTask({
  name: 'add',
  queue: 'work',
  input: z.object({ a: z.number(), b: z.number(), tenant_id: z.int().optional() }),
  output: z.object({ sum: z.number() }),
});

export const flaky = defineTask({
  name: 'flaky',
  queue: 'work',
  input: z.object({ failures: z.int() }),
  output: z.object({ retries: z.int() }),
  retry: { maxRetries: 2, backoff: { kind: 'fixed', delayMs: 20 } },
});

export const addHandler = handleTask(add, ({ a, b }) => ({ sum: a + b }));
export const flakyHandler = handleTask(flaky, ({ failures }, { retries }) => {
  if (retries < failures) throw new TaskError(`failure ${retries + 1}`);
  return { retries };
});

export interface Jobs {
  connection: NatsConnection;
  natsUrl: string;
  topology: Topology;
  client: JobsClient;
  /** A started worker, stopped when the test ends. */
  worker: (handlers: readonly TaskHandler[], options?: Partial<WorkerOptions>) => Worker;
}

export async function openJobs(options: Partial<TopologyOptions> = {}): Promise<Jobs> {
  const { connection, prefix, natsUrl } = await testNamespace();
  return jobsOn(connection, natsUrl, { prefix, replicas: inject('replicas'), ...options });
}

/** The same on a server that the test may kill. */
export async function openOwnJobs(
  options: Partial<TopologyOptions> = {},
  serverOptions: { maxStoreBytes?: number } = {},
): Promise<Jobs & { server: NatsServer }> {
  const server = await startNatsServer({ binary: inject('natsBinary'), ...serverOptions });
  onTestFinished(() => server.stop());
  const connection = await connectToNats({ servers: server.url, name: 'own' });
  onTestFinished(() => connection.close());
  return { server, ...(await jobsOn(connection, server.url, { prefix: 'own', ...options })) };
}

async function jobsOn(
  connection: NatsConnection,
  natsUrl: string,
  options: Omit<TopologyOptions, 'queues'> & Partial<TopologyOptions>,
): Promise<Jobs> {
  const topology = defineTopology({ queues: [{ name: 'work' }], ...options });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  onTestFinished(() => client.close());
  return {
    connection,
    natsUrl,
    topology,
    client,
    worker: (handlers, workerOptions) => {
      const worker = createWorker({
        connection,
        topology,
        queues: ['work'],
        handlers,
        logger: pino({ level: 'silent' }),
        ...workerOptions,
      });
      worker.start();
      onTestFinished(() => worker.stop());
      return worker;
    },
  };
}

/** Waits until nothing waits or runs in the one queue. */
export async function queueIsEmpty(client: JobsClient): Promise<void> {
  await waitFor('the queue to be empty', async () => {
    const [queue] = await client.queues();
    return queue && queue.high + queue.normal + queue.low + queue.delayed + queue.running === 0;
  });
}
