/** Which record of a task counts when several messages or workers have one to write, and that no message is dropped that somebody waits for. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import {
  createClient,
  defineTask,
  handleTask,
  TaskError,
  type TaskContext,
  type TaskEvent,
} from '@stratum/jobs';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { holdingBack, withoutAcks } from './dying-connection.js';
import { openJobs, queueIsEmpty, type Jobs } from './fixture.js';

const ACK_WAIT_MS = 1_000;
const HOUR_MS = 3_600_000;
const output = z.object({ by: z.string() });
const input = z.object({});
const work = defineTask({ name: 'work', queue: 'work', input, output });
const retrying = defineTask({
  name: 'retrying',
  queue: 'work',
  input,
  output,
  retry: { maxRetries: 3, backoff: { kind: 'fixed', delayMs: HOUR_MS } },
});

interface Gate {
  passed: Promise<void>;
  open: () => void;
}

function gate(): Gate {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  onTestFinished(() => open());
  return { passed, open };
}

/** Publishes a message of a task as a client or a worker would, at another time. */
async function publishTask(
  { connection, topology }: Jobs,
  id: string,
  headers: Record<string, string>,
  delayMs = 0,
): Promise<void> {
  const { names } = topology;
  const target = names.taskSubject({
    queue: 'work',
    priority: 'normal',
    tenant: undefined,
    task: 'work',
    id,
  });
  const all = newHeaders();
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  if (delayMs > 0) {
    all.set('Nats-Schedule', `@at ${new Date(Date.now() + delayMs).toISOString()}`);
    all.set('Nats-Schedule-Target', target);
  }
  const subject = delayMs > 0 ? names.delayedSubject('work', id) : target;
  await jetstream(connection).publish(subject, '{}', { headers: all });
}

async function lastMessage(
  connection: NatsConnection,
  stream: string,
  subject: string,
): Promise<{ seq: number; header: { get(name: string): string } } | undefined> {
  const manager = await jetstreamManager(connection);
  return (await manager.streams.getMessage(stream, { last_by_subj: subject })) ?? undefined;
}

test('a worker taken for lost does not overwrite the record of the attempt after a snooze', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { client, connection } = jobs;
  const [late, running] = [gate(), gate()];
  const lost = jobs.worker(
    [
      handleTask(work, async (_, context) => {
        await late.passed;
        context.progress(9, 10);
        return { by: 'lost' };
      }),
    ],
    { name: 'lost', concurrency: 1, connection: withoutAcks(connection) },
  );
  const { id } = await client.enqueue(work, {});
  await waitFor('the first attempt', () => lost.runningCount === 1);
  let attempts = 0;
  const next = jobs.worker(
    [
      handleTask(work, async (_, context) => {
        if (attempts++ === 0) context.snooze(10);
        context.progress(1, 10);
        await running.passed;
        return { by: 'next' };
      }),
    ],
    { name: 'next' },
  );
  await waitFor('the attempt after the snooze', async () => {
    const record = await client.status(id);
    return record?.state === 'STARTED' && record.progress?.done === 1;
  });
  late.open();
  await waitFor('the end of the lost attempt', () => lost.runningCount === 0);
  expect(await client.status(id)).toMatchObject({ state: 'STARTED', worker: 'next', progress: { done: 1 } });
  running.open();
  expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', worker: 'next', result: { by: 'next' } });
  await waitFor('its message to be gone', () => next.runningCount === 0);
});

/** What a second worker may do with a task that the first has ended meanwhile. */
const SECOND_ENDS: Record<string, (context: TaskContext) => { by: string }> = {
  'hands it back': () => ({ by: 'nobody: the worker stops before' }),
  'ends it, too': () => ({ by: 'second' }),
  'snoozes it': (context) => context.snooze(HOUR_MS),
  'fails, and would retry it': () => {
    throw new TaskError('not yet');
  },
  'fails for good': () => {
    throw new TaskError('broken', { retryable: false });
  },
};

test.each(Object.entries(SECOND_ENDS))(
  'a task that has succeeded stays so, though a second worker had it as well and %s',
  async (how, end) => {
    const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
    const { client, connection } = jobs;
    const [late, second] = [gate(), gate()];
    const lost = jobs.worker([handleTask(retrying, () => late.passed.then(() => ({ by: 'lost' })))], {
      concurrency: 1,
      connection: withoutAcks(connection),
    });
    const { id } = await client.enqueue(retrying, {});
    await waitFor('the first worker', () => lost.runningCount === 1);
    const other = jobs.worker(
      [handleTask(retrying, (_, context) => second.passed.then(() => end(context)))],
      { name: 'second', shutdownGraceMs: 0 },
    );
    await waitFor('the second worker', async () => (await client.status(id))?.worker === 'second');
    late.open();
    await waitFor('the end of the first', async () => (await client.status(id))?.state === 'SUCCESS');
    await lost.stop();
    if (how === 'hands it back') await other.stop();
    else second.open();
    await waitFor('the second worker to be done', () => other.runningCount === 0);
    let runs = 0;
    jobs.worker([handleTask(retrying, () => ({ by: `run ${++runs}` }))]);
    await queueIsEmpty(client);
    expect(await client.status(id)).toMatchObject({ state: 'SUCCESS', result: { by: 'lost' } });
    expect(runs).toBe(0);
    expect(await client.deadLetters.list()).toEqual([]);
  },
);

test('a redelivered task runs, though the next attempt of an older message of its id waits', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { client, connection } = jobs;
  const stuck = gate();
  const lost = jobs.worker([handleTask(work, () => stuck.passed.then(() => ({ by: 'lost' })))], {
    name: 'lost',
    concurrency: 1,
    connection: withoutAcks(connection),
  });
  const { id } = await client.enqueue(work, {}, { id: 'twice' });
  await waitFor('its record', async () => (await client.status(id))?.state === 'STARTED');
  const earlier = new Date(Date.now() - HOUR_MS).toISOString();
  await publishTask(jobs, id, { 'Task-Enqueued-At': earlier, 'Task-Retries': '1' }, HOUR_MS);
  jobs.worker([handleTask(work, () => ({ by: 'other' }))], { name: 'other' });
  expect(await client.result(id)).toMatchObject({
    state: 'SUCCESS',
    worker: 'other',
  });
  stuck.open();
  await waitFor('the end of the lost attempt', () => lost.runningCount === 0);
});

test('a retry does not replace a newer message of its id that waits for its time', async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  const failing = gate();
  const worker = jobs.worker([
    handleTask(retrying, async () => {
      await failing.passed;
      throw new TaskError('not yet');
    }),
  ]);
  const { id } = await client.enqueue(retrying, {}, { id: 'shared' });
  await waitFor('its record', async () => (await client.status(id))?.state === 'STARTED');
  const newer = new Date(Date.now() + 1_000).toISOString();
  await publishTask(jobs, id, { 'Task-Enqueued-At': newer }, HOUR_MS);
  failing.open();
  await waitFor('the end of the attempt', () => worker.runningCount === 0);
  const { names } = topology;
  const waiting = await lastMessage(connection, names.queueStream('work'), names.delayedSubject('work', id));
  expect(waiting?.header.get('Task-Enqueued-At')).toBe(newer);
  const [queue] = await client.queues();
  expect(queue).toMatchObject({ normal: 0, running: 0, delayed: 1 });
});

test('a task that has succeeded stays so, though another message of its id is run', async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  let runs = 0;
  jobs.worker([
    handleTask(work, async (_, context) => {
      if (runs++ > 0) context.progress(1, 2);
      return { by: `run ${runs}` };
    }),
  ]);
  await publishTask(jobs, 'again', { 'Task-Fresh-Id': '1' });
  const first = await client.result('again');
  const { names } = topology;
  const before = await lastMessage(connection, names.resultStream, names.resultKey('again'));
  // As a client sends a message again whose confirmation was lost together with its broker.
  await publishTask(jobs, 'again', { 'Task-Fresh-Id': '1' });
  await waitFor('the second run', async () => runs === 2 && (await client.queues())[0]?.running === 0);
  expect(await client.status('again')).toEqual(first);
  const after = await lastMessage(connection, names.resultStream, names.resultKey('again'));
  expect(after?.seq).toBe(before?.seq);
});

test('a dead letter that two workers have published stays', async () => {
  const jobs = await openJobs({ ackWaitMs: ACK_WAIT_MS });
  const { client, connection, topology } = jobs;
  const late = gate();
  const fail = (): never => {
    throw new TaskError('broken');
  };
  const doomed = defineTask({ name: 'work', queue: 'work', input, output, retry: { maxRetries: 0 } });
  const lost = jobs.worker([handleTask(doomed, () => late.passed.then(fail))], {
    concurrency: 1,
    connection: withoutAcks(connection),
  });
  const { id } = await client.enqueue(doomed, {});
  await waitFor('the first attempt', () => lost.runningCount === 1);
  const { names } = topology;
  const letters = names.deadSubject('work', 'work', id);
  const holding = holdingBack(connection, (subject) => subject === letters);
  const other = jobs.worker([handleTask(doomed, fail)], { connection: holding.connection });
  await waitFor('the second dead letter', () => holding.heldCount() === 1);
  late.open();
  await client.result(id);
  await waitFor('the first dead letter', () => lost.runningCount === 0);
  holding.release();
  await waitFor('the second attempt', () => other.runningCount === 0);
  expect(await client.status(id)).toMatchObject({ state: 'FAILURE' });
  expect(await client.deadLetters.get(id)).toMatchObject({ id, reason: 'max_retries' });
});

test('a task whose next attempt is revoked while its record is being written ends as revoked', async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  const { names } = topology;
  const failing = gate();
  let isSlow = false;
  const onRecord = (subject: string): boolean => isSlow && subject.startsWith(names.resultKey(''));
  const workerSide = holdingBack(connection, onRecord);
  const revokerSide = holdingBack(connection, onRecord);
  const worker = jobs.worker(
    [
      handleTask(retrying, async () => {
        await failing.passed;
        throw new TaskError('not yet');
      }),
    ],
    { connection: workerSide.connection },
  );
  const revoker = createClient({ connection: revokerSide.connection, topology });
  onTestFinished(() => revoker.close());
  const { id } = await client.enqueue(retrying, {});
  await waitFor('its record', async () => (await client.status(id))?.state === 'STARTED');
  isSlow = true;
  failing.open();
  await waitFor('the retry, whose record is not written yet', () => workerSide.heldCount() === 1);
  const revoking = revoker.revoke(id);
  await waitFor('the revocation, which is not written yet', () => revokerSide.heldCount() === 1);
  workerSide.release();
  await waitFor('the record of the retry', async () => (await client.status(id))?.state === 'RETRY');
  revokerSide.release();
  expect(await revoking).toBe('revoked');
  expect(await client.status(id)).toMatchObject({ state: 'REVOKED', retries: 1 });
  await waitFor('the worker', () => worker.runningCount === 0);
});

test('an attempt whose record is written after the end of its own retry reports its failure all the same', async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  const { names } = topology;
  const states: string[] = [];
  connection.subscribe(names.eventFilter, {
    callback: (_error, message) => {
      const { state, retries } = message.json<TaskEvent>();
      states.push(`${state} ${retries}`);
    },
  });
  const brief = defineTask({
    name: 'work',
    queue: 'work',
    input,
    output,
    retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 1 } },
  });
  const failing = handleTask(brief, () => {
    throw new TaskError('not today');
  });
  const holding = holdingBack(connection, (subject) => subject.startsWith(names.resultKey('')));
  const slow = jobs.worker([failing], {
    connection: holding.connection,
    concurrency: 1,
    prefetchMultiplier: 1,
  });
  const { id } = await client.enqueue(brief, {});
  await waitFor('the retry, whose record is not written yet', () => holding.heldCount() === 1);
  jobs.worker([failing]);
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE', retries: 1 });
  holding.release();
  await waitFor('the first worker', () => slow.runningCount === 0);
  await waitFor('both ends', () => states.length === 2);
  expect(states.toSorted()).toEqual(['FAILURE 1', 'RETRY 1']);
  expect(await client.status(id)).toMatchObject({ state: 'FAILURE', retries: 1 });
});

test('a snoozed task whose result nobody wants leaves no record behind', async () => {
  const jobs = await openJobs();
  const { client } = jobs;
  const unasked = defineTask({ name: 'work', queue: 'work', input, output, ignoreResult: true });
  let runs = 0;
  const worker = jobs.worker([
    handleTask(unasked, (_, context) => {
      if (runs++ === 0) context.snooze(10);
      return { by: 'second' };
    }),
  ]);
  const { id } = await client.enqueue(unasked, {});
  await waitFor('both runs', () => runs === 2 && worker.runningCount === 0);
  expect((await client.status(id))?.state ?? 'SUCCESS').toBe('SUCCESS');
});
