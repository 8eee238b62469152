/** Restarts, repetitions and disorder change nothing of a history. */
import { applyEvents, Names } from '@stratum/dashboard';
import type { TaskEvent } from '@stratum/jobs';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../harness/index.js';
import { histories, referenceRuns, type ReferenceRun } from './history-reference.js';

const STATES = ['', 'SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED', 'STARTED', 'RETRY', 'SCHEDULED', 'QUEUED'];

interface StoredRun {
  id: string;
  enqueued_at: Date;
  tenant_id: string;
  state: number;
  retries: number;
  finished_at: Date | null;
  started_at: Date | null;
  attempts: { started_at: string | null; state: string }[] | null;
}

async function storedRuns(owner: Pool): Promise<ReferenceRun[]> {
  const { rows } = await owner.query<StoredRun>(
    `SELECT id, enqueued_at, tenant_id, state, retries, finished_at, started_at, attempts FROM task_run
     UNION ALL SELECT id, enqueued_at, tenant_id, state, retries, NULL, started_at, attempts - 0 FROM task_open`,
  );
  return rows
    .map((row): ReferenceRun => {
      const state = STATES[row.state] ?? '';
      const only = row.started_at === null ? [] : [{ started_at: row.started_at.toISOString(), state }];
      return {
        id: row.id,
        enqueued_at: row.enqueued_at.toISOString(),
        tenant_id: row.tenant_id,
        state: referenceState(state),
        retries: row.retries,
        finished_at: row.finished_at?.toISOString() ?? null,
        attempts: (row.attempts ?? only).map((each): [string, string] => [each.started_at ?? '', each.state]),
      };
    })
    .toSorted((a, b) => `${a.id} ${a.enqueued_at}`.localeCompare(`${b.id} ${b.enqueued_at}`));
}

function referenceState(state: string): ReferenceRun['state'] {
  const found = (
    ['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED', 'STARTED', 'RETRY', 'SCHEDULED', 'QUEUED'] as const
  ).find((each) => each === state);
  if (found === undefined) throw new Error(`no state: ${state}`);
  return found;
}

/** Everything that roll-ups say, without the order in which it came. */
async function storedCounts(owner: Pool): Promise<unknown[]> {
  const columns = 'c.at, t.name, c.outcome, c.n, c.wait_b, c.wait_n, c.run_b, c.run_n';
  const { rows } = await owner.query(
    `SELECT ${columns} FROM task_minute c JOIN task_name t ON t.id = c.task WHERE c.n <> 0
     UNION ALL SELECT ${columns} FROM task_hour c JOIN task_name t ON t.id = c.task WHERE c.n <> 0 ORDER BY 1, 2, 3, 4`,
  );
  return rows;
}

async function empty({ owner }: TestDatabase): Promise<void> {
  await owner.query('TRUNCATE task_open, task_run, task_minute, task_hour, projector');
}

async function apply({ as }: TestDatabase, batches: readonly (readonly TaskEvent[])[]): Promise<void> {
  const pool = as('stratum_dashboard');
  let sequence = 0;
  for (const events of batches) {
    // Each batch with an empty memory: that is what a restart is.
    const names = new Names();
    await names.load(pool);
    const next = sequence + events.length + 1;
    await applyEvents(pool, names, {
      stream: 's',
      events,
      after: sequence,
      position: { sequence: next, at: new Date() },
    });
    sequence = next;
  }
}

/** The same events, some of them twice, in any order, cut into batches. */
const disordered = histories.chain((events) =>
  fc
    .record({
      order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
        minLength: events.length * 2,
        maxLength: events.length * 2,
      }),
      twice: fc.array(fc.boolean(), { minLength: events.length, maxLength: events.length }),
      size: fc.integer({ min: 1, max: 20 }),
    })
    .map(({ order, twice, size }) => {
      const sent = [...events, ...events.filter((_event, index) => twice[index])];
      const shuffled = sent
        .map((event, index) => ({ event, place: order[index] ?? 0 }))
        .toSorted((a, b) => a.place - b.place)
        .map(({ event }) => event);
      const batches: TaskEvent[][] = [];
      for (let start = 0; start < shuffled.length; start += size)
        batches.push(shuffled.slice(start, start + size));
      return { events, batches };
    }),
);

test('a history is what the plain rules make of its events, however they arrive', async () => {
  const database = await testDatabase();
  await fc.assert(
    fc.asyncProperty(disordered, async ({ events, batches }) => {
      await empty(database);
      await apply(database, [events]);
      const inOrder = await storedRuns(database.owner);
      const counts = await storedCounts(database.owner);
      expect(inOrder).toEqual(referenceRuns(events));
      await empty(database);
      await apply(database, batches);
      expect(await storedRuns(database.owner)).toEqual(inOrder);
      expect(await storedCounts(database.owner)).toEqual(counts);
    }),
    { numRuns: 60 },
  );
});
