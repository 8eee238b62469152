/** The throw-away broker of the testing kit. */
import { connectToNats } from '@stratum/jobs';
import { startTestBroker } from '@stratum/jobs/testing';
import { expect, inject, onTestFinished, test } from 'vitest';
import { add, addHandler } from './fixture.js';

test('a broker of a test’s own runs its tasks and leaves nothing behind', async () => {
  const broker = await startTestBroker({ binary: inject('natsBinary'), queues: [{ name: 'work' }] });
  onTestFinished(() => broker.stop());
  broker.worker([addHandler]);
  const { id } = await broker.client.enqueue(add, { a: 1, b: 2 });
  expect(await broker.client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
  await broker.stop();
  await expect(connectToNats({ servers: broker.url, name: 'late', timeoutMs: 500 })).rejects.toThrow(
    /No connection/,
  );
});
