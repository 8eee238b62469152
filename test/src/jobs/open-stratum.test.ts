import { defineConfig, openStratum } from '@stratum/jobs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, expectTypeOf, onTestFinished, test, vi } from 'vitest';
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

test('without arguments, it opens the application that the environment names, or the queues of the server', async () => {
  const { prefix, natsUrl } = await testNamespace();
  const directory = await mkdtemp(join(tmpdir(), 'open-stratum-'));
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });
  vi.stubEnv('NATS_URL', natsUrl);
  vi.stubEnv('STRATUM_PREFIX', prefix);
  vi.stubEnv('STRATUM_CONFIG', '');
  await expect(openStratum()).rejects.toThrow(`no queues under the prefix "${prefix}"`);

  const file = join(directory, 'stratum.config.mjs');
  vi.stubEnv('STRATUM_CONFIG', file);
  await expect(openStratum()).rejects.toThrow(file);
  await writeFile(file, 'export const other = 1;');
  await expect(openStratum()).rejects.toThrow('no default export');
  const named = join(directory, 'named.config.mjs');
  vi.stubEnv('STRATUM_CONFIG', named);
  await writeFile(
    named,
    `export default ${JSON.stringify({ prefix, queues: [{ name: 'work' }], tasks: [] })}`,
  );
  const stratum = await openStratum();
  stratum.startWorker({ handlers: [addHandler] });

  vi.stubEnv('STRATUM_CONFIG', '');
  const other = await openStratum();
  expect(other.topology.queues).toMatchObject([{ name: 'work' }]);
  const result = await other.call(add, { a: 1, b: 2 });
  expectTypeOf(result).toEqualTypeOf<{ sum: number }>();
  expect(result).toEqual({ sum: 3 });
  await Promise.all([stratum.close(), other.close()]);
});

test('an address without a server is refused with the address', async () => {
  const config = defineConfig({ queues: [{ name: 'work' }], tasks: [add] });
  const opening = openStratum(config, { servers: 'nats://127.0.0.1:1' });
  await expect(opening).rejects.toThrow('127.0.0.1:1');
});
