/** Operations across deaths of the process that carries them out, by command, and taken back. */
import { defineTask, handleTask, type KeptLetter } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { freePort, spawnProgram, tcpProxy, waitFor, type SpawnedProgram } from '../harness/index.js';
import { openPlatform, TENANT, type Platform } from '../harness/platform.js';
import { openDashboard } from './fixture.js';

const flaky = defineTask({
  name: 'flaky',
  queue: 'default',
  input: z.object({ n: z.int() }),
  output: z.string(),
  retry: 'never',
});

interface OperationBody {
  id: string;
  state: string;
  counted: number;
  done: number;
  kept: number;
  gone: number;
  restored: number;
  undo_until: string | null;
}

/** Letters of that many tasks; each start is noted. */
async function failTasks(platform: Platform, count: number, starts: string[]): Promise<() => void> {
  let isDown = true;
  platform.startWorker('default', [
    handleTask(flaky, (_input, { id }) => {
      if (!isDown) starts.push(id);
      return isDown ? Promise.reject(new Error('Down')) : Promise.resolve('done');
    }),
  ]);
  for (let n = 0; n < count; n++)
    await platform.client.enqueue(flaky, { n }, { id: `letter-${n}`, tenant: String(TENANT) });
  await waitFor(
    'the letters',
    async () => (await platform.client.deadLetters.list({ limit: 1_000 })).length === count,
  );
  return () => (isDown = false);
}

const projected = (platform: Platform, count: number): Promise<unknown> =>
  waitFor(
    'the failures in the history',
    async () => (await platform.query('SELECT FROM task_run WHERE state = 2')).length === count,
  );

test('an operation goes on where it was after its process was killed, and after the broker was away', async () => {
  const platform = await openPlatform();
  const starts: string[] = [];
  const repair = await failTasks(platform, 60, starts);
  const proxy = await tcpProxy(platform.natsUrl);
  const settings = { DATABASE_URL: platform.database.url, STRATUM_PREFIX: platform.prefix };
  const metricsPort = await freePort();
  const startDashboard = (): SpawnedProgram =>
    spawnProgram('services/dashboard/dist/main.js', {
      ...settings,
      NATS_URL: proxy.url,
      DASHBOARD_PORT: '0',
      METRICS_PORT: String(metricsPort),
    });
  let dashboard = startDashboard();
  await dashboard.ready();
  await projected(platform, 60);
  repair();
  const stratum = async (...args: string[]): Promise<OperationBody> => {
    const command = spawnProgram('packages/cli/dist/main.js', { ...settings, NATS_URL: platform.natsUrl }, [
      'operations',
      ...args,
      '--json',
    ]);
    expect(await command.exited(), command.output()).toBe(0);
    return JSON.parse(command.output());
  };
  const started = await stratum('start', 'replay', `task:flaky tenant:${TENANT}`, '--yes', '--rate', '10');
  expect(started).toMatchObject({ state: 'running', counted: 60, done: 0 });
  await platform.query('UPDATE operation SET begins_at = now() WHERE id = $1', [started.id]);
  const done = async (): Promise<number> =>
    (await platform.query("SELECT FROM operation_item WHERE outcome IN ('done', 'gone')")).length;

  await waitFor('the first items', async () => (await done()) >= 10);
  await dashboard.kill('SIGKILL');
  const reached = await done();
  expect(reached).toBeLessThan(60);
  dashboard = startDashboard();
  await waitFor('more items', async () => (await done()) > reached);

  proxy.cut();
  await waitFor('a turn that fails', () => dashboard.output().includes('operations could not go on'));
  expect(await done()).toBeLessThan(60);
  proxy.heal();
  await waitFor(
    'its end',
    async () => (await platform.query("SELECT FROM operation WHERE state = 'ended'")).length === 1,
  );
  const ended = await stratum('show', started.id);
  expect(ended).toMatchObject({ counted: 60, kept: 0 });
  expect(ended.done + ended.gone).toBe(60);
  await waitFor('every task to run again', () => new Set(starts).size === 60);
  // None was replayed twice.
  expect(starts).toHaveLength(60);
  expect(await platform.client.deadLetters.list({})).toEqual([]);
}, 120_000);

test('letters that an operation has discarded are put back, unless their tasks have failed again', async () => {
  const dashboard = await openDashboard();
  await failTasks(dashboard, 3, []);
  await projected(dashboard, 3);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const before = await dashboard.client.deadLetters.list({});
  const { body } = await platform<OperationBody>('POST', '/api/operations/dry-run', {
    verb: 'discard',
    q: 'task:flaky',
  });
  const path = `/api/operations/${body.id}`;
  const inState = (state: string): Promise<OperationBody> =>
    waitFor(`the operation to be ${state}`, async () => {
      const { body: found } = await platform<OperationBody>('GET', path);
      return found.state === state && found;
    });
  expect((await platform('POST', `${path}/undo`, {})).status).toBe(409);
  await platform('POST', `${path}/start`, { rate: 500 });
  await dashboard.query('UPDATE operation SET begins_at = now()');
  expect((await inState('ended')).undo_until).not.toBeNull();
  expect(await dashboard.client.deadLetters.list({})).toEqual([]);

  const [kept] = await dashboard.query<{ letter: KeptLetter }>(
    "SELECT letter FROM operation_item WHERE id = 'letter-1'",
  );
  if (kept === undefined) throw new Error('The letter was not kept.');
  const { letter } = kept;
  const headers = letter.headers.map(([name, value]): [string, string] => [
    name,
    name === 'Dead-At' ? new Date().toISOString() : value,
  ]);
  await dashboard.client.deadLetters.restore({ ...letter, headers, sequence: 1_000 });
  expect((await platform('POST', `${path}/undo`, {})).status).toBe(200);
  expect(await inState('undone')).toMatchObject({ restored: 2, kept: 1, undo_until: null });
  const after = await dashboard.client.deadLetters.list({});
  const others = (letters: typeof before): object[] =>
    letters
      .filter(({ id }) => id !== 'letter-1')
      .map(({ sequence: _place, ...rest }) => rest)
      .toSorted((one, other) => one.id.localeCompare(other.id));
  expect(others(after)).toEqual(others(before));
  expect(after).toHaveLength(3);
  // Nothing of a payload stays in the database.
  expect(await dashboard.query('SELECT FROM operation_item WHERE letter IS NOT NULL')).toEqual([]);
  expect((await platform('POST', `${path}/undo`, {})).status).toBe(409);
});

test('a letter that was kept for an undo goes with its tenant', async () => {
  const platform = await openPlatform();
  await platform.query(
    "INSERT INTO operation (id, verb, query, as_of, complete, actor) VALUES ('one', 'discard', 'x', now(), true, 'test')",
  );
  await platform.query(
    `INSERT INTO operation_item (operation_id, place, id, task, queue, tenant, was, letter)
     VALUES ('one', 1, 'a', 't', 'q', '1', 'FAILURE', '{}'), ('one', 2, 'b', 't', 'q', '2', 'FAILURE', '{}')`,
  );
  await platform.query('UPDATE tenant SET deleted_at = now() WHERE id = 1');
  expect(await platform.query('SELECT place FROM operation_item WHERE letter IS NOT NULL')).toEqual([
    { place: 2 },
  ]);
});
