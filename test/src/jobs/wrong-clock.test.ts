/** Programs whose clock is an hour off, or is set while they work: what they ask for happens by the broker's time. */
import { readFile } from 'node:fs/promises';
import {
  createWorkflowMaintenance,
  defineTask,
  handleTask,
  openSchedules,
  step,
  type Schedules,
} from '@stratum/jobs';
import { headers } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { add, addHandler, openJobs, openOwnJobs, type Jobs } from './fixture.js';
import { openOutbox, transaction } from './outbox-fixture.js';
import { waitFor } from '../harness/index.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WRONG = [HOUR_MS, -HOUR_MS];

const RealDate = Date;

/** Of this process, until the test ends. The monotonic clock goes on as ever. */
function setClock(shiftMs: number): void {
  const shifted = class extends RealDate {
    constructor(...parts: [] | [number | string | Date]) {
      if (parts.length === 0) super(RealDate.now() + shiftMs);
      else super(parts[0]);
    }

    static override now(): number {
      return RealDate.now() + shiftMs;
    }
  };
  vi.stubGlobal('Date', shifted);
  onTestFinished(() => void vi.unstubAllGlobals());
}

const inReal = (ms: number): Date => new Date(RealDate.now() + ms);

async function publishLetter({ connection, topology }: Jobs, id: string, expires: Date): Promise<void> {
  const { names } = topology;
  const own = headers();
  own.set('Dead-Reason', 'max_retries');
  own.set(
    'Dead-Subject',
    names.taskSubject({ queue: 'work', priority: 'normal', tenant: undefined, task: 'add', id }),
  );
  own.set('Task-Expires', expires.toISOString());
  await jetstream(connection).publish(names.deadSubject('work', 'add', id), '{"a":1,"b":2}', {
    headers: own,
  });
}

function schedulesOf({ connection, topology }: Jobs): Schedules {
  const schedules = openSchedules({ connection, topology, contracts: [add] });
  onTestFinished(() => schedules.close());
  return schedules;
}

describe.each(WRONG)('a clock that is wrong by %i ms', (shiftMs) => {
  test('replays no dead letter whose expiry has passed, and each whose has not', async () => {
    const jobs = await openJobs();
    await publishLetter(jobs, 'late', inReal(-HOUR_MS / 2));
    await publishLetter(jobs, 'in-time', inReal(HOUR_MS / 2));
    setClock(shiftMs);
    const replayed: string[] = [];
    for await (const { id } of jobs.client.deadLetters.replayMany({})) replayed.push(id);
    expect(replayed).toEqual(['in-time']);
    expect(await jobs.client.deadLetters.get('late')).toBeDefined();
    jobs.worker([addHandler]);
    expect(await jobs.client.result('in-time')).toMatchObject({ state: 'SUCCESS' });
  });

  test('holds a task until its time', async () => {
    const jobs = await openJobs();
    setClock(shiftMs);
    await jobs.client.enqueue(add, { a: 1, b: 2 }, { id: 'later', eta: inReal(HOUR_MS / 2) });
    await jobs.client.enqueue(add, { a: 1, b: 2 }, { id: 'now', eta: inReal(-HOUR_MS / 2) });
    expect(await jobs.client.status('later')).toMatchObject({ state: 'SCHEDULED' });
    expect(await jobs.client.queues()).toMatchObject([{ normal: 1, delayed: 1 }]);
  });

  test('holds a retry until its time', async () => {
    const jobs = await openJobs();
    setClock(shiftMs);
    const again = defineTask({
      name: 'again',
      queue: 'work',
      input: z.object({}),
      output: z.null(),
      retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: HOUR_MS / 2 } },
    });
    jobs.worker([
      handleTask(again, () => {
        throw new Error('the first attempt fails');
      }),
    ]);
    const { id } = await jobs.client.enqueue(again, {});
    await waitFor('the retry to wait', async () => (await jobs.client.queues())[0]?.delayed === 1);
    expect(await jobs.client.status(id)).toMatchObject({ retries: 1 });
  });

  test('holds a task of a transaction until its time', async () => {
    const { outbox, database, relay, client, connection, topology } = await openOutbox();
    setClock(shiftMs);
    const { id } = await transaction(database, (own) =>
      outbox.enqueue(own, add, { a: 1, b: 2 }, { delayMs: HOUR_MS / 2 }),
    );
    relay();
    await waitFor('its publish', async () => (await client.status(id))?.state === 'SCHEDULED');
    const { names } = topology;
    const manager = await jetstreamManager(connection);
    const message = await manager.streams.getMessage(names.queueStream('work'), {
      last_by_subj: names.delayedSubject('work', id),
    });
    const notBefore = Number(message?.header.get('Task-Not-Before'));
    expect(Math.abs(notBefore - RealDate.now() - HOUR_MS / 2)).toBeLessThan(2 * MINUTE_MS);
  });

  test('removes no workflow before its time', async () => {
    const jobs = await openJobs({ workflowsExpireMs: HOUR_MS / 2 });
    const { client, connection, topology } = jobs;
    jobs.worker([addHandler]);
    const { id } = await client.workflows.start(step(add, { a: 1, b: 2 }));
    expect(await client.workflows.result(id)).toMatchObject({ state: 'SUCCESS' });
    setClock(shiftMs);
    const maintenance = createWorkflowMaintenance({ connection, topology, roundMs: 20 });
    maintenance.start();
    onTestFinished(() => maintenance.stop());
    const { prefix } = topology.names;
    // It starts what others have published after its first round.
    await jetstream(connection).publish(
      `${prefix}.workflows.start._.other`,
      '{"task":"add","payload":{"a":1,"b":2}}',
    );
    await client.workflows.result('other');
    expect(await client.workflows.get(id)).toMatchObject({ state: 'SUCCESS' });
  });

  test('begins a schedule entry now, and backfills what has passed alone', async () => {
    const jobs = await openJobs();
    const schedules = schedulesOf(jobs);
    setClock(shiftMs);
    const entry = { name: 'minutely', task: 'add', payload: { a: 1, b: 2 }, every_ms: MINUTE_MS };
    const isNow = (time: string | null | undefined): boolean =>
      Math.abs(Date.parse(time ?? '') - RealDate.now()) < 2 * MINUTE_MS;
    const added = await schedules.add(entry);
    expect(isNow(added.active_since)).toBe(true);
    expect(isNow(added.next)).toBe(true);
    expect(added.warnings.join()).not.toContain('future');
    expect(isNow((await schedules.pause('minutely')).paused?.at)).toBe(true);
    expect(isNow((await schedules.resume('minutely')).active_since)).toBe(true);
    expect(isNow((await schedules.upcoming('minutely', 1))[0]?.toISOString())).toBe(true);
    const ticks = await schedules.backfill('minutely', {
      from: inReal(-10 * MINUTE_MS),
      to: inReal(HOUR_MS),
    });
    expect(ticks).toHaveLength(10);
  });

  test('whose worker fails for an unreachable service spends no retry, when another worker tries again', async () => {
    const jobs = await openJobs();
    const visit = defineTask({
      name: 'visit',
      queue: 'work',
      input: z.object({}),
      output: z.null(),
      retry: { maxRetries: 0, unreachableForMs: HOUR_MS / 2 },
    });
    let attempts = 0;
    setClock(shiftMs);
    jobs.worker([
      handleTask(visit, () => {
        attempts++;
        if (attempts === 3) return null;
        // The next attempt is that of a machine with another clock.
        setClock(attempts === 1 ? 0 : shiftMs);
        throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      }),
    ]);
    const { id } = await jobs.client.enqueue(visit, {});
    expect(await jobs.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 0, snoozes: 2 });
  });
});

test('a clock that is set an hour ahead fails no publish that is under way', async () => {
  const jobs = await openOwnJobs();
  const { client, server } = jobs;
  await client.enqueue(add, { a: 1, b: 2 });
  process.kill(server.pid, 'SIGSTOP');
  const isStopped = async (): Promise<boolean> =>
    (await readFile(`/proc/${server.pid}/stat`, 'utf8')).includes(') T ');
  await waitFor('the server to stand still', isStopped);
  onTestFinished(() => void process.kill(server.pid, 'SIGCONT'));
  const enqueued = client.enqueue(add, { a: 1, b: 2 }, { id: 'under-way' });
  const settled = vi.fn<(outcome: unknown) => void>();
  enqueued.then(settled, settled);
  setClock(HOUR_MS);
  const begun = performance.now();
  await waitFor('two sweeps', () => performance.now() > begun + 600);
  expect(settled).not.toHaveBeenCalled();
  process.kill(server.pid, 'SIGCONT');
  expect(await enqueued).toEqual({ id: 'under-way', duplicate: false });
});
