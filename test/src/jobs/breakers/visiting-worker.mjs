/** A worker whose tasks call a service over HTTP, and whose clock is wrong by CLOCK_SHIFT_MS. Tests kill it. */
import '../shifted-clock.mjs';

const { connectToNats, createWorker, defineTask, defineTopology, handleTask } = await import('@stratum/jobs');
const { z } = await import('zod');
const { NATS_URL, PREFIX, SERVICE_URL, PAUSE_MS } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'visiting' });

const visit = defineTask({
  name: 'visit',
  queue: 'work',
  input: z.object({ n: z.int() }),
  output: z.null(),
  retry: { maxRetries: 100, backoff: { kind: 'fixed', delayMs: 20 } },
  breaker: {
    service: 'shop',
    failures: 3,
    windowMs: 20_000,
    pauseMs: Number(PAUSE_MS),
    longestPauseMs: 2 * PAUSE_MS,
  },
});

const handler = handleTask(visit, async ({ n }) => {
  const response = await fetch(`${SERVICE_URL}/${n}`);
  await response.arrayBuffer();
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
  return null;
});

const worker = createWorker({
  connection,
  topology: defineTopology({
    prefix: PREFIX,
    queues: [{ name: 'work' }],
    ackWaitMs: 1_000,
    maxDeliver: 1_000,
  }),
  queues: ['work'],
  handlers: [handler],
  concurrency: 4,
});
worker.start();
process.send?.('ready');
