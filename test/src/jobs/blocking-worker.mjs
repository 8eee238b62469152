/** A worker whose handler computes on the event loop, waits, or never ends, as the payload says. */
import { setTimeout as delay } from 'node:timers/promises';
import { connectToNats, createWorker, defineTask, defineTopology, handleTask } from '@stratum/jobs';
import { z } from 'zod';

const { NATS_URL, PREFIX, ACK_WAIT_MS, LIMIT_MS, CONCURRENCY, PREFETCH } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'blocking' });
const topology = defineTopology({
  prefix: PREFIX,
  queues: [{ name: 'work' }],
  ackWaitMs: Number(ACK_WAIT_MS ?? 1_000),
});
const busy = defineTask({
  name: 'busy',
  queue: 'work',
  input: z.object({ compute_ms: z.number(), wait_ms: z.number() }),
  output: z.object({ pid: z.int() }),
  limits: { softTimeLimitMs: Number(LIMIT_MS ?? 500), timeLimitMs: Number(LIMIT_MS ?? 500) },
});
const worker = createWorker({
  connection,
  topology,
  queues: ['work'],
  concurrency: Number(CONCURRENCY ?? 1),
  prefetchMultiplier: Number(PREFETCH ?? 1),
  handlers: [
    handleTask(busy, async ({ compute_ms: computeMs, wait_ms: waitMs }) => {
      if (waitMs > 0) await delay(waitMs);
      const end = performance.now() + computeMs;
      while (performance.now() < end);
      return { pid: process.pid };
    }),
  ],
});
worker.start();
process.send?.('ready');
