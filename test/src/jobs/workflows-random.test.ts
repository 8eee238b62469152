/** Whatever is nested in whatever comes to what plain evaluation says, and every step runs once. */
import { jetstreamManager } from '@nats-io/jetstream';
import { chord, step } from '@stratum/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';
import { countedHandlers, total } from './workflow-tasks.js';
import { countSteps, definitions, evaluate } from './workflow-trees.js';

/** Every message that was ever stored in the queue. */
async function enqueuedIn({ connection, topology }: Jobs): Promise<number> {
  const manager = await jetstreamManager(connection);
  return (await manager.streams.info(topology.names.queueStream('work'))).state.last_seq;
}

test('random workflows that succeed', async () => {
  const jobs = await openJobs();
  const { handlers, runs } = countedHandlers();
  jobs.worker(handlers, { concurrency: 16 });
  jobs.worker(handlers, { concurrency: 3 });
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(definitions({ failures: false, depth: 4 }), async (definition) => {
      const { id } = await jobs.client.workflows.start(definition);
      const outcome = await jobs.client.workflows.result(id);
      steps += countSteps(definition);
      expect(outcome).toMatchObject({ state: 'SUCCESS', error: null });
      expect({ value: outcome.result }).toEqual(evaluate(definition));
      const view = await jobs.client.workflows.get(id);
      const count = countSteps(definition);
      expect(view?.steps).toEqual(count === 0 ? { total: 0 } : { total: count, SUCCESS: count });
      expect(view?.tree?.state).toBe('SUCCESS');
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(await enqueuedIn(jobs)).toBe(steps);
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
});

test('random workflows with steps that fail', async () => {
  const jobs = await openJobs();
  const { handlers, runs } = countedHandlers();
  jobs.worker(handlers, { concurrency: 16 });
  await fc.assert(
    fc.asyncProperty(definitions({ failures: true, depth: 4 }), async (definition) => {
      const { id } = await jobs.client.workflows.start(definition);
      const outcome = await jobs.client.workflows.result(id);
      const expected = evaluate(definition);
      expect(outcome.state).toBe(expected === undefined ? 'FAILURE' : 'SUCCESS');
      expect(outcome.result).toEqual(expected === undefined ? null : expected.value);
      expect(outcome.failed === null).toBe(expected !== undefined);
      if (expected !== undefined) return;
      // Members that go on come to their ends, too; what follows the failure is left waiting.
      await waitFor('all to have ended that has begun', async () => {
        const view = await jobs.client.workflows.get(id);
        const { total: all, SUCCESS = 0, FAILURE = 0, WAITING = 0 } = view?.steps ?? { total: -1 };
        return SUCCESS + FAILURE + WAITING === all;
      });
      expect(await jobs.client.workflows.get(id)).toMatchObject({ state: 'FAILURE' });
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
});

test('a chord of 10,000 members gathers all of them, and its callback runs once', async () => {
  const jobs = await openJobs();
  const { handlers, runs } = countedHandlers();
  for (let each = 0; each < 2; each++) jobs.worker(handlers, { concurrency: 64 });
  const count = 10_000;
  const header = Array.from({ length: count }, (_, plus) => step(total, { plus }));
  const { id } = await jobs.client.workflows.start(
    chord(header, step(total, {}, { with: { of: '$previous' } })),
    { id: 'large' },
  );
  const outcome = await jobs.client.workflows.result(id, { timeoutMs: 180_000 });
  expect(outcome).toMatchObject({ state: 'SUCCESS', result: { sum: (count * (count - 1)) / 2 } });
  expect(await enqueuedIn(jobs)).toBe(count + 1);
  expect(runs.size).toBe(count + 1);
  expect([...runs.values()].every((times) => times === 1)).toBe(true);
});
