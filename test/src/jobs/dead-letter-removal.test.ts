/** Bulk replays remove the letters that they have replayed, and no others, wherever these lie. */
import { defineTask, handleTask, type DeadLetterFilter } from '@stratum/jobs';
import { headers } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const TASKS = ['first', 'second'] as const;
const contracts = TASKS.map((name) =>
  defineTask({ name, queue: 'work', input: z.object({}), output: z.null() }),
);

interface Letter {
  task: (typeof TASKS)[number];
  tenant: '1' | '2';
  /** A task of its id waits, or it names no task: it stays. */
  stays: 'no' | 'waits' | 'nameless';
  /** Another program removes it by hand, before the replay. */
  isTaken: boolean;
}

const letters = fc.array(
  fc.record<Letter>({
    task: fc.constantFrom(...TASKS),
    tenant: fc.constantFrom('1', '2'),
    stays: fc.oneof(
      { weight: 12, arbitrary: fc.constant('no' as const) },
      { weight: 1, arbitrary: fc.constantFrom('waits' as const, 'nameless' as const) },
    ),
    isTaken: fc.oneof(
      { weight: 12, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  }),
  { minLength: 1, maxLength: 160, size: 'max' },
);
const filters = fc.constantFrom<Pick<DeadLetterFilter, 'task' | 'tenant' | 'queue'>>(
  {},
  { task: 'first' },
  { queue: 'work' },
  { tenant: '1' },
  { task: 'second', tenant: '2' },
);

async function store({ connection, topology, client }: Jobs, letter: Letter, id: string): Promise<void> {
  const { names } = topology;
  const { task, tenant, stays, isTaken } = letter;
  const own = headers();
  const subject = names.taskSubject({ queue: 'work', priority: 'normal', tenant, task, id });
  own.set('Dead-Reason', 'max_retries');
  own.set('Dead-Subject', stays === 'nameless' ? '' : subject);
  await jetstream(connection).publish(names.deadSubject('work', task, id), '{}', { headers: own });
  if (stays === 'waits')
    await client.publish('work', task, {}, { id, tenant: Number(tenant), delayMs: 3_600_000 });
  if (isTaken) await client.deadLetters.discard(id);
}

test('after replays of many, with and without workers, exactly those are left that were not replayed', async () => {
  const jobs = await openJobs();
  const { client } = jobs;
  const runs: string[] = [];
  let round = 0;
  await fc.assert(
    fc.asyncProperty(letters, filters, fc.boolean(), async (all, filter, hasWorkers) => {
      const prefix = `r${round++}-`;
      const ids = all.map((_, place) => `${prefix}${place}`);
      for (const [place, id] of ids.entries()) {
        const letter = all[place];
        if (letter !== undefined) await store(jobs, letter, id);
      }
      const start = (): unknown =>
        jobs.worker(
          contracts.map((contract) =>
            handleTask(contract, (_, { id }) => {
              runs.push(id);
              return null;
            }),
          ),
        );
      if (hasWorkers) start();
      const replayed: string[] = [];
      // Two operators at the same time: each letter is replayed by either, and runs once.
      await Promise.all(
        [1, 2].map(async () => {
          for await (const { id } of client.deadLetters.replayMany(filter)) replayed.push(id);
        }),
      );
      const isMeant = ({ task, tenant, stays, isTaken }: Letter): boolean =>
        !isTaken && stays === 'no' && (filter.task ?? task) === task && (filter.tenant ?? tenant) === tenant;
      const meant = ids.filter((_, place) => all[place] !== undefined && isMeant(all[place]));
      expect([...new Set(replayed)].toSorted()).toEqual(meant.toSorted());
      const left = (await client.deadLetters.list({ limit: 1_000 })).map(({ id }) => id);
      const expected = ids.filter((id, place) => all[place]?.isTaken === false && !meant.includes(id));
      expect(left).toEqual(expected);
      if (!hasWorkers) start();
      await waitFor('the replayed tasks to run', () => meant.every((id) => runs.includes(id)));
      expect(runs.filter((id) => id.startsWith(prefix)).toSorted()).toEqual(meant.toSorted());
      for await (const _ of client.deadLetters.discardMany({}));
    }),
    { numRuns: 12 },
  );
});
