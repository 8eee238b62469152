/** Real worker processes that are killed over and over while many workflows run. */
import { jetstreamManager } from '@nats-io/jetstream';
import { chord, group, step } from '@stratum/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openJobs } from './fixture.js';
import { total } from './workflow-tasks.js';
import { countSteps, definitions, evaluate } from './workflow-trees.js';

const WORKFLOWS = 40;
const KILLS = 12;

test('workers killed at any moment lose no workflow and enqueue no step twice', async () => {
  const jobs = await openJobs({ ackWaitMs: 1_000, maxDeliver: 100 });
  const { client, topology, natsUrl } = jobs;
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: topology.names.prefix };
  const spawn = (): ReturnType<typeof spawnProgram> =>
    spawnProgram('test/dist/crash/workflow-process.js', env);
  const workers = [spawn(), spawn()];
  await Promise.all(workers.map((worker) => worker.ready()));
  const random = fc.sample(definitions({ failures: false, depth: 3 }), WORKFLOWS);
  const wide = group(Array.from({ length: 500 }, (_, plus) => step(total, { plus })));
  const plan = [...random, chord(wide, step(total, {}, { with: { of: '$previous' } }))];
  const ids: string[] = [];
  for (const definition of plan) ids.push((await client.workflows.start(definition)).id);
  for (let kill = 0; kill < KILLS; kill++) {
    const [victim] = workers.splice(0, 1);
    await victim?.kill('SIGKILL');
    const next = spawn();
    workers.push(next);
    await next.ready();
  }
  for (const [index, definition] of plan.entries()) {
    const outcome = await client.workflows.result(ids[index] ?? '', { timeoutMs: 60_000 });
    expect(outcome).toMatchObject({ state: 'SUCCESS' });
    expect({ value: outcome.result }).toEqual(evaluate(definition));
  }
  await waitFor('the queue to be empty', async () => (await client.queues())[0]?.running === 0);
  const manager = await jetstreamManager(jobs.connection);
  const { state } = await manager.streams.info(topology.names.queueStream('work'));
  expect(state.last_seq).toBe(plan.reduce((sum, definition) => sum + countSteps(definition), 0));
});
