/** The queues, the routes and the fifteen entries of the schedule in docs/start/from-celery.md, row by row. */
import { jetstreamManager } from '@nats-io/jetstream';
import { createScheduler, openSchedules } from '@stratum/jobs';
import { SCHEDULE } from '@stratum/scheduler';
import { QUEUES, TASKS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { runStratum } from '../../cli/stratum.js';
import { waitFor } from '../../harness/index.js';
import { openJobs } from '../../jobs/fixture.js';
import { ManualClock } from '../../jobs/manual-clock.js';
import { tableRows } from './page-tables.js';

const PAGE = 'docs/start/from-celery.md';
const rows = await tableRows(PAGE);

test('Routing: every contract names the queue of its row', async () => {
  const { stdout } = await runStratum(['tasks', 'list', '--json']);
  const routes = rows.filter(({ heading }) => heading === 'Routing');
  expect(routes).toHaveLength(5);
  for (const { cells } of routes) {
    const [, task, queue] = /(\w+): \{"queue": "(\w+)"\}/.exec(cells[0] ?? '') ?? [];
    expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ name: task, queue }));
    expect(cells[1]).toContain(`name: '${task}', queue: '${queue}'`);
  }
});

test('Scheduled tasks: every entry of the table is enqueued at its time, in its queue', async () => {
  const shown = rows.filter(({ heading }) => heading === 'Scheduled tasks');
  expect(shown).toHaveLength(15);
  const { connection, topology } = await openJobs({ queues: QUEUES });
  const clock = new ManualClock(new Date('2026-11-20T00:00:30Z'));
  const scheduler = createScheduler({ connection, topology, contracts: TASKS, entries: SCHEDULE, clock });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  onTestFinished(() => schedules.close());
  await waitFor('the entries to be declared', async () => (await schedules.list()).length === shown.length);
  // Its tick before six in the morning is the one that each entry catches up.
  clock.set(new Date('2026-11-20T06:00:01Z'));
  const manager = await jetstreamManager(connection);
  for (const { cells } of shown) {
    const [name = '', cron = '', queue = ''] = cells.map((cell) => cell.replaceAll('`', ''));
    const enqueued = await waitFor(`a task of ${name}`, async () => {
      const filter = topology.names.tasksFilter(queue);
      const { state } = await manager.streams.info(topology.names.queueStream(queue), {
        subjects_filter: filter,
      });
      return Object.keys(state.subjects ?? {}).find((subject) => subject.includes(`.${name}.`));
    });
    expect(enqueued, cron).toContain(`.beat-${name}-20261120T${LAST_TICK[cron]}`);
  }
});

/** The last time before 06:00:01 that an expression matches. */
const LAST_TICK: Readonly<Record<string, string>> = {
  '* * * * *': '060000Z',
  '*/15 * * * *': '060000Z',
  '*/30 * * * *': '060000Z',
  '0 * * * *': '060000Z',
  '30 * * * *': '053000Z',
  '0 */2 * * *': '060000Z',
  '0 */6 * * *': '060000Z',
  '0 1 * * *': '010000Z',
  '0 2 * * *': '020000Z',
  '0 3 * * *': '030000Z',
  '0 4 * * *': '040000Z',
  '0 6 * * *': '060000Z',
};
