/** Tasks of many keys with limits by key, beside the same tasks without any. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { createWorker, defineTask, handleTask, type TaskContract } from '@stratum/jobs';
import { z } from 'zod';
import { compare, inParallel, rate, type Comparison } from './measure.js';
import { noop, type Framework } from './subject.js';

const COUNT = 3_000;
const KEYS = 100;
const CONCURRENCY = 64;
const IN_FLIGHT = 500;
/** Between two looks at how many tasks have ended, in milliseconds. */
const LOOK_MS = 5;

const input = z.object({ key: z.int() });
const shared = { queue: noop.queue, input, output: z.null() };
const free = defineTask({ ...shared, name: 'free' });
const key = 'payload.key' as const;
const roomy = defineTask({ ...shared, name: 'roomy', keyLimits: [{ key, concurrency: 100 }] });
const tight = defineTask({ ...shared, name: 'tight', keyLimits: [{ key, concurrency: 1 }] });

export interface KeyLimitFigures {
  tasks: number;
  keys: number;
  /** A place is always free: `ours` with the limit, `bare` without. */
  roomy: Comparison;
  /** One at a time of each key, so most tasks wait and are called. */
  tight: Comparison;
}

export async function benchKeyLimits(
  connection: NatsConnection,
  framework: Framework,
  rounds: number,
): Promise<KeyLimitFigures> {
  const drain =
    (contract: TaskContract<typeof input, z.ZodNull>): (() => Promise<number>) =>
    async () => {
      const { client, topology } = framework;
      await inParallel(COUNT, IN_FLIGHT, (n) => client.enqueue(contract, { key: n % KEYS }));
      const worker = createWorker({
        connection,
        topology,
        queues: [noop.queue],
        concurrency: CONCURRENCY,
        handlers: [handleTask(contract, () => null)],
      });
      return rate(COUNT, async () => {
        worker.start();
        while (worker.stats().succeeded < COUNT) await delay(LOOK_MS);
        await worker.stop();
      });
    };
  return {
    tasks: COUNT,
    keys: KEYS,
    roomy: await compare(rounds, drain(roomy), drain(free)),
    tight: await compare(rounds, drain(tight), drain(free)),
  };
}
