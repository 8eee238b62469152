/** The scheduler: each tick once, whoever leads, and what people do with entries. */
import {
  connectToNats,
  createScheduler,
  defineTask,
  fastClock,
  handleTask,
  openSchedules,
  reconcileTopology,
  TaskError,
  type ListSchedulesOptions,
  type ScheduleEntryOptions,
  type Schedules,
  type SchedulerOptions,
} from '@stratum/jobs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';
import { ManualClock } from './manual-clock.js';

const tick = defineTask({
  name: 'tick',
  queue: 'work',
  input: z.object({ fail: z.boolean().optional(), tenant_id: z.int().optional() }),
  output: z.object({}),
  retry: { maxRetries: 0 },
});

const START = new Date('2026-11-20T00:00:30Z');
const MINUTE = 60_000;

interface RunningScheduler {
  crash: () => Promise<void>;
  stop: () => Promise<void>;
  leads: () => boolean;
}

interface Beat extends Jobs {
  schedules: Schedules;
  clock: ManualClock;
  /** A scheduler over a connection of its own. `crash` cuts that connection. */
  scheduler: (options?: Partial<SchedulerOptions>) => Promise<RunningScheduler>;
  /** Ids in the queue and those done, each as often as it was stored. */
  ids: () => Promise<string[]>;
}

async function openBeat(): Promise<Beat> {
  const jobs = await openJobs();
  const { connection, topology } = jobs;
  const schedules = openSchedules({ connection, topology, contracts: [tick] });
  onTestFinished(() => schedules.close());
  const clock = new ManualClock(START);
  return {
    ...jobs,
    schedules,
    clock,
    scheduler: async (options = {}) => {
      const own = await connectToNats({ servers: jobs.natsUrl, name: 'scheduler' });
      const scheduler = createScheduler({ connection: own, topology, contracts: [tick], clock, ...options });
      scheduler.start();
      let open = true;
      const close = async (): Promise<void> => {
        if (!open) return;
        open = false;
        await own.close();
      };
      const stop = async (): Promise<void> => {
        if (open) await scheduler.stop();
        await close();
      };
      onTestFinished(stop);
      return { stop, crash: close, leads: () => scheduler.leading };
    },
    ids: async () => {
      const manager = await jetstreamManager(connection);
      const stream = topology.names.queueStream('work');
      const { state } = await manager.streams.info(stream, { subjects_filter: '>' });
      return Object.entries(state.subjects ?? {}).flatMap(([subject, count]) =>
        Array.from({ length: count }, () => subject.split('.').at(-1) ?? ''),
      );
    },
  };
}

const everyMinute = (more: Partial<ScheduleEntryOptions> = {}): ScheduleEntryOptions => ({
  name: 'minutely',
  task: 'tick',
  cron: '* * * * *',
  ...more,
});

test('ticks become tasks that know their entry and tick, with ids that come from both', async () => {
  const { scheduler, clock, ids, worker, client, schedules } = await openBeat();
  const seen: unknown[] = [];
  worker([
    handleTask(tick, (_payload, { scheduledBy }) => {
      seen.push(scheduledBy);
      return {};
    }),
  ]);
  await scheduler({ entries: [everyMinute()] });
  await waitFor('the entry to be declared', async () => (await schedules.list()).length === 1);
  clock.advance(MINUTE);
  const id = 'beat-minutely-20261120T000100Z';
  await waitFor('the tick', async () => (await client.status(id))?.state === 'SUCCESS');
  expect(seen).toEqual([{ entry: 'minutely', tick: new Date('2026-11-20T00:01:00Z') }]);
  await waitFor(
    'its outcome',
    async () => (await schedules.get('minutely')).state.last_run?.outcome === 'SUCCESS',
  );
  expect(await schedules.get('minutely')).toMatchObject({
    state: { fired: 1, missed: 0 },
    source: 'code',
    warnings: [],
  });
  expect(await ids()).toEqual([]);
});

test('over hours, with leaders that come, go and die, no tick is missed and none doubled', async () => {
  const { scheduler, clock, ids, schedules } = await openBeat();
  const entries = [
    everyMinute({ overlap: 'allow', catch_up: 'all' }),
    everyMinute({
      name: 'seventh',
      cron: '*/7 * * * *',
      overlap: 'allow',
      catch_up: 'all',
      time_zone: 'Asia/Kolkata',
    }),
  ];
  const first = await scheduler({ entries });
  const second = await scheduler({ entries });
  await waitFor('a leader', () => first.leads() || second.leads());
  await waitFor('the entries', async () => (await schedules.list()).length === 2);
  let [leader, other] = first.leads() ? [first, second] : [second, first];
  for (let minute = 0; minute < 240; minute++) {
    clock.advance(MINUTE);
    if (minute % 8 === 0)
      await waitFor('the clock to be followed', async () => (await ids()).length > minute / 2);
    if (minute === 80) await leader.stop();
    if (minute === 160) await leader.crash();
    if (minute === 80 || minute === 160) {
      const heir = other;
      await waitFor('another to lead', () => heir.leads());
      [leader, other] = [heir, await scheduler({ entries })];
    }
  }
  // In Kolkata these are 05:30 to 09:30, and the minutes 0, 7, … 56 of each hour.
  const expected = 240 + (4 + 9 + 9 + 9 + 5);
  await waitFor(`${expected} ticks`, async () => (await ids()).length >= expected);
  const all = await ids();
  expect(all).toHaveLength(expected);
  expect(new Set(all).size).toBe(expected);
  expect((await schedules.get('minutely')).state).toMatchObject({ fired: 240, missed: 0 });
});

test('a clock that starts in the past rewinds a schedule, and ticks that have run do not run again', async () => {
  const { scheduler, clock, worker, schedules } = await openBeat();
  const runs: string[] = [];
  worker([
    handleTask(tick, (_payload, { scheduledBy }) => {
      runs.push(scheduledBy?.tick.toISOString().slice(11, 16) ?? '');
      return {};
    }),
  ]);
  const first = await scheduler({ entries: [everyMinute()] });
  await waitFor('the entry to be declared', async () => (await schedules.list()).length === 1);
  clock.advance(MINUTE);
  await waitFor(
    'the tick to be noted',
    async () => (await schedules.get('minutely')).state.last_run?.outcome === 'SUCCESS',
  );
  await first.stop();

  const past = new ManualClock(new Date(START.getTime() - 2 * MINUTE));
  const fromThere = { now: () => past.now(), wait: past.wait.bind(past), beginsAt: past.now() };
  await scheduler({ entries: [everyMinute()], clock: fromThere });
  const since = new Date(past.now()).toISOString();
  await waitFor(
    'the entry to be back',
    async () => (await schedules.get('minutely')).state.last_tick === since,
  );
  for (const minutes of [0, 1, 2, 3]) {
    const at = new Date(Date.parse('2026-11-19T23:59:00Z') + minutes * MINUTE);
    past.set(at);
    await waitFor(`the tick of ${at.toISOString()}`, async () => {
      const { last_run: run } = (await schedules.get('minutely')).state;
      return run?.tick === at.toISOString() && run.outcome === 'SUCCESS';
    });
  }
  expect(runs).toEqual(['00:01', '23:59', '00:00', '00:02']);
});

test('a queue that cannot take tasks holds up its own entries only, and gets its tick when it can', async () => {
  const jobs = await openJobs({ queues: [{ name: 'work' }, { name: 'broken' }] });
  const { connection, topology, client } = jobs;
  const elsewhere = defineTask({
    name: 'elsewhere',
    queue: 'broken',
    input: z.object({}),
    output: z.object({}),
  });
  const clock = new ManualClock(START);
  const scheduler = createScheduler({
    connection,
    topology,
    contracts: [tick, elsewhere],
    clock,
    entries: [everyMinute(), everyMinute({ name: 'stuck', task: 'elsewhere' })],
  });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  const schedules = openSchedules({ connection, topology, contracts: [tick, elsewhere] });
  onTestFinished(() => schedules.close());
  await waitFor('the entries', async () => (await schedules.list()).length === 2);
  const manager = await jetstreamManager(connection);
  await manager.streams.delete(topology.names.queueStream('broken'));
  jobs.worker([handleTask(tick, () => ({}))]);
  for (const minute of [1, 2, 3]) {
    clock.advance(MINUTE);
    const id = `beat-minutely-20261120T000${minute}00Z`;
    await waitFor(id, async () => (await client.status(id, { queue: 'work' }))?.state === 'SUCCESS');
  }
  await reconcileTopology(connection, topology);
  // A refused tick is tried again after a pause of the scheduler's clock.
  await waitFor('the tick', async () => {
    clock.advance(100);
    return (await schedules.get('stuck')).state.fired > 0;
  });
  expect((await schedules.get('minutely')).state).toMatchObject({ fired: 3, missed: 0 });
});

describe('after down time', () => {
  test.each([
    { catch_up: 'skip', ran: 1, missed: 179 },
    { catch_up: 'latest', ran: 1, missed: 179 },
    { catch_up: 'all', ran: 180, missed: 0 },
  ] as const)('$catch_up runs $ran of 180 ticks', async ({ catch_up: catchUp, ran, missed }) => {
    const { scheduler, clock, ids, schedules } = await openBeat();
    const entries = [everyMinute({ overlap: 'allow', catch_up: catchUp })];
    const before = await scheduler({ entries });
    await waitFor('the entry', async () => (await schedules.list()).length === 1);
    await before.stop();
    clock.advance(180 * MINUTE);
    await scheduler({ entries });
    const state = await waitFor('the ticks', async () => {
      const { state: reached } = await schedules.get('minutely');
      return reached.last_tick === '2026-11-20T03:00:00.000Z' && reached;
    });
    expect(await ids()).toHaveLength(ran);
    expect(state).toMatchObject(missed === 0 ? { missed } : { last_missed: { reason: 'down' } });
  });
});

describe('while an earlier run goes on', () => {
  async function threeTicks(
    overlap: ScheduleEntryOptions['overlap'],
  ): Promise<Beat & { ended: () => Promise<void> }> {
    const beat = await openBeat();
    await beat.scheduler({ entries: [everyMinute({ overlap })] });
    await waitFor('the entry', async () => (await beat.schedules.list()).length === 1);
    for (let count = 1; count <= 3; count++) {
      beat.clock.advance(MINUTE);
      const last = `2026-11-20T00:0${count}:00.000Z`;
      await waitFor(last, async () => (await beat.schedules.get('minutely')).state.last_tick === last);
    }
    return {
      ...beat,
      ended: async () => {
        beat.worker([handleTask(tick, () => ({}))]);
        await waitFor('all to be done', async () => {
          const { state } = await beat.schedules.get('minutely');
          return state.buffered.length === 0 && state.last_run?.outcome === 'SUCCESS';
        });
      },
    };
  }

  test('skip omits ticks and reports them', async () => {
    const { schedules, ids } = await threeTicks('skip');
    expect(await ids()).toEqual(['beat-minutely-20261120T000100Z']);
    expect((await schedules.get('minutely')).state).toMatchObject({
      fired: 1,
      missed: 2,
      last_missed: { reason: 'overlap' },
    });
  });

  test('buffer_one keeps one, which runs when the earlier one has ended', async () => {
    const { schedules, ended } = await threeTicks('buffer_one');
    expect((await schedules.get('minutely')).state).toMatchObject({ fired: 1, missed: 1 });
    await ended();
    expect((await schedules.get('minutely')).state).toMatchObject({
      fired: 2,
      last_run: { tick: '2026-11-20T00:02:00.000Z' },
    });
  });

  test('buffer_all keeps all, in order', async () => {
    const { schedules, ended } = await threeTicks('buffer_all');
    await ended();
    expect((await schedules.get('minutely')).state).toMatchObject({
      fired: 3,
      missed: 0,
      last_run: { tick: '2026-11-20T00:03:00.000Z' },
    });
  });

  test('cancel_other revokes it', async () => {
    const { schedules, client, ids } = await threeTicks('cancel_other');
    expect(await client.status('beat-minutely-20261120T000200Z')).toMatchObject({ state: 'REVOKED' });
    expect(await ids()).toEqual(['beat-minutely-20261120T000300Z']);
    expect((await schedules.get('minutely')).state.fired).toBe(3);
  });

  test('allow runs them side by side', async () => {
    const { ids } = await threeTicks('allow');
    expect(await ids()).toHaveLength(3);
  });
});

describe('people', () => {
  test('add, change, pause, resume and remove entries while the scheduler runs', async () => {
    const { scheduler, clock, schedules, ids } = await openBeat();
    const { leads } = await scheduler();
    await waitFor('a leader', leads);
    await schedules.add({
      name: 'hourly',
      task: 'tick',
      cron: '0 * * * *',
      payload: { tenant_id: 7 },
      overlap: 'allow',
    });
    const edited = await schedules.edit('hourly', { cron: null, every_ms: 30 * MINUTE });
    expect(edited).toMatchObject({ every_ms: 30 * MINUTE, tenant: '7', overlap: 'allow', source: 'runtime' });
    expect(edited.cron).toBeUndefined();
    expect(edited.warnings).toEqual(['no worker serves the queue "work"']);
    clock.set(new Date(Date.now() + 31 * MINUTE));
    await waitFor('a run', async () => (await ids()).length > 0);
    await schedules.pause('hourly', 'not today');
    expect(await schedules.get('hourly')).toMatchObject({ paused: { reason: 'not today' }, next: null });
    await schedules.resume('hourly');
    expect((await schedules.get('hourly')).next).not.toBeNull();
    await schedules.remove('hourly');
    expect(await schedules.list()).toEqual([]);
    await expect(schedules.get('hourly')).rejects.toMatchObject({ code: 'unknown_entry' });
  });

  test('run an entry at once, and backfill the past in order', async () => {
    const { scheduler, schedules, worker, client } = await openBeat();
    const ticks: string[] = [];
    worker([
      handleTask(tick, (_payload, { scheduledBy }) => {
        ticks.push(scheduledBy?.tick.toISOString() ?? 'none');
        return {};
      }),
    ]);
    await scheduler({ clock: new ManualClock(new Date()) });
    await schedules.add({ name: 'daily', task: 'tick', cron: '0 3 * * *' });
    const { id } = await schedules.run('daily');
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
    ticks.length = 0;
    const from = new Date('2026-11-01T00:00:00Z');
    const filled = await schedules.backfill('daily', { from, to: new Date('2026-11-04T03:00:00Z') });
    await expect(schedules.backfill('daily', { from, to: new Date('2026-11-02T12:00:00Z') })).rejects.toThrow(
      'still running',
    );
    await waitFor('the backfill', () => ticks.length === filled.length);
    expect(ticks).toEqual(['01', '02', '03', '04'].map((day) => `2026-11-${day}T03:00:00.000Z`));
  });

  test.each([
    [{ name: 'a', task: 'nobody', cron: '* * * * *' }, 'there is no task "nobody"'],
    [{ name: 'a b', task: 'tick', cron: '* * * * *' }, 'name: must be 1 to 42'],
    [{ name: 'a', task: 'tick' }, 'give either cron or every_ms'],
    [{ name: 'a', task: 'tick', every_ms: 10 }, 'every_ms: must be milliseconds from 1,000'],
    [{ name: 'a', task: 'tick', cron: '* * * * *', payload: { fail: 1 } }, 'fail'],
    [{ name: 'a', task: 'tick', cron: 'x' }, 'cron expression "x" is not valid'],
  ])('get the reason for refusing %o', async (entry, message) => {
    const { schedules } = await openBeat();
    await expect(schedules.add(entry)).rejects.toThrow(message);
    expect(await schedules.list()).toEqual([]);
  });

  test('list entries by name, page by page, without reading those that they do not ask for', async () => {
    const { schedules, connection, topology } = await openBeat();
    await schedules.add({ name: 't1-gone', task: 'tick', every_ms: MINUTE });
    await schedules.remove('t1-gone');
    for (const name of ['t2-c', 't1-b', 't2-a', 't1-a', 't1-c'])
      await schedules.add({ name, task: 'tick', every_ms: MINUTE, payload: { tenant_id: Number(name[1]) } });
    const { names } = topology;
    // Of others, and too large to be read by mistake.
    const entry = JSON.stringify({ ...(await schedules.get('t2-a')), labels: 'x'.repeat(100_000) });
    await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        jetstream(connection).publish(names.scheduleKey(`entry.t3-${n}`), entry),
      ),
    );
    const ofOne = (name: string): boolean => name.startsWith('t1-');
    const namesOf = async (options: ListSchedulesOptions): Promise<string[]> =>
      (await schedules.list(options)).map(({ name }) => name);
    const before = connection.stats();
    expect(await namesOf({ names: ofOne })).toEqual(['t1-a', 't1-b', 't1-c']);
    expect(await namesOf({ names: ofOne, limit: 2 })).toEqual(['t1-a', 't1-b']);
    expect(await namesOf({ names: ofOne, after: 't1-b', limit: 2 })).toEqual(['t1-c']);
    expect(connection.stats().inBytes - before.inBytes).toBeLessThan(1_000_000);
    expect(await namesOf({ limit: 2, filter: ({ tenant }) => tenant === '2' })).toEqual(['t2-a', 't2-c']);
    expect(await schedules.list()).toHaveLength(305);
  });

  test('cannot edit or remove an entry of the code, whose pause survives the next start', async () => {
    const { scheduler, schedules } = await openBeat();
    const first = await scheduler({ entries: [everyMinute()] });
    await waitFor('the entry', async () => (await schedules.list()).length === 1);
    await expect(schedules.edit('minutely', { cron: '0 * * * *' })).rejects.toThrow('declared in code');
    await expect(schedules.remove('minutely')).rejects.toThrow('declared in code');
    await schedules.pause('minutely');
    await first.stop();
    await scheduler({ entries: [everyMinute({ cron: '*/5 * * * *' }), everyMinute({ name: 'another' })] });
    await waitFor('the new entries', async () => (await schedules.list()).length === 2);
    expect(await schedules.get('minutely')).toMatchObject({
      cron: '*/5 * * * *',
      paused: { reason: 'by hand' },
    });
  });
});

test('an entry with pause on failure stops when a run has failed', async () => {
  const { scheduler, clock, schedules, worker } = await openBeat();
  worker([
    handleTask(tick, () => {
      throw new TaskError('no', { retryable: false });
    }),
  ]);
  await scheduler({ entries: [everyMinute({ pause_on_failure: true })] });
  await waitFor('the entry', async () => (await schedules.list()).length === 1);
  clock.advance(MINUTE);
  await waitFor('the pause', async () => (await schedules.get('minutely')).paused !== null);
  expect((await schedules.get('minutely')).paused?.reason).toContain(
    'beat-minutely-20261120T000100Z has failed',
  );
  await waitFor(
    'its outcome',
    async () => (await schedules.get('minutely')).state.last_run?.outcome === 'FAILURE',
  );
});

test('while a fast clock is behind, the list counts by that clock; next to a real one it counts by the real time', async () => {
  const beat = await openBeat();
  const dayAgo = Date.now() - 86_400_000;
  const entry = { name: 'monthly', task: 'tick', cron: '0 0 1 * *' };
  const fast = await beat.scheduler({ clock: fastClock(new Date(dayAgo), 2), entries: [entry] });
  await waitFor('the leader', fast.leads);
  await waitFor('its clock', async () => (await beat.schedules.now()).getTime() < dayAgo + 3_600_000);
  await beat.schedules.add({ name: 'often', task: 'tick', every_ms: 60_000 });
  const next = Date.parse((await beat.schedules.get('often')).next ?? '');
  expect(next).toBeGreaterThan(dayAgo);
  expect(next).toBeLessThan(dayAgo + 3_600_000);
  expect((await beat.schedules.upcoming('often', 1))[0]?.getTime()).toBeLessThan(dayAgo + 3_600_000);
  await fast.stop();
  await waitFor('the real time', async () => (await beat.schedules.now()).getTime() > dayAgo + 86_000_000);
});
