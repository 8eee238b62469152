/** A worker whose clock is wrong by CLOCK_SHIFT_MS, and whose tasks say when they ran, by the machine's monotonic clock in milliseconds. */
import '../shifted-clock.mjs';
import { setTimeout as delay } from 'node:timers/promises';

const { connectToNats, createWorker, defineTask, defineTopology, handleTask } = await import('@stratum/jobs');
const { z } = await import('zod');
const { NATS_URL, PREFIX, ACK_WAIT_MS } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'occupying' });
const occupy = defineTask({
  name: 'occupy',
  queue: 'work',
  input: z.object({ account: z.string(), compute_ms: z.number(), wait_ms: z.number() }),
  output: z.object({ from: z.number(), to: z.number() }),
  keyLimits: [{ key: 'payload.account', concurrency: 1 }],
});
const now = () => Number(process.hrtime.bigint()) / 1e6;

const handler = handleTask(occupy, async ({ compute_ms: computeMs, wait_ms: waitMs }) => {
  const from = now();
  await delay(waitMs);
  const end = performance.now() + computeMs;
  while (performance.now() < end);
  return { from, to: now() };
});

const worker = createWorker({
  connection,
  topology: defineTopology({
    prefix: PREFIX,
    queues: [{ name: 'work' }],
    ackWaitMs: Number(ACK_WAIT_MS),
    maxDeliver: 1_000,
  }),
  queues: ['work'],
  handlers: [handler],
  concurrency: 4,
});
worker.start();
process.send?.('ready');
