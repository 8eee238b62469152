/** BullMQ on Redis. */
import { Queue, QueueEvents, Worker } from 'bullmq';
import { inParallel } from '../measure.js';
import { CONCURRENCY, Countdown, IN_FLIGHT, measureLibrary, type OpenPeer, type Peer } from './peer.js';
import { REDIS_DURABILITY, startRedis } from './redis.js';

const NAME = 'bench';

export const bullmq: Peer = {
  name: 'BullMQ',
  durability: REDIS_DURABILITY,
  measure: async (rounds) => measureLibrary(await open(), { count: 30_000, samples: 500 }, rounds),
};

async function open(): Promise<OpenPeer> {
  const redis = await startRedis();
  const connection = { host: '127.0.0.1', port: redis.port };
  const queue = new Queue(NAME, { connection });
  const events = new QueueEvents(NAME, { connection });
  const countdown = new Countdown();
  let worker: Worker | undefined;
  const start = (): void => {
    if (worker !== undefined) return;
    worker = new Worker(NAME, async () => ({ ok: true }), { connection, concurrency: CONCURRENCY });
    worker.on('completed', countdown.done);
  };
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  return {
    enqueue: (count) => inParallel(count, IN_FLIGHT, (n) => queue.add('noop', { n })),
    drain: async (count) => {
      const drained = countdown.from(count);
      start();
      await drained;
    },
    rest: async () => {
      await worker?.close();
      worker = undefined;
    },
    ask: async () => {
      const job = await queue.add('noop', { n: 1 });
      await job.waitUntilFinished(events);
    },
    close: async () => {
      await Promise.all([worker?.close(), queue.close(), events.close()]);
      await redis.stop();
    },
  };
}
