/** The examples of docs/write-tasks/publishing.md, run as they stand, with the rights that they say are enough. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { jetstream } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isInstalled, runProgram } from '../cli/stratum.js';
import { spawnProgram, waitFor } from '../harness/index.js';
import { securedServer, startServices, type SecuredServer, type User } from '../harness/secured-server.js';

const EXAMPLES = fileURLToPath(new URL('../../../docs/examples', import.meta.url));
const lineSchema = z.looseObject({ what: z.string() });

function told(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

function settings(server: SecuredServer, user: User): NodeJS.ProcessEnv {
  return { NATS_URL: server.address, NATS_USER: user, NATS_PASSWORD: server.passwords[user] };
}

test('a producer and an observer in JavaScript', async () => {
  const server = await securedServer();
  await startServices(server);
  const producer = spawnProgram('docs/examples/publish.mjs', settings(server, 'shop'));
  expect(await producer.exited(), producer.output()).toBe(0);
  expect(told(producer.output())).toEqual([
    expect.objectContaining({ what: 'enqueued', same: true, duplicate: [false, true] }),
    expect.objectContaining({
      what: 'ended',
      state: 'SUCCESS',
      result: expect.objectContaining({ accounts: 1 }),
    }),
    expect.objectContaining({ what: 'delayed', state: 'SCHEDULED' }),
    expect.objectContaining({ what: 'refused', error: expect.stringContaining('platform') }),
  ]);

  const id = randomUUID();
  const observer = spawnProgram('docs/examples/watch.mjs', settings(server, 'observer'), [id]);
  await waitFor('the observer to listen', () => observer.output().includes('"ready"'));
  await jetstream(await server.connectAs('platform')).publish(
    `stratum.tasks.sync.normal.1.sync_campaign_data.${id}`,
    '{"tenant_id":1,"platform":"meta"}',
  );
  expect(await observer.exited(), observer.output()).toBe(0);
  expect(told(observer.output())).toContainEqual(
    expect.objectContaining({ what: 'ended', id, state: 'SUCCESS' }),
  );
});

test.runIf(await isInstalled('python3'))('a producer in Python is Python', async () => {
  const parse = `import ast, sys; ast.parse(open(sys.argv[1]).read())`;
  expect(await runProgram('python3', ['-c', parse, `${EXAMPLES}/publish.py`])).toMatchObject({
    code: 0,
    stderr: '',
  });
});

const hasNats = (await runProgram('python3', ['-c', 'import nats']).catch(() => undefined))?.code === 0;

test.runIf(hasNats)('a producer in Python, where its client is installed', async () => {
  const server = await securedServer();
  await startServices(server);
  const { code, stdout, stderr } = await runProgram(
    'python3',
    [`${EXAMPLES}/publish.py`],
    settings(server, 'shop'),
  );
  expect(code, stderr).toBe(0);
  expect(told(stdout)).toEqual([
    expect.objectContaining({ what: 'enqueued', again: true }),
    expect.objectContaining({ what: 'ended', state: 'SUCCESS' }),
    expect.objectContaining({ what: 'delayed', state: 'SCHEDULED' }),
  ]);
});
