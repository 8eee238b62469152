/** Chains, groups and chords against a real broker. */
import { chain, chord, group, step } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { openJobs } from './fixture.js';
import { moodyHandler, total, totalHandler } from './workflow-tasks.js';

const HANDLERS = [totalHandler, moodyHandler];

test('smoke', async () => {
  const { client, worker } = await openJobs();
  worker(HANDLERS);
  const { id } = await client.workflows.start(
    chain(
      step(total, { plus: 1 }),
      step(total, { plus: 2 }, { with: { of: '$previous' } }),
      group(
        step(total, { plus: 1 }, { with: { of: '$previous.sum' } }),
        step(total, { plus: 2 }, { with: { of: '$previous.sum' } }),
      ),
      chord([step(total, {}, { with: { of: '$previous[1]' } }), step(total, { plus: 5 })], step(total, {}, { with: { of: '$previous' } })),
    ),
    { id: 'w1' },
  );
  const outcome = await client.workflows.result(id, { timeoutMs: 5000 });
  console.log(JSON.stringify(outcome), JSON.stringify(await client.workflows.get(id), null, 1));
  console.log(JSON.stringify(await client.workflows.list()));
  expect(outcome.result).toEqual({ sum: 10 });
});
