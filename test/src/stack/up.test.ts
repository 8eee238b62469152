/** `stratum up`, which `npm start` calls: what a newcomer sees, and what it leaves behind. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { LocalStack } from './local-stack.js';
import { rowsByPlatform } from './running/start.js';

/** Two starts, one after the other, and a dozen programs. */
const TIMEOUT_MS = 240_000;

const entrySchema = z.looseObject({
  name: z.string(),
  state: z.looseObject({ last_run: z.looseObject({ outcome: z.string().nullable() }).nullable() }),
});

/** A newcomer sees a day of the schedule at once, and changes it. */
async function changeSchedule(stack: LocalStack): Promise<void> {
  const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
    const program = stack.run(args);
    return { code: await program.exited(), output: program.output() };
  };
  const json = async <T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> =>
    schema.parse(JSON.parse((await stratum('schedules', ...args, '--json')).output));
  await waitFor('every job to have run', async () => {
    const entries = await json(z.array(entrySchema), 'list');
    return entries.length === 15 && entries.every(({ state }) => state.last_run?.outcome === 'SUCCESS');
  });
  expect((await stratum('dead', 'list')).output).toContain('no dead letters');

  const entry = ['berlin', '--task', 'sync_campaign_data', '--payload', '{"tenant_id":1,"platform":"meta"}'];
  const when = ['--cron', '30 2 * * *', '--time-zone', 'Europe/Berlin'];
  expect(await json(entrySchema, 'add', ...entry, ...when)).toMatchObject({
    source: 'runtime',
    warnings: [],
  });
  expect(await json(entrySchema, 'edit', 'berlin', '--every', '6h')).toMatchObject({
    every_ms: 21_600_000,
  });
  expect(await json(entrySchema, 'pause', 'berlin', '--reason', 'credentials')).toMatchObject({
    paused: { reason: 'credentials' },
  });
  expect(await json(entrySchema, 'resume', 'berlin')).toMatchObject({ paused: null });
  expect(await json(z.unknown(), 'run', 'berlin')).toMatchObject({ duplicate: false });
  const from = new Date(Date.now() - 86_400_000).toISOString();
  expect(await json(z.array(z.string()), 'backfill', 'berlin', '--from', from)).toHaveLength(4);
  expect(await json(entrySchema, 'show', 'berlin')).toMatchObject({ upcoming: expect.any(Array) });
  expect(await json(z.unknown(), 'remove', 'berlin')).toEqual({ name: 'berlin', removed: true });
  expect(await stratum('schedules', 'show', 'berlin')).toMatchObject({
    code: 1,
    output: expect.stringContaining('no schedule entry "berlin"'),
  });
  expect(await stratum('schedules', 'remove', 'evaluate_all_rules')).toMatchObject({ code: 1 });
}

test(
  'a stack recovers from having been killed, with its data and on the same ports, and replays a day of its schedule',
  async () => {
    const stack = await LocalStack.create();
    const killed = stack.up();
    const { nats, nats_monitor, database, sandbox } = await stack.started(killed);
    expect(killed.output()).toContain('added the demonstration tenants');
    await killed.kill('SIGKILL');
    const ports = [
      ['--nats-port', nats],
      ['--nats-monitor-port', nats_monitor],
      ['--database-port', database],
      ['--sandbox-port', sandbox],
    ].flatMap(([flag = '', url = '']) => [flag, new URL(url).port]);
    const next = stack.up([...ports, '--fast-clock', '20000']);
    expect(await stack.started(next)).toMatchObject({ nats, nats_monitor, database, sandbox });
    expect(next.output()).not.toContain('added the demonstration tenants');
    expect(Object.keys(await rowsByPlatform(database))).toHaveLength(4);
    await changeSchedule(stack);
    expect(await next.kill('SIGINT')).toBe(0);
    expect(await stack.processes()).toEqual([]);
    expect(existsSync(join(stack.home, 'run.json'))).toBe(false);
  },
  TIMEOUT_MS,
);

test('a stack stops on request while it is starting', async () => {
  const stack = await LocalStack.create();
  const program = stack.up();
  await waitFor('the first step', () => program.output().includes('starting PostgreSQL'));
  await program.kill('SIGINT');
  expect(program.output()).not.toContain('Campaigns of the demonstration tenant');
  expect(await stack.processes()).toEqual([]);
});

test('it names every port that is taken, and the flag that chooses another', async () => {
  const stack = await LocalStack.create();
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const program = stack.up(['--sandbox-port', port, '--database-port', port]);
  expect(await program.exited()).toBe(1);
  expect(program.output()).toContain(`Port ${port} is in use, and the sandbox needs it.`);
  expect(program.output()).toContain(`Port ${port} is in use, and PostgreSQL needs it.`);
  expect(program.output()).toContain('npm start -- --sandbox-port 0 --database-port 0');
  expect(await stack.processes()).toEqual([]);
});

test('without a stack a command names the remedy', async () => {
  const stack = await LocalStack.create();
  const program = stack.run(['status']);
  expect(await program.exited()).toBe(1);
  expect(program.output()).toContain('npx stratum up');
});
