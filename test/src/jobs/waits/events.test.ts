/** Runs that wait for events: which event they get, how often, and what happens when somebody dies in between. */
import { createHash } from 'node:crypto';
import { createReaper, InvalidEventError, JobsError, type EventOutcome } from '@stratum/jobs';
import { runTask } from '@stratum/jobs/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pino } from 'pino';
import { openJobs } from '../fixture.js';
import { approval, handle, journey, waiting } from './fixture.js';

const HOUR_MS = 3_600_000;
const payloadOf = (outcome: EventOutcome<unknown>): unknown =>
  outcome.state === 'received' ? outcome.payload : outcome.state;

test('every run of the tenant that waits for an event goes on with it, and no other one does', async () => {
  const jobs = await openJobs();
  const worker = jobs.worker([
    handle(async (context) =>
      payloadOf(await context.waitForEvent(approval, { key: 'ad-1', timeoutMs: HOUR_MS })),
    ),
  ]);
  const enqueue = async (tenant_id: number) => (await jobs.client.enqueue(journey, { tenant_id })).id;
  const [first, second, stranger] = [await enqueue(1), await enqueue(1), await enqueue(2)];
  for (const id of [first, second, stranger])
    expect((await waiting(jobs, id)).waits_for).toMatchObject({
      kind: 'event',
      name: 'approval',
      id: null,
      others: 0,
    });
  expect(worker.runningCount).toBe(0);
  const wrong = await jobs.client.sendEvent(approval, { by: 'eve' }, { tenant: 1, key: 'ad-2' });
  expect(wrong).toMatchObject({ duplicate: false, woken: 0 });
  const sent = await jobs.client.sendEvent(approval, { by: 'ann' }, { tenant: 1, key: 'ad-1' });
  expect(sent).toMatchObject({ duplicate: false, woken: 2 });
  for (const id of [first, second])
    expect(await jobs.client.result(id)).toMatchObject({
      state: 'SUCCESS',
      result: { by: 'ann' },
      retries: 0,
      snoozes: 1,
    });
  expect((await jobs.client.status(stranger))?.state).toBe('SCHEDULED');
});

test('an event that was sent before the run waits is received, one from before the run is not', async () => {
  const jobs = await openJobs();
  await jobs.client.sendEvent(approval, { by: 'too early' });
  jobs.worker([
    handle(async (context) => {
      // As when the step itself asks for the approval, and the answer is there at once.
      await context.step('ask', () => jobs.client.sendEvent(approval, { by: 'ann' }, { id: 'a-1' }));
      return payloadOf(await context.waitForEvent(approval, { timeoutMs: HOUR_MS }));
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  const record = await jobs.client.result(id);
  expect(record).toMatchObject({ state: 'SUCCESS', result: { by: 'ann' } });
  expect(record.snoozes).toBeUndefined();
});

test('an event that is sent twice is received once, and a further wait takes the one after it', async () => {
  const jobs = await openJobs();
  jobs.worker([
    handle(async (context) => {
      const seen: unknown[] = [];
      for (let round = 0; round < 3; round++)
        seen.push(payloadOf(await context.waitForEvent('item', { key: 'k', timeoutMs: HOUR_MS })));
      return seen;
    }),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  await waiting(jobs, id);
  const send = (payload: unknown, own: string) =>
    jobs.client.sendEvent('item', payload, { key: 'k', id: own });
  await send(1, 'one');
  expect(await send(1, 'one')).toMatchObject({ id: 'one', duplicate: true });
  await send(2, 'two');
  await send(3, 'three');
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: [1, 2, 3] });
});

test('branches wait side by side, and the status names the one that is over first', async () => {
  const jobs = await openJobs();
  jobs.worker([
    handle(async (context) =>
      context.all([
        async () => payloadOf(await context.waitForEvent('late', { timeoutMs: HOUR_MS })),
        async () => payloadOf(await context.waitForEvent('soon', { timeoutMs: 1_500 })),
      ]),
    ),
  ]);
  const { id } = await jobs.client.enqueue(journey, {});
  const { waits_for: waitsFor } = await waiting(jobs, id);
  expect(waitsFor).toMatchObject({ name: 'soon', others: 1 });
  await jobs.client.sendEvent('late', 'came');
  expect(await jobs.client.result(id)).toMatchObject({ result: ['came', 'timed_out'] });
});

test('an event after the timeout is not received, although the run has not looked since', async () => {
  const jobs = await openJobs();
  const handler = handle(async (context) =>
    payloadOf(await context.waitForEvent(approval, { timeoutMs: 300 })),
  );
  const first = jobs.worker([handler]);
  const { id } = await jobs.client.enqueue(journey, {});
  const { waits_for: waitsFor } = await waiting(jobs, id);
  await first.stop();
  const late = Date.parse(waitsFor?.until ?? '') + 50;
  await expect.poll(() => Date.now()).toBeGreaterThan(late);
  await jobs.client.sendEvent(approval, { by: 'too late' });
  jobs.worker([handler]);
  expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 'timed_out' });
});

test('a run that waits survives its worker, can be revoked, and expires in time', async () => {
  const jobs = await openJobs();
  const handler = handle(async (context) =>
    payloadOf(await context.waitForEvent(approval, { timeoutMs: HOUR_MS })),
  );
  const first = jobs.worker([handler]);
  const [kept, revoked, expiring] = await Promise.all([
    jobs.client.enqueue(journey, {}),
    jobs.client.enqueue(journey, {}),
    jobs.client.enqueue(journey, {}, { expires: new Date(Date.now() + 2_000) }),
  ]);
  for (const { id } of [kept, revoked, expiring]) await waiting(jobs, id);
  await first.stop();
  expect(await jobs.client.revoke(revoked.id)).toBe('revoked');
  expect((await jobs.client.status(revoked.id))?.waits_for).toBeUndefined();
  jobs.worker([handler]);
  expect(await jobs.client.result(expiring.id)).toMatchObject({ state: 'EXPIRED' });
  await jobs.client.sendEvent(approval, { by: 'ann' });
  expect(await jobs.client.result(kept.id)).toMatchObject({ state: 'SUCCESS', result: { by: 'ann' } });
});

describe('an event whose sender died before it woke anybody', () => {
  test('is brought to its run by the reaper', async () => {
    const jobs = await openJobs();
    jobs.worker([
      handle(async (context) => payloadOf(await context.waitForEvent('raw', { timeoutMs: HOUR_MS }))),
    ]);
    const { id } = await jobs.client.enqueue(journey, {});
    await waiting(jobs, id);
    // What the sender stores first.
    const { names } = jobs.topology;
    const noKey = createHash('sha256').update('').digest('base64url');
    const key = names.eventKey({ tenant: undefined, name: 'raw', key: noKey }, 'e-1');
    await jobs.connection.request(key, JSON.stringify({ id: 'e-1', payload: 'found' }));
    expect((await jobs.client.status(id))?.state).toBe('SCHEDULED');
    const reaper = createReaper({
      connection: jobs.connection,
      topology: jobs.topology,
      logger: pino({ level: 'silent' }),
    });
    onTestFinished(() => reaper.stop());
    reaper.start();
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', result: 'found' });
  });
});

test.each<[string, () => Promise<unknown>, string]>([
  [
    'a payload that does not fit its contract',
    async () => {
      const { client } = await openJobs();
      // @ts-expect-error -- `by` is a text
      return client.sendEvent(approval, { by: 7 });
    },
    InvalidEventError.name,
  ],
  [
    'a payload that is too large',
    async () => (await openJobs()).client.sendEvent('big', 'x'.repeat(70_000)),
    'larger than the limit of 65536 bytes',
  ],
  [
    'a name that is no token',
    async () => (await openJobs()).client.sendEvent('a.b', 1),
    'The name of the event',
  ],
  [
    'a key that is too long',
    async () => (await openJobs()).client.sendEvent('a', 1, { key: 'k'.repeat(1_001) }),
    'at most 1000 characters',
  ],
  [
    'a time to keep it that is too short',
    async () => (await openJobs()).client.sendEvent('a', 1, { keepForMs: 10 }),
    'keepForMs',
  ],
])('%s is refused', async (_, send, message) => {
  const error = await send().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(JobsError);
  expect(String(error)).toContain(message);
});

test('events are erased with their tenant, and those that name a person by what they hold', async () => {
  const jobs = await openJobs();
  for (const tenant of [1, 2]) {
    await jobs.client.sendEvent(approval, { by: 'ann' }, { tenant });
    await jobs.client.sendEvent(approval, { by: 'bob' }, { tenant });
  }
  const matches = (body: Uint8Array): boolean => Buffer.from(body).includes('ann');
  expect(await jobs.client.erase({ tenant: '1', matches })).toMatchObject({ run_events: 1 });
  expect(await jobs.client.erase({ tenant: '1' })).toMatchObject({ run_events: 1 });
  expect(await jobs.client.erase({ tenant: '2' })).toMatchObject({ run_events: 2 });
});

test('without a broker, a run receives the events of its test in their order, and others time out', async () => {
  const run = await runTask(
    handle(async (context) => [
      payloadOf(await context.waitForEvent('item', { timeoutMs: HOUR_MS })),
      payloadOf(await context.waitForEvent('item', { timeoutMs: HOUR_MS })),
      payloadOf(await context.waitForEvent('item', { timeoutMs: HOUR_MS })),
    ]),
    {},
    {
      untilDone: true,
      events: [{ name: 'item', payload: 1 }, { name: 'other' }, { name: 'item', payload: 2 }],
    },
  );
  expect(run).toMatchObject({ outcome: 'succeeded', result: [1, 2, 'timed_out'] });
});
