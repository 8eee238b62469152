/** Messages of programs that know the wire contract only, and may not be trusted with more than their own tenant. */
import { createResultResponder } from '@stratum/jobs';
import { headers } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { add, addHandler, flaky, flakyHandler, openJobs, type Jobs } from './fixture.js';

const HANDLERS = [addHandler, flakyHandler];
const INVALID = { state: 'FAILURE', error: { type: 'InvalidPayloadError' } };

function subjectFor({ topology }: Jobs, tenant: string | undefined, id: string): string {
  const { queue, name: task } = add;
  return topology.names.taskSubject({ queue, priority: 'normal', tenant, task, id });
}

const sum = (tenant?: number): string => JSON.stringify({ a: 1, b: 2, tenant_id: tenant });

describe('a message that no client of ours has made', () => {
  test('must be the work of the tenant that its subject names, where it names one', async () => {
    const jobs = await openJobs();
    jobs.worker(HANDLERS);
    const broker = jetstream(jobs.connection);
    await broker.publish(subjectFor(jobs, '1', 'disguised'), sum(2));
    await broker.publish(subjectFor(jobs, '1', 'own'), sum(1));
    await broker.publish(subjectFor(jobs, '1', 'unsaid'), sum());
    await broker.publish(subjectFor(jobs, undefined, 'platform'), sum(2));
    expect(await jobs.client.result('disguised')).toMatchObject(INVALID);
    for (const id of ['own', 'unsaid', 'platform'])
      expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: { sum: 3 } });
    expect(await jobs.client.deadLetters.get('disguised')).toMatchObject({
      reason: 'invalid_payload',
      tenant: '1',
    });
  });

  test("cannot be scheduled onto another tenant's subject from its own", async () => {
    const jobs = await openJobs();
    const { names } = jobs.topology;
    const schedule = headers();
    schedule.set('Nats-Schedule', `@at ${new Date(Date.now() + 200).toISOString()}`);
    const target = subjectFor(jobs, '2', 'smuggled');
    schedule.set('Nats-Schedule-Target', target);
    await jetstream(jobs.connection).publish(subjectFor(jobs, '1', 'smuggled'), sum(2), {
      headers: schedule,
    });
    const manager = await jetstreamManager(jobs.connection);
    // The server itself has no objection.
    await waitFor('the server to move it', async () => {
      const moved = await manager.streams
        .getMessage(names.queueStream('work'), { last_by_subj: target })
        .catch(() => null);
      return moved !== null;
    });
    jobs.worker(HANDLERS);
    expect(await jobs.client.result('smuggled')).toMatchObject({
      state: 'FAILURE',
      error: { message: expect.stringContaining('was scheduled from') },
    });
  });

  test('waits as a delayed task when its time is far, and runs when it has come', async () => {
    const jobs = await openJobs();
    jobs.worker(HANDLERS);
    const broker = jetstream(jobs.connection);
    const at = (milliseconds: number): ReturnType<typeof headers> => {
      const notBefore = headers();
      notBefore.set('Task-Not-Before', String(Date.now() + milliseconds));
      return notBefore;
    };
    const begun = Date.now();
    await broker.publish(subjectFor(jobs, '1', 'far'), sum(1), { headers: at(3_600_000) });
    await broker.publish(subjectFor(jobs, '1', 'near'), sum(1), { headers: at(3_000) });
    const manager = await jetstreamManager(jobs.connection);
    const { names } = jobs.topology;
    await waitFor('the delayed message', async () => {
      const message = await manager.streams
        .getMessage(names.queueStream('work'), { last_by_subj: names.delayedSubject('work', 'far') })
        .catch(() => null);
      return message !== null;
    });
    expect(await jobs.client.status('far')).toMatchObject({ state: 'SCHEDULED', retries: 0 });
    const near = await jobs.client.result('near');
    expect(near).toMatchObject({ state: 'SUCCESS', retries: 0 });
    expect(Date.parse(near.started_at ?? '')).toBeGreaterThanOrEqual(begun + 3_000);
    expect(await jobs.client.revoke('far')).toBe('revoked');
  });

  test('becomes a dead letter when it fails and leaves no room for the headers of a retry', async () => {
    const jobs = await openJobs();
    jobs.worker(HANDLERS);
    const limit = jobs.connection.info?.max_payload ?? 0;
    const head = '{"failures":9,"pad":"';
    const body = `${head}${'x'.repeat(limit - head.length - 2)}"}`;
    const subject = { queue: 'work', priority: 'normal', tenant: '1', task: 'flaky', id: 'full' } as const;
    await jetstream(jobs.connection).publish(jobs.topology.names.taskSubject(subject), body);
    expect(await jobs.client.result('full')).toMatchObject({ state: 'FAILURE', retries: 0 });
    expect(await jobs.client.deadLetters.get('full')).toMatchObject({
      reason: 'not_retryable',
      error: 'TaskError: failure 1',
      payload: { omitted_bytes: limit },
    });
    await waitFor('an empty queue', async () => (await jobs.client.queues())[0]?.running === 0);
  });

  test('becomes a dead letter with its reason when its subject is not that of a task', async () => {
    const jobs = await openJobs();
    const broker = jetstream(jobs.connection);
    const ids = ['order:17', 'me@example', 'größe', 'x'.repeat(65), 'a+b'];
    const subjects = ids.map((id) => subjectFor(jobs, '1', id));
    for (const subject of subjects) await broker.publish(subject, sum(1));
    jobs.worker(HANDLERS);
    const letters = await waitFor('the dead letters', async () => {
      const found = await jobs.client.deadLetters.list();
      return found.length === ids.length && found;
    });
    for (const [index, letter] of letters.entries()) {
      expect(letter).toMatchObject({ queue: 'work', task: 'add', tenant: '1', reason: 'invalid_payload' });
      expect(letter.error).toContain(index === 3 ? 'x'.repeat(65) : 'InvalidSubject');
      expect(await jobs.client.deadLetters.get(letter.id)).toMatchObject({ payload: { a: 1, b: 2 } });
    }
    await waitFor('an empty queue', async () => {
      const [queue] = await jobs.client.queues();
      return queue?.normal === 0 && queue.running === 0 && queue.delayed === 0;
    });
  });
});

describe('the result responder', () => {
  test('gives a tenant its own records, final or current, and none of another tenant', async () => {
    const jobs = await openJobs();
    const { connection, topology, client } = jobs;
    const responder = createResultResponder({ connection, topology, client });
    responder.start();
    onTestFinished(() => responder.stop());
    const ask = async (tenant: string, id: string, question = ''): Promise<unknown> => {
      const reply = await connection.request(topology.names.awaitSubject(tenant, id), question, {
        timeout: 10_000,
      });
      return { code: reply.headers?.get('Nats-Service-Error-Code') ?? '', body: reply.json() };
    };
    await client.enqueue(add, { a: 1, b: 2, tenant_id: 7 }, { id: 'mine' });
    expect(await ask('7', 'mine', '{"wait":0}')).toMatchObject({ code: '', body: { state: 'PENDING' } });
    const waiting = ask('7', 'mine');
    const shortly = ask('7', 'mine', '{"wait":0.05}');
    expect(await shortly).toMatchObject({ body: { state: 'PENDING' } });
    jobs.worker(HANDLERS);
    expect(await waiting).toMatchObject({ code: '', body: { state: 'SUCCESS', result: { sum: 3 } } });
    expect(await ask('8', 'mine')).toMatchObject({ code: '404' });
    expect(await ask('7', 'never-seen')).toMatchObject({ code: '404' });
    expect(await ask('7', '>')).toMatchObject({ code: '400' });
    expect(await ask('7', 'mine', '{"wait":3600}')).toMatchObject({ code: '400' });
    await client.enqueue(flaky, { failures: 9 }, { id: 'failing', tenant: 7, maxRetries: 0 });
    expect(await ask('7', 'failing')).toMatchObject({ body: { state: 'FAILURE', error: { stack: null } } });
  });

  test('lets a tenant take no more than its share of the requests that wait', async () => {
    const jobs = await openJobs();
    const { connection, topology, client } = jobs;
    const responder = createResultResponder({ connection, topology, client, maxWaiting: 4 });
    responder.start();
    onTestFinished(() => responder.stop());
    const ask = async (tenant: number, question = ''): Promise<unknown> => {
      const subject = topology.names.awaitSubject(String(tenant), `of-${tenant}`);
      return (await connection.request(subject, question, { timeout: 10_000 })).json();
    };
    for (const tenant of [7, 8])
      await client.enqueue(add, { a: 1, b: 2, tenant_id: tenant }, { id: `of-${tenant}` });
    const first = ask(7);
    await ask(7, '{"wait":0}');
    expect(await ask(7)).toMatchObject({ state: 'PENDING' });
    const beside = ask(8);
    await ask(8, '{"wait":0}');
    jobs.worker(HANDLERS);
    expect(await first).toMatchObject({ state: 'SUCCESS' });
    expect(await beside).toMatchObject({ state: 'SUCCESS' });
  });

  test('answers waiting clients when it stops', async () => {
    const { connection, topology, client } = await openJobs();
    const responder = createResultResponder({ connection, topology, client });
    responder.start();
    await client.enqueue(add, { a: 1, b: 2, tenant_id: 7 }, { id: 'mine' });
    const waiting = connection.request(topology.names.awaitSubject('7', 'mine'), '', { timeout: 10_000 });
    // Asked behind it on the same connection, so both have been heard when this one is answered.
    await connection.request(topology.names.awaitSubject('7', 'mine'), '{"wait":0}', { timeout: 10_000 });
    await responder.stop();
    expect((await waiting).json()).toMatchObject({ state: 'PENDING' });
  });
});
