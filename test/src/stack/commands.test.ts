/** The `stratum` command against a stack of its own, and without one. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { runStratum } from '../cli/stratum.js';
import { LocalStack } from './local-stack.js';

/** Two stacks, one after the other. */
const TIMEOUT_MS = 240_000;

test(
  'a newcomer sees a day of the schedule at once, and can change it',
  async () => {
    const stack = await LocalStack.create();
    // The schedule has gone on for a while when somebody wants to see a day of it.
    const before = stack.up();
    await stack.started(before);
    await before.kill('SIGINT');
    const up = stack.up(['--fast-clock', '20000']);
    await stack.started(up);
    // It has kept its data.
    expect(up.output()).not.toContain('added the demonstration tenants');
    const stratum = async (...args: string[]): Promise<{ code: number | null; output: string }> => {
      const program = stack.run(args);
      return { code: await program.exited(), output: program.output() };
    };
    const entrySchema = z.looseObject({
      name: z.string(),
      state: z.looseObject({ last_run: z.looseObject({ outcome: z.string().nullable() }).nullable() }),
    });
    const json = async <T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> =>
      schema.parse(JSON.parse((await stratum('schedules', ...args, '--json')).output));
    await waitFor('every job to have run', async () => {
      const entries = await json(z.array(entrySchema), 'list');
      return entries.length === 15 && entries.every(({ state }) => state.last_run?.outcome === 'SUCCESS');
    });
    expect((await stratum('dead', 'list')).output).toContain('no dead letters');

    const entry = [
      'berlin',
      '--task',
      'sync_campaign_data',
      '--payload',
      '{"tenant_id":1,"platform":"meta"}',
    ];
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
    expect(await up.kill('SIGINT')).toBe(0);
  },
  TIMEOUT_MS,
);

test('the start itself reports to programs what it did', async () => {
  const stack = await LocalStack.create();
  const up = await runStratum(
    [
      'up',
      '--once',
      '--json',
      ...['nats', 'nats-monitor', 'database', 'sandbox', 'api', 'dashboard'].flatMap((part) => [
        `--${part}-port`,
        '0',
      ]),
    ],
    stack.environment,
  );
  expect(up.code, up.stderr).toBe(0);
  expect(JSON.parse(up.stdout)).toMatchObject({
    synced: [{ state: 'SUCCESS' }, { state: 'SUCCESS' }, { state: 'SUCCESS' }, { state: 'SUCCESS' }],
    addresses: { nats: expect.stringMatching(/^nats:/) },
  });
  expect(up.stderr).toContain('Stopped.');
});

test('without a stack it names the remedy', async () => {
  const stack = await LocalStack.create();
  const program = stack.run(['status']);
  expect(await program.exited()).toBe(1);
  expect(program.output()).toContain('npx stratum up');
});
