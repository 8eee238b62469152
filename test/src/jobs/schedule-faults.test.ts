/** The scheduler with long outages, clocks that were wrong, other versions, and entries that others have written. */
import {
  createScheduler,
  createWorkflowMaintenance,
  connectToNats,
  createReaper,
  defineTask,
  handleTask,
  openSchedules,
  type ScheduleEntryOptions,
  type Schedules,
  type SchedulerOptions,
  type Scheduler,
} from '@stratum/jobs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';
import { ManualClock } from './manual-clock.js';

const empty = { queue: 'work', input: z.object({}), output: z.object({}), retry: { maxRetries: 0 } } as const;
const tick = defineTask({ name: 'tick', ...empty });
const silent = defineTask({ name: 'silent', ...empty, ignoreResult: true });
const CONTRACTS = [tick, silent];

const START = new Date('2026-11-20T00:00:30Z');
const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

interface Beat extends Jobs {
  schedules: Schedules;
  clock: ManualClock;
  /** Warnings of the schedulers. */
  warnings: string[];
  scheduler: (options?: Partial<SchedulerOptions>) => Scheduler;
  /** Writes into the schedule's bucket, as another program may. */
  write: (key: string, value: string) => Promise<void>;
}

async function openBeat(): Promise<Beat> {
  const jobs = await openJobs();
  const { connection, topology } = jobs;
  const schedules = openSchedules({ connection, topology, contracts: CONTRACTS });
  onTestFinished(() => schedules.close());
  const clock = new ManualClock(START);
  const warnings: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  return {
    ...jobs,
    schedules,
    clock,
    warnings,
    scheduler: (options = {}) => {
      const scheduler = createScheduler({
        connection,
        topology,
        contracts: CONTRACTS,
        clock,
        logger,
        ...options,
      });
      scheduler.start();
      onTestFinished(() => scheduler.stop());
      return scheduler;
    },
    write: async (key, value) => {
      await jetstream(connection).publish(topology.names.scheduleKey(key), value);
    },
  };
}

const minutely = (more: Partial<ScheduleEntryOptions> = {}): ScheduleEntryOptions => ({
  name: 'minutely',
  task: 'tick',
  cron: '* * * * *',
  overlap: 'allow',
  ...more,
});

function listed({ schedules }: Beat, count: number): Promise<boolean> {
  return waitFor(`${count} entries`, async () => (await schedules.list()).length === count);
}

test('a day of an entry that runs every second is caught up under one leader, and other entries get their turn', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock } = beat;
  const entries = [
    minutely({ name: 'secondly', cron: '* * * * * *', catch_up: 'all', overlap: 'skip' }),
    minutely(),
  ];
  const before = scheduler({ entries });
  await listed(beat, 2);
  await before.stop();
  clock.advance(DAY);
  const second = scheduler({ entries });
  await waitFor('the other entry', async () => (await schedules.get('minutely')).state.fired > 0);
  const leader = (await schedules.schedulers()).leader?.since;
  const last = new Date(START.getTime() + DAY).toISOString();
  const caughtUp = await waitFor('the day to be caught up', async () => {
    const { state } = await schedules.get('secondly');
    return state.last_tick === last && state;
  });
  // The first runs; no worker ends it, so the policy for overlaps omits the others.
  expect(caughtUp).toMatchObject({ fired: 1, missed: DAY / 1_000 - 1 });
  expect(second.leading).toBe(true);
  expect((await schedules.schedulers()).leader?.since).toBe(leader);
});

test('ticks of a leader whose clock was ahead are taken back, with a warning', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, warnings } = beat;
  const ahead = new ManualClock(new Date(START.getTime() + 120 * MINUTE));
  const first = scheduler({ clock: ahead, entries: [minutely()] });
  await listed(beat, 1);
  ahead.advance(MINUTE);
  await waitFor('a tick', async () => (await schedules.get('minutely')).state.fired === 1);
  await first.stop();
  scheduler({ entries: [minutely()] });
  await waitFor('the warning', () => warnings.some((line) => line.includes('lay in the future')));
  await waitFor('the correction', async () => {
    const { state } = await schedules.get('minutely');
    return state.last_tick !== null && Date.parse(state.last_tick) <= clock.now();
  });
  clock.advance(MINUTE);
  await waitFor('the next tick', async () => (await schedules.get('minutely')).state.fired === 2);
  expect((await schedules.get('minutely')).state.last_run?.tick).toBe('2026-11-20T00:01:00.000Z');
});

test('the policy for overlaps works for a task that keeps no results', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, worker } = beat;
  let runs = 0;
  worker([
    handleTask(silent, () => {
      runs++;
      return {};
    }),
  ]);
  scheduler({ entries: [minutely({ task: 'silent', overlap: 'skip' })] });
  await listed(beat, 1);
  for (let count = 1; count <= 13; count++) {
    clock.advance(MINUTE);
    await waitFor(`run ${count}`, () => runs === count);
    await waitFor('its end', async () => {
      const { last_run: run } = (await schedules.get('minutely')).state;
      return run?.outcome === 'SUCCESS';
    });
  }
  expect((await schedules.get('minutely')).state).toMatchObject({ fired: 13, missed: 0 });
});

test('the id of a tick fits, however long the name of its entry and however fine its time', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, worker } = beat;
  const ids: string[] = [];
  worker([
    handleTask(tick, (_payload, { id }) => {
      ids.push(id);
      return {};
    }),
  ]);
  const name = 'n'.repeat(42);
  scheduler({ entries: [{ name, task: 'tick', every_ms: 1_501, overlap: 'allow' }] });
  await listed(beat, 1);
  clock.advance(6_100);
  await waitFor('the ticks', () => ids.length === 4);
  expect(new Set(ids).size).toBe(4);
  expect(ids.every((id) => id.length <= 64)).toBe(true);
  expect((await schedules.get(name)).state.fired).toBe(4);
});

test('a paused entry of the code comes back paused after a scheduler led that does not declare it', async () => {
  const beat = await openBeat();
  const { scheduler, schedules } = beat;
  const entries = [minutely(), minutely({ name: 'another' })];
  const first = scheduler({ entries });
  await listed(beat, 2);
  await schedules.pause('minutely', 'not now');
  await waitFor('the leader to hear of it', async () => {
    const place = await beat.connection.request(
      `$JS.API.DIRECT.GET.${beat.topology.names.scheduleStream}`,
      JSON.stringify({ last_by_subj: beat.topology.names.scheduleKey('place.minutely') }),
    );
    return place.string().includes('not now');
  });
  const { active_since: since } = await schedules.get('minutely');
  await first.stop();
  const other = scheduler({ entries: [minutely({ name: 'another' })] });
  await listed(beat, 1);
  await other.stop();
  scheduler({ entries });
  await listed(beat, 2);
  expect(await schedules.get('minutely')).toMatchObject({
    paused: { reason: 'not now' },
    active_since: since,
  });
});

test('what another version has written about an entry survives edits, and the entry runs', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, connection, topology, write } = beat;
  clock.set(new Date());
  await schedules.add(minutely());
  const key = topology.names.scheduleKey('entry.minutely');
  const stored = async (): Promise<Record<string, unknown>> => {
    const request = JSON.stringify({ last_by_subj: key });
    const reply = await connection.request(`$JS.API.DIRECT.GET.${topology.names.scheduleStream}`, request);
    return reply.json();
  };
  await write('entry.minutely', JSON.stringify({ ...(await stored()), color: 'blue' }));
  await schedules.edit('minutely', { cron: '*/2 * * * *' });
  await schedules.pause('minutely');
  await schedules.resume('minutely');
  expect(await stored()).toMatchObject({ color: 'blue', cron: '*/2 * * * *' });
  scheduler();
  await waitFor('a run', async () => {
    clock.advance(MINUTE);
    return (await schedules.get('minutely')).state.fired > 0;
  });
});

test('an entry of the code leaves one alone that somebody has added under its name', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, warnings } = beat;
  await schedules.add(minutely({ cron: '7 * * * *' }));
  scheduler({ entries: [minutely(), minutely({ name: 'another' })] });
  await listed(beat, 2);
  expect(await schedules.get('minutely')).toMatchObject({ source: 'runtime', cron: '7 * * * *' });
  expect(warnings.some((line) => line.includes('left out'))).toBe(true);
});

test('a tick that is published again when the server has forgotten its id runs once', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, client, connection, topology, worker } = beat;
  const manager = await jetstreamManager(connection);
  const stream = topology.names.queueStream('work');
  await manager.streams.update(stream, { duplicate_window: 100_000_000 });
  let runs = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  worker(
    [
      handleTask(tick, async () => {
        runs++;
        await finished;
        return {};
      }),
    ],
    { concurrency: 4 },
  );
  const first = scheduler({ entries: [minutely({ jitter_ms: 5 })] });
  await listed(beat, 1);
  clock.advance(MINUTE);
  await waitFor('the run', () => runs === 1);
  await waitFor('its record', async () => (await schedules.get('minutely')).state.fired === 1);
  await first.stop();
  const id = 'beat-minutely-20261120T000100Z';
  // Another program publishes it, as soon as the server has forgotten the id.
  const tickOf = new Date('2026-11-20T00:01:00Z');
  await waitFor('a second copy to be stored', async () => {
    const { duplicate } = await client.publish(
      'work',
      'tick',
      {},
      {
        id,
        scheduledBy: { entry: 'minutely', tick: tickOf },
      },
    );
    return !duplicate;
  });
  await waitFor('the copy to be dropped', async () => {
    const { state } = await manager.streams.info(stream);
    return state.messages === 1;
  });
  expect(runs).toBe(1);

  // A leader that died between publishing and recording: the next one has the time before.
  const past = new ManualClock(START);
  scheduler({
    entries: [minutely({ jitter_ms: 5 })],
    clock: { now: () => past.now(), wait: past.wait.bind(past), beginsAt: past.now() },
  });
  await waitFor(
    'the rewind',
    async () => (await schedules.get('minutely')).state.last_tick === START.toISOString(),
  );
  past.advance(MINUTE);
  await waitFor(
    'the tick to be recorded again',
    async () => (await schedules.get('minutely')).state.fired === 2,
  );
  expect(runs).toBe(1);
  finish();
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
  await waitFor(
    'the queue to be empty',
    async () => (await manager.streams.info(stream)).state.messages === 0,
  );
  expect(runs).toBe(1);
});

test.each(['no JSON', '[]', '7', '{}', '{"name":"good","task":3}', '{"every_ms":9007199254740991}'])(
  'an entry that says %s hides no other, and can be removed',
  async (value) => {
    const beat = await openBeat();
    const { scheduler, schedules, clock, write } = beat;
    clock.set(new Date());
    await write('entry.bad', value);
    await write('state.good', '{"last_tick":"yesterday"}');
    await schedules.add(minutely({ name: 'good' }));
    const [bad, good] = await schedules.list();
    expect(bad).toMatchObject({ name: 'bad', next: null });
    expect(bad?.warnings.length).toBeGreaterThan(0);
    expect(good).toMatchObject({ name: 'good' });
    expect(await schedules.upcoming('bad', 3)).toEqual([]);
    scheduler();
    await waitFor('a run of the good one', async () => {
      clock.advance(MINUTE);
      return (await schedules.get('good')).state.fired > 0;
    });
    await schedules.remove('bad');
    expect((await schedules.list()).map(({ name }) => name)).toEqual(['good']);
  },
);

test('an entry with a number that JavaScript would round is shown with its digits, never runs with another, and can be removed', async () => {
  const beat = await openBeat();
  const { scheduler, schedules, clock, write } = beat;
  clock.set(new Date());
  await schedules.add(minutely({ name: 'good' }));
  const { state: _, next: __, warnings: ___, ...stored } = await schedules.get('good');
  const raw = { ...stored, name: 'rounded', payload: { ids: ['NUMBER'] } };
  await write('entry.rounded', JSON.stringify(raw).replace('"NUMBER"', '9007199254740993'));
  const problem = 'payload.ids.0: must be a number that keeps its digits';
  expect(await schedules.get('rounded')).toMatchObject({
    payload: { ids: ['9007199254740993'] },
    paused: { reason: expect.stringContaining(problem) },
    next: null,
  });
  expect(await schedules.upcoming('rounded', 3)).toEqual([]);
  for (const act of [
    () => schedules.run('rounded'),
    () => schedules.resume('rounded'),
    () => schedules.edit('rounded', { cron: '*/2 * * * *' }),
    () => schedules.backfill('rounded', { from: new Date(0), to: new Date() }),
  ])
    await expect(act(), act.toString()).rejects.toThrow(problem);
  scheduler();
  await waitFor('a run of the good one', async () => {
    clock.advance(MINUTE);
    return (await schedules.get('good')).state.fired > 0;
  });
  expect((await schedules.get('rounded')).state).toMatchObject({ fired: 0, last_tick: null });
  await schedules.remove('rounded');
  expect((await schedules.list()).map(({ name }) => name)).toEqual(['good']);
});

test('what runs on a connection that is closed for good stops by itself, and says so once', async () => {
  const { natsUrl, topology } = await openJobs();
  const connection = await connectToNats({ servers: natsUrl, name: 'to be closed' });
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const parts = [
    createScheduler({ connection, topology, contracts: CONTRACTS, logger }),
    createReaper({ connection, topology, logger }),
    createWorkflowMaintenance({ connection, topology, logger }),
  ];
  for (const part of parts) part.start();
  await connection.close();
  await Promise.all(parts.map(({ closed }) => closed));
  expect(lines.filter((line) => line.includes('closed for good'))).toHaveLength(parts.length);
  const count = lines.length;
  await Promise.all(parts.map((part) => part.stop()));
  expect(lines).toHaveLength(count);
});

test.each([
  ['an acknowledgement of the broker', '{"stream":"QUEUE_WORK","seq":1}'],
  ['text', 'me'],
  ['a leader that never expires', '{"name":"ghost","since":"2026-11-20T00:00:00.000Z"}'],
  ['a leader of a far future', '{"name":"ghost","since":"2999-11-20T00:00:00.000Z"}'],
  ['a leader with an odd time', '{"name":"ghost","since":"tomorrow"}'],
  ['a number', '7'],
  ['null', 'null'],
  ['a list', '[{"name":"ghost"}]'],
  ['half of a text', '{"name":"gho'],
  ['a long text', 'x'.repeat(60_000)],
])("in the leader's key %s keeps no scheduler from leading", async (_what, value) => {
  const { scheduler, write, warnings } = await openBeat();
  await write('leader', value);
  const own = scheduler();
  await waitFor('the lead', () => own.leading);
  expect(warnings.join('')).toContain('was not written by a scheduler');
  // What it has taken expires, and is renewed against others.
  const second = scheduler();
  await own.stop();
  expect(await waitFor('the next', () => second.leading)).toBe(true);
});

test("a leader's key with a long time to live, which nobody renews, is taken over", async () => {
  const { connection, topology, scheduler } = await openBeat();
  await jetstream(connection).publish(
    topology.names.scheduleKey('leader'),
    '{"name":"ghost","since":"2026-11-20T00:00:00.000Z"}',
    { ttl: '24h' },
  );
  const own = scheduler();
  expect(await waitFor('the lead', () => own.leading, 30_000)).toBe(true);
});
