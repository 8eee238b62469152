/** A worker whose handler blocks the event loop for good: the watchdog has to end the process. */
import { connectToNats, createWorker, defineTask, defineTopology, handleTask } from '@stratum/jobs';
import { z } from 'zod';

const { NATS_URL, PREFIX } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'blocking' });
const topology = defineTopology({ prefix: PREFIX, queues: [{ name: 'work' }], ackWaitMs: 1_000 });
const add = defineTask({
  name: 'add',
  queue: 'work',
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
  limits: { softTimeLimitMs: 400, timeLimitMs: 500 },
});
const worker = createWorker({
  connection,
  topology,
  queues: ['work'],
  handlers: [
    handleTask(add, () => {
      for (;;);
    }),
  ],
});
worker.start();
process.send?.('ready');
