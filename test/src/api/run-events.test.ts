/** Events for runs with durable steps, over HTTP and by the command. */
import { defineTask, handleTask, type TaskHandler } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { openApi, OTHER_TENANT, TENANT, type Api } from './fixture.js';

const waits = defineTask({
  name: 'waits_for_approval',
  queue: 'default',
  input: z.object({ tenant_id: z.int() }),
  output: z.unknown(),
});

const handler: TaskHandler = handleTask(waits, (_, context) =>
  context.waitForEvent('approval', { key: 'ad-1', timeoutMs: 3_600_000 }),
);

/** A run of the tenant that waits. */
async function waitingRun(api: Api, tenant: number): Promise<string> {
  const { id } = await api.client.enqueue(waits, { tenant_id: tenant });
  await waitFor('the wait', async () => (await api.client.status(id))?.waits_for);
  return id;
}

test('a key wakes the runs of its own tenant, once for each id, and nobody else does', async () => {
  const api = await openApi();
  api.startWorker('default', [handler]);
  const [own, foreign] = [await waitingRun(api, TENANT), await waitingRun(api, OTHER_TENANT)];
  const event = { payload: { by: 'ann' }, key: 'ad-1', id: 'answer-1' };
  const refused = await api.call('POST', '/v1/run-events/approval', {
    body: { ...event, tenant_id: OTHER_TENANT },
  });
  expect(refused).toMatchObject({ status: 403, body: { errors: [{ field: 'body.tenant_id' }] } });
  const reader = await api.createKey(TENANT, ['tasks:read']);
  expect(await api.call('POST', '/v1/run-events/approval', { body: event, key: reader.text })).toMatchObject({
    status: 403,
  });
  const sent = await api.call('POST', '/v1/run-events/approval', { body: event });
  expect(sent).toMatchObject({ status: 202, body: { id: 'answer-1', duplicate: false, woken: 1 } });
  const again = await api.call('POST', '/v1/run-events/approval', { body: event });
  expect(again).toMatchObject({ status: 202, body: { duplicate: true, woken: 0 } });
  expect(await api.client.result(own)).toMatchObject({
    state: 'SUCCESS',
    result: { state: 'received', payload: { by: 'ann' }, id: 'answer-1' },
  });
  expect((await api.client.status(foreign))?.state).toBe('SCHEDULED');
});

test.each<[string, string, object, number]>([
  ['a payload that is too large', 'approval', { payload: 'x'.repeat(70_000) }, 413],
  ['a name that is no token', 'a%20b', {}, 400],
  ['a key that is too long', 'approval', { key: 'k'.repeat(1_001) }, 422],
  ['an unknown field', 'approval', { keys: 'ad-1' }, 422],
])('%s is refused', async (_, name, body, status) => {
  const { call } = await openApi();
  expect(await call('POST', `/v1/run-events/${name}`, { body })).toMatchObject({ status });
});

test('a tenant keeps no more events than its quota of waiting tasks', async () => {
  const api = await openApi();
  const set = await api.call('PUT', '/v1/usage/limits/waiting_tasks', {
    key: api.keys.platform,
    headers: { 'stratum-tenant': String(TENANT) },
    body: { limit: 1 },
  });
  expect(set.status).toBe(200);
  const send = (): ReturnType<Api['call']> => api.call('POST', '/v1/run-events/approval', { body: {} });
  expect(await send()).toMatchObject({ status: 202 });
  expect(await send()).toMatchObject({ status: 429, body: { quota: { name: 'waiting_tasks', limit: 1 } } });
});
