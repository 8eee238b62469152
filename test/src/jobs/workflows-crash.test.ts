/** Processes that die after any of their steps, while a workflow is started, run, dead-lettered, replayed or looked after. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import {
  chain,
  chord,
  connectToNats,
  createClient,
  createReaper,
  createWorker,
  createWorkflowMaintenance,
  handleTask,
  step,
} from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { dyingAfter } from './dying-connection.js';
import { openJobs, queueIsEmpty, type Jobs } from './fixture.js';
import { countedHandlers, moody, total, totalHandler } from './workflow-tasks.js';

const ACK_WAIT_MS = 300;
const PREVIOUS = { with: { of: '$previous' } } as const;
const DEFINITION = chain(
  step(total, { plus: 1 }),
  chord(
    [step(total, { plus: 2 }, PREVIOUS), step(total, { plus: 3 }, PREVIOUS), step(total, { plus: 4 })],
    step(total, { plus: 10 }, PREVIOUS),
  ),
  step(total, { plus: 100 }, PREVIOUS),
);
const STEPS = 6;
const DONE: { state: string; result: unknown; steps: unknown; enqueued: number } = {
  state: 'SUCCESS',
  result: { sum: 121 },
  steps: { total: STEPS, SUCCESS: STEPS },
  enqueued: STEPS,
};

/** Everything that changes something for others. */
const isStep = (subject: string): boolean =>
  /^\$KV\.(?!.*task_control)|\.dead\.|\.delayed\.|^\$JS\.ACK|\.tasks\.|STREAM\.(MSG\.DELETE|PURGE)/.test(
    subject,
  );

/** Runs a life that ends after so many steps, or when it has done its work. */
async function mortal(
  { natsUrl }: Jobs,
  steps: number,
  live: (connection: NatsConnection) => void,
  isDone: () => Promise<boolean>,
): Promise<boolean> {
  const own = await connectToNats({ servers: natsUrl, name: 'dying' });
  const dying = dyingAfter(own, steps, isStep);
  live(dying.connection);
  await waitFor('its end', async () => dying.isDead() || (await isDone()));
  await own.close();
  return dying.isDead();
}

/** Every message that was ever stored in the queue. */
async function enqueuedIn({ connection, topology }: Jobs): Promise<number> {
  const manager = await jetstreamManager(connection);
  return (await manager.streams.info(topology.names.queueStream('work'))).state.last_seq;
}

function openMaintenance({ connection, topology }: Jobs): void {
  const maintenance = createWorkflowMaintenance({
    connection,
    topology,
    contracts: [total, moody],
    roundMs: 100,
  });
  maintenance.start();
  onTestFinished(() => maintenance.stop());
}

const isOver = async ({ client }: Jobs, id = 'w'): Promise<boolean> => {
  const view = await client.workflows.get(id);
  return view !== undefined && view.state !== 'STARTED';
};

/** What it came to, and how many messages that took. */
async function endOf(jobs: Jobs): Promise<typeof DONE> {
  const { state, result } = await jobs.client.workflows.result('w');
  await queueIsEmpty(jobs.client);
  const view = await jobs.client.workflows.get('w');
  return { state, result, steps: view?.steps, enqueued: await enqueuedIn(jobs) };
}

/** More than any of these lives has steps; the last ones live to the end. */
const DEATHS = Array.from({ length: 36 }, (_, steps) => steps);

describe.each(DEATHS)('a process that dies after %i of its steps', (steps) => {
  test('as a worker, is followed by another one, and each step is enqueued once', async () => {
    const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
    const { topology } = jobs;
    const { handlers, runs } = countedHandlers();
    await jobs.client.workflows.start(DEFINITION, { id: 'w' });
    await mortal(
      jobs,
      steps,
      (connection) =>
        createWorker({
          connection,
          topology,
          queues: ['work'],
          handlers,
          concurrency: 2,
          watchdog: false,
        }).start(),
      () => isOver(jobs),
    );
    jobs.worker(handlers);
    expect(await endOf(jobs)).toEqual(DONE);
    // What was being run when the worker died runs again.
    const again = [...runs.values()].filter((count) => count > 1);
    expect(again.length).toBeLessThanOrEqual(2);
    expect(runs.size).toBe(STEPS);
  });
});

/** A process that dies after this number of steps starts the workflow. */
async function startMortally(steps: number): Promise<Jobs> {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { topology } = jobs;
  let started = false;
  await mortal(
    jobs,
    steps,
    (connection) =>
      void createClient({ connection, topology })
        .workflows.start(DEFINITION, { id: 'w' })
        .then(() => (started = true))
        .catch(() => undefined),
    async () => started,
  );
  return jobs;
}

describe.each(DEATHS.slice(0, 10))('who dies after %i of the steps', (steps) => {
  test('of starting a workflow, has started it or can start it again', async () => {
    const jobs = await startMortally(steps);
    const { client } = jobs;
    await client.workflows.start(DEFINITION, { id: 'w' });
    jobs.worker([totalHandler]);
    expect(await endOf(jobs)).toEqual(DONE);
  });

  test('of starting a workflow, leaves a half-started one to workflow maintenance', async () => {
    const jobs = await startMortally(steps);
    const { client } = jobs;
    jobs.worker([totalHandler]);
    openMaintenance(jobs);
    // Before its definition was stored, nobody can know of it.
    if (steps < 2) {
      expect((await client.queues())[0]).toMatchObject({ normal: 0 });
      expect(await client.workflows.start(DEFINITION, { id: 'w' })).toMatchObject({ duplicate: false });
    }
    expect(await endOf(jobs)).toEqual(DONE);
  });

  test('of maintaining workflows, is followed by another process', async () => {
    const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
    const { topology } = jobs;
    const { prefix } = topology.names;
    await jetstream(jobs.connection).publish(`${prefix}.workflows.start._.w`, JSON.stringify(DEFINITION));
    await mortal(
      jobs,
      steps,
      (connection) => {
        const maintenance = createWorkflowMaintenance({ connection, topology, roundMs: 50 });
        maintenance.start();
        // Not awaited: requests of the dead are never answered.
        onTestFinished(() => void maintenance.stop());
      },
      async () => (await enqueuedIn(jobs)) > 0,
    );
    openMaintenance(jobs);
    jobs.worker([totalHandler]);
    expect(await endOf(jobs)).toEqual(DONE);
  });

  test('of failing and replaying a step, leaves a workflow that resumes', async () => {
    const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
    const { topology, client } = jobs;
    const { handlers, runs } = countedHandlers();
    const definition = chain(step(moody, { good: false }), step(total, { plus: 1 }, PREVIOUS));
    await client.workflows.start(definition, { id: 'w' });
    await mortal(
      jobs,
      steps,
      (connection) =>
        createWorker({ connection, topology, queues: ['work'], handlers, watchdog: false }).start(),
      () => isOver(jobs),
    );
    const worker = jobs.worker(handlers);
    expect(await client.workflows.result('w')).toMatchObject({
      state: 'FAILURE',
      failed: { task_id: 'w-1' },
    });
    await queueIsEmpty(jobs.client);
    await worker.stop();
    let replayed = false;
    await mortal(
      jobs,
      steps,
      (connection) =>
        void createClient({ connection, topology })
          .deadLetters.replay('w-1', { payload: { good: true } })
          .then(() => (replayed = true))
          .catch(() => undefined),
      async () => replayed,
    );
    await client.deadLetters.replay('w-1', { payload: { good: true } }).catch((error: unknown) => {
      expect(String(error)).toContain('no dead letter');
    });
    await mortal(
      jobs,
      steps,
      (connection) =>
        createWorker({ connection, topology, queues: ['work'], handlers, watchdog: false }).start(),
      async () => (await client.workflows.get('w'))?.state === 'SUCCESS',
    );
    jobs.worker(handlers);
    await waitFor('the end', async () => (await client.workflows.get('w'))?.state === 'SUCCESS');
    expect(await client.workflows.result('w')).toMatchObject({ result: { sum: 101 }, failed: null });
    expect(await client.deadLetters.list()).toEqual([]);
    expect(runs.get('w-2')).toBeGreaterThan(0);
  });

  test('of cancelling, leaves a workflow that another can cancel', async () => {
    const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
    const { topology, client } = jobs;
    const { handlers, runs } = countedHandlers();
    await client.workflows.start(chain(step(total, {}), step(total, {})), { id: 'w' });
    let cancelled = false;
    await mortal(
      jobs,
      steps,
      (connection) =>
        void createClient({ connection, topology })
          .workflows.cancel('w')
          .then(() => (cancelled = true))
          .catch(() => undefined),
      async () => cancelled,
    );
    const result = await client.workflows.cancel('w');
    expect(['cancelled', 'ended']).toContain(result);
    jobs.worker(handlers);
    await queueIsEmpty(jobs.client);
    expect(await client.workflows.result('w')).toMatchObject({ state: 'REVOKED' });
    expect(runs.get('w-2')).toBeUndefined();
  });
});

test('a step that keeps losing its workers fails its workflow, and resumes it when it is replayed', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS, maxDeliver: 1 });
  const { client, natsUrl, topology } = jobs;
  const own = await connectToNats({ servers: natsUrl, name: 'mortal' });
  let hasStarted = false;
  const stuck = handleTask(total, () => {
    hasStarted = true;
    return new Promise<never>(() => undefined);
  });
  createWorker({ connection: own, topology, queues: ['work'], handlers: [stuck], watchdog: false }).start();
  await client.workflows.start(chain(step(total, { plus: 1 }), step(total, { plus: 1 }, PREVIOUS)), {
    id: 'w',
  });
  await waitFor('the step to run', () => hasStarted);
  await own.close();
  const reaper = createReaper({ connection: jobs.connection, topology });
  reaper.start();
  onTestFinished(() => reaper.stop());
  jobs.worker([totalHandler]);
  expect(await client.workflows.result('w')).toMatchObject({
    state: 'FAILURE',
    error: { type: 'WorkerLost' },
    failed: { path: 'chain[0]' },
  });
  await client.deadLetters.replay('w-1');
  await waitFor('the end', async () => (await client.workflows.get('w'))?.state === 'SUCCESS');
  expect(await client.workflows.result('w')).toMatchObject({ result: { sum: 2 } });
});
