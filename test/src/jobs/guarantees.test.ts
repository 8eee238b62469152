/** Promises of docs/reference/guarantees.md that no other suite is about. */
import { setTimeout as delay } from 'node:timers/promises';
import { handleTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { add, addHandler, openJobs } from './fixture.js';

test('a task that runs for several ack waits is not delivered again', async () => {
  const ackWaitMs = 400;
  const { client, worker } = await openJobs({ ackWaitMs });
  let runs = 0;
  const slow = handleTask(add, async ({ a, b }) => {
    runs += 1;
    await delay(4 * ackWaitMs);
    return { sum: a + b };
  });
  // The second worker would get it.
  worker([slow]);
  worker([slow]);
  const { id } = await client.enqueue(add, { a: 1, b: 2 });
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect(runs).toBe(1);
});

test('unique refuses a second task of the same id while the first is in the queue', async () => {
  const { client, worker } = await openJobs();
  const options = { id: 'order-7', unique: true };
  await client.enqueue(add, { a: 1, b: 2 }, { id: 'order-7' });
  await expect(client.enqueue(add, { a: 1, b: 2 }, options)).rejects.toMatchObject({
    code: 'publish_conflict',
  });
  worker([addHandler]);
  await client.result('order-7');
});
