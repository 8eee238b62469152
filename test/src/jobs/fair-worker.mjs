/** A worker of `report` that can be killed at any moment; each start goes to a stream of the test's own. */
import { setTimeout as delay } from 'node:timers/promises';

const { connectToNats, createWorker, defineTask, defineTopology, handleTask } = await import('@stratum/jobs');
const { z } = await import('zod');
const { NATS_URL, PREFIX, RUN_MS, SHARDS = '1' } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'fair' });
const worker = createWorker({
  connection,
  topology: defineTopology({
    prefix: PREFIX,
    queues: [{ name: 'work', shards: Number(SHARDS) }],
    ackWaitMs: 2_000,
  }),
  queues: ['work'],
  concurrency: 4,
  handlers: [
    handleTask(
      defineTask({
        name: 'report',
        queue: 'work',
        input: z.object({ tenant_id: z.int(), n: z.int() }),
        output: z.object({ n: z.int() }),
      }),
      async ({ tenant_id: tenant, n }) => {
        process.send?.({ tenant, n });
        await delay(Number(RUN_MS));
        return { n };
      },
    ),
  ],
});
worker.start();
process.send?.('ready');
