/** Tenant, queue, task and id together are a task's identity: another task with the same id is another task. */
import { createWorkflowMaintenance, defineTask, handleTask, step } from '@stratum/jobs';
import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';

const note = defineTask({
  name: 'note',
  queue: 'work',
  input: z.object({ text: z.string(), tenant_id: z.int().optional() }),
  output: z.object({ noted: z.string() }),
});
const other = defineTask({ name: 'other', queue: 'work', input: note.input, output: note.output });

/** Texts in the order in which handlers had them. */
function noting(): { ran: string[]; handlers: ReturnType<typeof handleTask>[] } {
  const ran: string[] = [];
  const run = ({ text }: { text: string }): { noted: string } => {
    ran.push(text);
    return { noted: text };
  };
  return { ran, handlers: [handleTask(note, run), handleTask(other, run)] };
}

/** As any program of the account may publish. */
async function publish(
  { connection, topology }: Jobs,
  place: { tenant?: string; task?: string; id: string },
  text: string,
  given: Record<string, string> = {},
): Promise<void> {
  const { tenant, task = 'note', id } = place;
  const own = headers();
  for (const [name, value] of Object.entries(given)) own.set(name, value);
  const subject = topology.names.taskSubject({ queue: 'work', priority: 'normal', tenant, task, id });
  await jetstream(connection).publish(subject, JSON.stringify({ text }), { headers: own });
}

test('a task that has succeeded under the same id counts as done for that very task alone', async () => {
  const jobs = await openJobs();
  const { ran, handlers } = noting();
  jobs.worker(handlers);
  const id = 'beat-nightly-20261129T000000Z';
  const places = [
    { tenant: '2', id },
    { tenant: '1', id },
    { id },
    { tenant: '1', task: 'other', id },
    { tenant: '1', task: 'other', id },
  ];
  for (const [index, place] of places.entries()) {
    await publish(jobs, place, String(index));
    const isRepeated = index === 4;
    if (!isRepeated)
      await waitFor('its end', async () => {
        const record = await jobs.client.status(id, {
          tenant: place.tenant ?? null,
          task: place.task ?? 'note',
        });
        return record?.state === 'SUCCESS';
      });
  }
  await waitFor('the queue to be empty', async () => {
    const [queue] = await jobs.client.queues();
    return queue?.normal === 0 && queue.running === 0;
  });
  expect(ran).toEqual(['0', '1', '2', '3']);
  expect(await jobs.client.status(id, { tenant: '3' })).toBeUndefined();
});

test("a task that names another's step ends nothing and reads nothing of the workflow", async () => {
  const jobs = await openJobs();
  const { client, connection, topology } = jobs;
  const maintenance = createWorkflowMaintenance({ connection, topology, contracts: [note] });
  maintenance.start();
  onTestFinished(() => maintenance.stop());
  await client.control.pause('work');
  const chain = {
    chain: [step(note, { text: 'first', tenant_id: 1 }), step(note, { text: 'second', tenant_id: 1 })],
  };
  const { id } = await client.workflows.start(chain, { id: 'guessable' });
  const read: unknown[] = [];
  const handlers = [
    handleTask(note, async ({ text }, context) => {
      if (text === 'thief') read.push(await context.previous());
      return { noted: text };
    }),
  ];
  const foreign = { tenant: '2', id: `${id}-1` };
  await publish(jobs, foreign, 'forged', { 'Task-Workflow': `${id} 1` });
  await publish(jobs, { tenant: '2', id: `${id}-2` }, 'thief', { 'Task-Workflow': `${id} 2` });
  jobs.worker(handlers);
  await client.control.resume('work');
  const { state, result } = await client.workflows.result(id);
  expect({ state, result }).toEqual({ state: 'SUCCESS', result: { noted: 'second' } });
  const view = await client.workflows.get(id);
  expect(JSON.stringify(view)).not.toContain('forged');
  await waitFor('the other task', () => read.length > 0);
  expect(read).toEqual([undefined]);
});

test('a revocation means the task that was looked up', async () => {
  const jobs = await openJobs();
  const { ran, handlers } = noting();
  await publish(jobs, { tenant: '1', id: 'same' }, 'mine');
  await publish(jobs, { tenant: '2', id: 'same' }, 'theirs');
  expect(await jobs.client.revoke('same', { tenant: '3' })).toBe('unknown');
  expect(await jobs.client.revoke('same', { tenant: '2' })).toBe('revoked');
  jobs.worker(handlers);
  await waitFor('the other one', () => ran.length > 0);
  await waitFor(
    'its record',
    async () => (await jobs.client.status('same', { tenant: '1' }))?.state === 'SUCCESS',
  );
  expect(ran).toEqual(['mine']);
});

test("another task with the holder's id neither frees a unique key nor holds it", async () => {
  const jobs = await openJobs();
  const { client } = jobs;
  const { ran, handlers } = noting();
  await client.control.pause('work');
  const held = await client.enqueue(note, { text: 'held', tenant_id: 1 }, { id: 'holder', uniqueKey: 'k' });
  await client.control.resume('work');
  const worker = jobs.worker([handlers[1] ?? handlers[0]].filter((each) => each !== undefined));
  // It ends under the same id, as another task of another tenant.
  await publish(jobs, { tenant: '2', task: 'other', id: 'holder' }, 'ended');
  await waitFor('its run', () => ran.includes('ended'));
  // The end of what a worker has run is settled when it has stopped. A record of the end may give way to the holder's, which waits.
  await worker.stop();
  expect(await client.enqueue(note, { text: 'again', tenant_id: 1 }, { uniqueKey: 'k' })).toEqual({
    id: held.id,
    duplicate: true,
  });
});
