import { defineConfig, openStratum } from '@stratum/jobs';
import { expect, expectTypeOf, test } from 'vitest';
import { testNamespace } from '../harness/index.js';
import { add, addHandler } from './fixture.js';

test('one line connects, creates the streams and returns a typed client; closing it stops its workers', async () => {
  const { prefix, natsUrl } = await testNamespace();
  const config = defineConfig({ prefix, queues: [{ name: 'work' }], tasks: [add] });
  const stratum = await openStratum(config, { servers: natsUrl });
  const worker = stratum.startWorker({ handlers: [addHandler] });
  const result = await stratum.call(add, { a: 1, b: 2 });
  expectTypeOf(result).toEqualTypeOf<{ sum: number }>();
  expect(result).toEqual({ sum: 3 });
  expect(worker.registered()).toEqual(['add']);
  await Promise.all([stratum.close(), stratum.close()]);
  expect(stratum.connection.isClosed()).toBe(true);
});

test('an address without a server is refused with the address', async () => {
  const config = defineConfig({ queues: [{ name: 'work' }], tasks: [add] });
  const opening = openStratum(config, { servers: 'nats://127.0.0.1:1' });
  await expect(opening).rejects.toThrow('127.0.0.1:1');
});
