/**
 * The model beside real workers: tasks arrive at random and take a random time, and the mean wait for a slot is compared with that of the simulation for
 * the very same arrivals and durations, as they turned out.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { exponential, randomFrom, waitsMs, type Arrival } from '@stratum/cli/capacity';
import {
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
} from '@stratum/jobs';
import { z } from 'zod';

export interface ModelCheck {
  slots: number;
  service_ms: number;
  tasks_per_second: number;
  tasks: number;
  measured_wait_ms: number;
  simulated_wait_ms: number;
}

const SLOTS = 8;
const SERVICE_MS = 100;
/** Four fifths of what the slots can do. */
const PER_SECOND = 64;
const TASKS = 2_000;
const SEED = 20;
/** Every slot is ready, and the first codes are compiled. */
const LEAD_MS = 1_000;

const timed = defineTask({
  name: 'timed',
  queue: 'check',
  input: z.object({ n: z.int(), takesMs: z.number() }),
  output: z.object({ n: z.int() }),
});

export async function checkModel(connection: NatsConnection): Promise<ModelCheck> {
  const topology = defineTopology({ prefix: 'capacity-check', queues: [{ name: timed.queue }] });
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const random = randomFrom(SEED);
  let clock = 0;
  const arrivals: Arrival[] = Array.from({ length: TASKS }, () => ({
    atMs: (clock += exponential(1_000 / PER_SECOND, random)),
    serviceMs: exponential(SERVICE_MS, random),
  }));
  const waits: number[] = [];
  /** A timer of the process fires a little late, so what was planned is not what was. */
  const actual: Arrival[] = [];
  const enqueuedAt: number[] = [];
  const startedAt = performance.now() + LEAD_MS;
  const worker = createWorker({
    connection,
    topology,
    queues: [timed.queue],
    concurrency: SLOTS,
    handlers: [
      handleTask(timed, async ({ n, takesMs }) => {
        const begunAt = performance.now();
        const atMs = enqueuedAt[n] ?? 0;
        waits.push(begunAt - atMs);
        await delay(takesMs);
        actual[n] = { atMs, serviceMs: performance.now() - begunAt };
        return { n };
      }),
    ],
  });
  worker.start();
  try {
    const sent: Promise<unknown>[] = [];
    for (const [n, { atMs, serviceMs }] of arrivals.entries()) {
      await delay(Math.max(0, startedAt + atMs - performance.now()));
      enqueuedAt[n] = performance.now();
      sent.push(client.enqueue(timed, { n, takesMs: serviceMs }));
    }
    await Promise.all(sent);
    while (waits.length < TASKS) await delay(20);
  } finally {
    // Waits for those that are still running.
    await worker.stop();
    await client.close();
  }
  return {
    slots: SLOTS,
    service_ms: SERVICE_MS,
    tasks_per_second: PER_SECOND,
    tasks: TASKS,
    measured_wait_ms: mean(waits),
    simulated_wait_ms: mean(waitsMs(SLOTS, actual)),
  };
}

function mean(values: readonly number[]): number {
  return Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 100) / 100;
}
