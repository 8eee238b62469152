/** A worker whose clock is wrong by CLOCK_SHIFT_MS, and is set by what a payload says. */
import { setTimeout as delay } from 'node:timers/promises';
import { shiftBy } from './shifted-clock.mjs';

const { connectToNats, createWorker, defineTask, defineTopology, handleTask } = await import('@stratum/jobs');
const { z } = await import('zod');
const { NATS_URL, PREFIX } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'skewed' });
const worker = createWorker({
  connection,
  topology: defineTopology({ prefix: PREFIX, queues: [{ name: 'work' }], ackWaitMs: 2_000 }),
  queues: ['work'],
  handlers: [
    handleTask(
      defineTask({
        name: 'clocked',
        queue: 'work',
        input: z.object({ set_by_ms: z.number(), wait_ms: z.number() }),
        output: z.object({ pid: z.int() }),
        limits: { softTimeLimitMs: 20_000, timeLimitMs: 20_000 },
      }),
      async ({ set_by_ms: setByMs, wait_ms: waitMs }) => {
        shiftBy(setByMs);
        await delay(waitMs);
        return { pid: process.pid };
      },
    ),
  ],
});
worker.start();
process.send?.('ready');
