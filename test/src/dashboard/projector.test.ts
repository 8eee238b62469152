/** The projector beside a real stream: takes over, continues where it was, and shows what it has missed. */
import { createProjector } from '@stratum/dashboard';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { defineTask, handleTask } from '@stratum/jobs';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openPlatform, type Platform } from '../harness/platform.js';

const SILENT = pino({ level: 'silent' });

const double = defineTask({
  name: 'double',
  queue: 'default',
  input: z.object({ n: z.number() }),
  output: z.number(),
  labels: { n: { field: 'n' } },
});

function startProjector(platform: Platform): { stop: () => Promise<void> } {
  const projector = createProjector({
    pool: platform.database.as('stratum_dashboard'),
    connection: platform.connection,
    topology: platform.topology,
    logger: SILENT,
    keptDays: 30,
    batch: 7,
  });
  projector.start();
  onTestFinished(() => projector.stop());
  return projector;
}

const endedRuns = (platform: Platform): Promise<Record<string, unknown>[]> =>
  platform.query('SELECT id, state, wait_ms >= 0 AS waited, labels, attempts_made FROM task_run ORDER BY id');

/** Until everything that the stream holds is in the history. */
async function caughtUp({ connection, topology, query }: Platform): Promise<void> {
  const { eventStream } = topology.names;
  const manager = await jetstreamManager(connection);
  await waitFor('the projector to catch up', async () => {
    const { state } = await manager.streams.info(eventStream);
    const [stored] = await query<{ sequence: string }>('SELECT sequence FROM projector');
    return Number(stored?.sequence) >= state.last_seq && state.last_seq > 0;
  });
}

test('real tasks become runs, of two projectors one works, and a restart continues at the next event', async () => {
  const platform = await openPlatform();
  platform.startWorker('default', [handleTask(double, ({ n }) => Promise.resolve(2 * n))]);
  const first = startProjector(platform);
  startProjector(platform);
  for (let n = 0; n < 10; n++) await platform.run(double, { n }, { id: `first-${n}`, tenant: '1' });
  await caughtUp(platform);
  await first.stop();
  for (let n = 0; n < 10; n++) await platform.run(double, { n }, { id: `second-${n}`, tenant: '2' });
  await caughtUp(platform);
  expect(await endedRuns(platform)).toEqual(
    ['first', 'second'].flatMap((name) =>
      Array.from({ length: 10 }, (_each, n) => ({
        id: `${name}-${n}`,
        state: 1,
        waited: true,
        labels: { n: String(n) },
        attempts_made: 1,
      })),
    ),
  );
  expect(await platform.query('SELECT sum(n)::int AS runs FROM task_hour')).toEqual([{ runs: 20 }]);
  expect(await platform.query('SELECT FROM projector_gap')).toEqual([]);
});

test('events that the stream lost before they were read are a gap that is kept', async () => {
  const platform = await openPlatform();
  platform.startWorker('default', [handleTask(double, ({ n }) => Promise.resolve(2 * n))]);
  const first = startProjector(platform);
  await platform.run(double, { n: 1 }, { id: 'seen' });
  await caughtUp(platform);
  await first.stop();
  const [before] = await platform.query<{ sequence: string }>('SELECT sequence FROM projector');
  await platform.run(double, { n: 2 }, { id: 'unseen' });
  const manager = await jetstreamManager(platform.connection);
  const { eventStream } = platform.topology.names;
  const last = async (): Promise<number> => (await manager.streams.info(eventStream)).state.last_seq;
  await waitFor('the event of the lost task', async () => (await last()) > Number(before?.sequence));
  const lost = await last();
  await manager.streams.purge(eventStream, { seq: lost + 1 });
  startProjector(platform);
  await platform.run(double, { n: 3 }, { id: 'seen-again' });
  await caughtUp(platform);
  expect((await endedRuns(platform)).map(({ id }) => id)).toEqual(['seen', 'seen-again']);
  expect(await platform.query('SELECT first::int, last::int FROM projector_gap')).toEqual([
    { first: Number(before?.sequence) + 1, last: lost },
  ]);
});

test('what is no event stops nothing, and a text that the database cannot hold is kept as far as it can be', async () => {
  const platform = await openPlatform();
  const { names } = platform.topology;
  const publish = (body: string): Promise<unknown> =>
    jetstream(platform.connection).publish(names.eventSubject('default', 'odd', 'FAILURE'), body);
  const at = new Date().toISOString();
  await publish('not JSON');
  await publish('{"id":"half an event"}');
  await publish(
    JSON.stringify({
      id: 'odd',
      task: 'odd',
      queue: 'default',
      tenant: 'not-a-number',
      priority: 'low',
      state: 'FAILURE',
      retries: 0,
      worker: 'w',
      error: { type: 'Error', message: 'a \0 and half a pair \uD800', stack: null, retryable: false },
      progress: null,
      enqueued_at: at,
      started_at: at,
      finished_at: at,
      runtime_ms: 1,
      parent_id: null,
      root_id: 'odd',
      at,
    }),
  );
  startProjector(platform);
  await caughtUp(platform);
  expect(await platform.query('SELECT id, tenant_id, error_message FROM task_run')).toEqual([
    { id: 'odd', tenant_id: '0', error_message: 'a \uFFFD and half a pair \uFFFD' },
  ]);
});
