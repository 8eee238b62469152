/** Workers whose clocks are wrong, or are set while they work. */
import { defineTask } from '@stratum/jobs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { spawnProgram, type SpawnedProgram } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const clocked = defineTask({
  name: 'clocked',
  queue: 'work',
  input: z.object({ set_by_ms: z.number(), wait_ms: z.number() }),
  output: z.object({ pid: z.int() }),
});
const AT_ONCE = { set_by_ms: 0, wait_ms: 0 };
const HOUR_MS = 3_600_000;

async function startSkewed({ natsUrl, topology }: Jobs, skewMs: number): Promise<SpawnedProgram> {
  const program = spawnProgram('test/src/jobs/skewed-worker.mjs', {
    NATS_URL: natsUrl,
    PREFIX: topology.names.prefix,
    CLOCK_SHIFT_MS: String(skewMs),
  });
  await program.ready();
  return program;
}

describe("a worker's clock", () => {
  test.each([HOUR_MS, -HOUR_MS])('set by %i ms during a task neither ends nor repeats it', async (setBy) => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    await startSkewed(jobs, 0);
    await jobs.client.enqueue(clocked, { set_by_ms: setBy, wait_ms: 2_500 }, { id: 'long' });
    const record = await jobs.client.result('long');
    expect(record).toMatchObject({ state: 'SUCCESS' });
    expect(record.deliveries).toBeUndefined();
    expect(record.runtime_ms).toBeGreaterThanOrEqual(2_400);
    expect(record.runtime_ms).toBeLessThan(HOUR_MS / 2);
  });

  test.each([-10_000, 60_000])('wrong by %i ms does not move a delayed task', async (skewMs) => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    await startSkewed(jobs, skewMs);
    await jobs.client.call(clocked, AT_ONCE);
    const eta = new Date(Date.now() + 1_000);
    const { id } = await jobs.client.enqueue(clocked, AT_ONCE, { eta });
    const record = await jobs.client.result(id);
    expect(Date.now()).toBeGreaterThanOrEqual(eta.getTime());
    expect(record).toMatchObject({ state: 'SUCCESS' });
    // It was neither sent back nor delivered again.
    expect([record.snoozes, record.deliveries]).toEqual([undefined, undefined]);
  });

  test.each([HOUR_MS, -HOUR_MS])(
    'of a producer, wrong by %i ms, does not move what it delays, nor free a key',
    async (skewMs) => {
      const jobs = await openJobs({ ackWaitMs: 2_000 });
      const { client, topology, natsUrl } = jobs;
      await startSkewed(jobs, 0);
      const begun = Date.now();
      const producer = spawnProgram('test/src/jobs/skewed-producer.mjs', {
        NATS_URL: natsUrl,
        PREFIX: topology.names.prefix,
        CLOCK_SHIFT_MS: String(skewMs),
      });
      await producer.exited();
      expect(JSON.parse(producer.output())).toEqual([false, false, true]);
      const record = await client.result('later');
      expect(record.state).toBe('SUCCESS');
      expect(Date.parse(record.started_at ?? '')).toBeGreaterThanOrEqual(begun + 1_000);
      expect(Math.abs(Date.parse(record.enqueued_at ?? '') - begun)).toBeLessThan(HOUR_MS / 2);
    },
  );

  test('however wrong, a rate limit holds over all workers', async () => {
    const jobs = await openJobs({ ackWaitMs: 2_000 });
    const { client } = jobs;
    await client.control.setRateLimit('clocked', { limit: 10, perMs: 1_000 });
    const workers = await Promise.all([-60_000, 60_000].map((skewMs) => startSkewed(jobs, skewMs)));
    const begun = performance.now();
    const enqueued = await client.enqueueMany(
      clocked,
      Array.from({ length: 21 }, () => ({ payload: AT_ONCE })),
    );
    const records = await Promise.all(enqueued.map(({ id }) => client.result(id)));
    const tookMs = performance.now() - begun;
    expect(records.every(({ state }) => state === 'SUCCESS')).toBe(true);
    expect(workers).toHaveLength(2);
    // 21 starts are 20 intervals of 100 ms, none of which begins before the tasks are enqueued.
    expect(tookMs).toBeGreaterThanOrEqual(2_000);
  });
});
