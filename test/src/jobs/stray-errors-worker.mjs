/** A worker whose handlers leave errors behind, each in a way that ends a Node process. */
import { connectToNats, createWorker, defineTask, defineTopology, handleTask } from '@stratum/jobs';
import { z } from 'zod';

const { NATS_URL, PREFIX } = process.env;
const connection = await connectToNats({ servers: NATS_URL, name: 'stray-errors' });
const topology = defineTopology({ prefix: PREFIX, queues: [{ name: 'work' }] });
const fail = () => {
  throw new Error('left behind');
};
const WAYS = {
  'a promise that nobody awaits': () => void Promise.reject(new Error('left behind')),
  'a promise that rejects later': () => void new Promise((_, reject) => setTimeout(reject, 20)),
  'a callback of a timer': () => void setTimeout(fail, 0),
  'a listener of the signal': (context) => {
    context.signal.addEventListener('abort', fail);
    return new Promise((resolve) => setTimeout(resolve, 400));
  },
  'an asynchronous predicate': () => {
    throw new Error('asks the predicate');
  },
  'a cause that cannot be read': () =>
    void Promise.reject(new Proxy({}, { get: fail, getPrototypeOf: fail, ownKeys: fail })),
};
const stray = defineTask({
  name: 'stray',
  queue: 'work',
  input: z.object({ way: z.string() }),
  output: z.unknown(),
  retry: { maxRetries: 0, retryOn: () => Promise.reject(new Error('not a boolean')) },
  limits: { softTimeLimitMs: 50, timeLimitMs: 60_000 },
});
const worker = createWorker({
  connection,
  topology,
  queues: ['work'],
  handlers: [handleTask(stray, ({ way }, context) => WAYS[way]?.(context) ?? null)],
});
worker.start();
process.send?.('ready');
