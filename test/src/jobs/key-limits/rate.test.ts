/** Limits on starts of tasks of one key. */
import { defineTask, handleTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { add, addHandler, openJobs } from '../fixture.js';

const paced = defineTask({
  name: 'paced',
  queue: 'work',
  input: z.object({ account: z.string() }),
  output: z.null(),
  keyLimits: [{ key: 'payload.account', rate: '10/s', concurrency: 3 }],
});

test('starts of each key are an interval apart over two workers, and hinder nobody else', async () => {
  const { client, worker } = await openJobs();
  const starts = new Map<string, number[]>();
  const handler = handleTask(paced, ({ account }) => {
    starts.set(account, [...(starts.get(account) ?? []), Date.now()]);
    return null;
  });
  for (let workers = 0; workers < 2; workers++) worker([handler, addHandler], { concurrency: 8 });
  const tasks = await client.enqueueMany(
    paced,
    Array.from({ length: 24 }, (_, n) => ({ payload: { account: n % 2 === 0 ? 'a' : 'b' } })),
  );
  const { id: free } = await client.enqueue(add, { a: 1, b: 1 });
  const { started_at: freeAt } = await client.result(free);
  for (const { id } of tasks) expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect(Date.parse(freeAt ?? '')).toBeLessThan(Math.max(...[...starts.values()].flat()));
  expect([...starts.keys()].toSorted()).toEqual(['a', 'b']);
  for (const times of starts.values()) {
    expect(times).toHaveLength(12);
    // Eleven intervals of 100 ms; timers and the answer's way take a few milliseconds.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_050);
  }
});

test('is changed at run time', async () => {
  const { client, worker } = await openJobs();
  let starts = 0;
  const handler = handleTask(paced, () => {
    starts++;
    return null;
  });
  await client.control.setKeyLimit('paced', 'account', { rate: { limit: 1, perMs: 3_600_000 } });
  worker([handler, addHandler], { concurrency: 8 });
  const [first, second] = await client.enqueueMany(paced, [
    { payload: { account: 'a' } },
    { payload: { account: 'a' } },
  ]);
  await client.result(first?.id ?? '');
  await expect(client.result(second?.id ?? '', { timeoutMs: 500 })).rejects.toThrow(/has not ended/);
  expect(starts).toBe(1);
  await client.control.setKeyLimit('paced', 'account', { rate: null });
  const { id } = await client.enqueue(paced, { account: 'a' });
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
});
