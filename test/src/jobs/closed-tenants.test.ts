/** Tenants that do nothing any more: neither their tasks run nor their schedules. */
import { createResultResponder, createScheduler, defineTask, handleTask, openSchedules } from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs } from './fixture.js';
import { ManualClock } from './manual-clock.js';

const work = defineTask({
  name: 'work',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional(), endless: z.boolean().optional() }),
  output: z.object({}),
  retry: { maxRetries: 0 },
});

test('tasks of a closed tenant end as revoked, running ones too, and run again once it is open', async () => {
  const { client, worker } = await openJobs();
  const closed = new Set<string>(['2']);
  const run: unknown[] = [];
  worker(
    [
      handleTask(work, async ({ endless, tenant_id: tenant }, { signal }) => {
        run.push(tenant);
        if (endless === true) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return {};
      }),
    ],
    { closedTenants: closed },
  );
  const stateOf = async (id: string): Promise<string> => (await client.result(id)).state;
  const bySubject = await client.enqueue(work, { tenant_id: 2 });
  // As a program publishes it that names the tenant in the payload alone.
  const byPayload = await client.publish('work', 'work', { tenant_id: 2 });
  const delayed = await client.enqueue(work, { tenant_id: 2 }, { delayMs: 50 });
  for (const { id } of [bySubject, byPayload, delayed]) expect(await stateOf(id)).toBe('REVOKED');
  expect(run).toEqual([]);

  const others = await client.enqueue(work, { tenant_id: 1 });
  expect(await stateOf(others.id)).toBe('SUCCESS');
  const endless = await client.enqueue(work, { tenant_id: 3, endless: true });
  await waitFor('the task to run', () => run.includes(3));
  closed.add('3');
  expect(await stateOf(endless.id)).toBe('REVOKED');

  closed.clear();
  expect(await stateOf((await client.enqueue(work, { tenant_id: 2 })).id)).toBe('SUCCESS');
});

test('ticks of a closed tenant pass without a task, and its entry goes on once it is open', async () => {
  const { client, connection, topology, worker } = await openJobs();
  const closed = new Set<string>();
  const ran: string[] = [];
  worker([
    handleTask(work, (_payload, { id }) => {
      ran.push(id);
      return {};
    }),
  ]);
  const clock = new ManualClock(new Date('2026-11-20T00:00:30Z'));
  const schedules = openSchedules({ connection, topology, contracts: [work] });
  onTestFinished(() => schedules.close());
  const entry = { task: 'work', every_ms: 60_000 } as const;
  const entries = [
    { name: 'gone', payload: { tenant_id: 2 }, ...entry },
    { name: 'here', payload: { tenant_id: 1 }, ...entry },
  ];
  const scheduler = createScheduler({
    connection,
    topology,
    contracts: [work],
    clock,
    entries,
    closedTenants: closed,
  });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  await waitFor('the entries', async () => (await schedules.list()).length === 2);
  const settled = (tick: string): Promise<unknown> =>
    waitFor(`the tick ${tick}`, async () =>
      (await schedules.list()).every(({ state }) => state.last_tick === tick),
    );
  const ticksOf = (name: string): number => ran.filter((id) => id.startsWith(`beat-${name}`)).length;

  clock.advance(60_000);
  await settled('2026-11-20T00:01:00.000Z');
  await waitFor('both tasks', () => ran.length === 2);
  closed.add('2');
  clock.advance(60_000);
  await settled('2026-11-20T00:02:00.000Z');
  await waitFor('the other task', () => ticksOf('here') === 2);
  expect(ticksOf('gone')).toBe(1);
  expect(await client.queues()).toMatchObject([{ normal: 0, delayed: 0 }]);
  closed.clear();
  clock.advance(60_000);
  await settled('2026-11-20T00:03:00.000Z');
  await waitFor('the next task', () => ticksOf('gone') === 2);
});

test('programs of a closed tenant learn no result any more, not even one that they wait for', async () => {
  const { client, connection, topology, worker } = await openJobs();
  const closed = new Set<string>();
  const responder = createResultResponder({ connection, topology, client, closedTenants: closed });
  responder.start();
  onTestFinished(() => responder.stop());
  const ask = async (tenant: string, id: string, question = ''): Promise<unknown> => {
    const subject = topology.names.awaitSubject(tenant, id);
    const reply = await connection.request(subject, question, { timeout: 10_000 });
    return reply.headers?.get('Nats-Service-Error-Code') || reply.json();
  };
  await client.enqueue(work, { tenant_id: 2 }, { id: 'of-2' });
  await client.enqueue(work, { tenant_id: 1 }, { id: 'of-1' });
  const waiting = ask('2', 'of-2');
  expect(await ask('2', 'of-2', '{"wait":0}')).toMatchObject({ state: 'PENDING' });
  closed.add('2');
  expect(await ask('2', 'of-2', '{"wait":0}')).toBe('404');
  worker([handleTask(work, () => ({}))]);
  expect(await waiting).toBe('404');
  expect(await ask('1', 'of-1')).toMatchObject({ state: 'SUCCESS' });
  closed.clear();
  expect(await ask('2', 'of-2')).toMatchObject({ state: 'SUCCESS' });
});
