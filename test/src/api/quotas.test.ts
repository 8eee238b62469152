/** Limits of tenants: whatever the entrance, more is refused with the limit and the use, and other tenants notice nothing. */
import { handleTask, TaskError } from '@stratum/jobs';
import { evaluateRules } from '@stratum/shared';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { runStratum } from '../cli/stratum.js';
import { openApi, OTHER_TENANT, TENANT, type Api, type Reply } from './fixture.js';

interface Refusal extends Record<string, unknown> {
  quota?: { name: string; limit: number; used: number };
}

const setLimit = async ({ call, keys }: Api, name: string, limit: number | null): Promise<void> => {
  const headers = { 'stratum-tenant': String(TENANT) };
  const reply = await call('PUT', `/v1/usage/limits/${name}`, {
    key: keys.platform,
    headers,
    body: { limit },
  });
  expect(reply.status).toBe(200);
};

const usedOf = async ({ call }: Api, name: string): Promise<number> => {
  const { body } = await call<{ limits: { name: string; used: number }[] }>('GET', '/v1/usage');
  return body.limits.find((each) => each.name === name)?.used ?? -1;
};

const KINDS: [name: string, path: string, body: (index: number) => object][] = [
  ['api_keys', '/v1/keys', (index) => ({ name: `key ${index}`, scopes: ['tasks:read'] })],
  ['sources', '/v1/sources', (index) => ({ name: `source ${index}` })],
  ['webhook_endpoints', '/v1/webhooks', (index) => ({ source: 'generic', name: `endpoint ${index}` })],
  [
    'subscriptions',
    '/v1/subscriptions',
    (index) => ({ url: `https://example.com/${index}`, event_types: ['sync.completed'] }),
  ],
  [
    'schedules',
    '/v1/schedules',
    (index) => ({ name: `entry-${index}`, task: 'evaluate_rules', cron: '0 3 * * *' }),
  ],
];

test.each(KINDS)(
  '%s: as many as the limit says, also when they are asked for at once',
  async (name, path, body) => {
    const api = await openApi();
    const { call, keys } = api;
    const before = await usedOf(api, name);
    const limit = before + 2;
    await setLimit(api, name, limit);
    const create = (index: number, key = keys.tenant): Promise<Reply<Refusal>> =>
      call<Refusal>('POST', path, { key, body: body(index) });
    const replies =
      name === 'schedules' ? [] : await Promise.all([1, 2, 3, 4, 5].map((index) => create(index)));
    // An entry is in a bucket, where two at the same time do not see each other.
    if (name === 'schedules') for (const index of [1, 2, 3]) replies.push(await create(index));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(2);
    for (const { status, body: problem } of replies) {
      if (status === 201) continue;
      expect({ status, quota: problem.quota }).toEqual({ status: 403, quota: { name, limit, used: limit } });
    }
    expect(await usedOf(api, name)).toBe(limit);
    expect((await create(6, keys.otherTenant)).status).toBe(201);
    await setLimit(api, name, null);
    expect((await create(7)).status).toBe(201);
  },
);

test('waiting tasks are bounded, delayed ones included, until some have gone', async () => {
  const api = await openApi();
  const { call, keys } = api;
  await setLimit(api, 'waiting_tasks', 4);
  const enqueue = (options: object = {}, key = keys.tenant): Promise<Reply<Refusal & { id: string }>> =>
    call<Refusal & { id: string }>('POST', '/v1/tasks/evaluate_rules', {
      key,
      body: { payload: {}, options },
    });
  const first = await enqueue();
  expect(first.status).toBe(202);
  expect((await enqueue({ delay_ms: 7_200_000 })).status).toBe(202);
  const burst = await Promise.all(Array.from({ length: 6 }, () => enqueue()));
  expect(burst.filter(({ status }) => status === 202)).toHaveLength(2);
  const refused = burst.find(({ status }) => status !== 202);
  expect(refused?.status).toBe(429);
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused?.body.quota).toEqual({ name: 'waiting_tasks', limit: 4, used: 4 });
  expect((await enqueue({}, keys.otherTenant)).status).toBe(202);
  const workflow = { group: [{ task: 'evaluate_rules', payload: {} }] };
  expect((await call('POST', '/v1/workflows', { body: workflow })).status).toBe(429);
  expect(await usedOf(api, 'waiting_tasks')).toBe(4);
  await call('DELETE', `/v1/tasks/${first.body.id}`);
  await waitFor('room', async () => (await enqueue()).status === 202);
});

test('tasks in a minute are bounded', async () => {
  const api = await openApi();
  const { call } = api;
  await setLimit(api, 'tasks_per_minute', 3);
  const enqueue = (): Promise<Reply<Refusal>> =>
    call<Refusal>('POST', '/v1/tasks/evaluate_rules', { body: { payload: {} } });
  const refused = await waitFor('a refusal', async () => {
    const reply = await enqueue();
    return reply.status === 429 && reply;
  });
  expect(refused.body.quota).toEqual({ name: 'tasks_per_minute', limit: 3, used: 3 });
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
});

test('a workflow of 4,000 steps is refused by the standard plan, and the operator can change that', async () => {
  const api = await openApi();
  const { call, natsUrl, prefix, database, keyText } = api;
  const steps = Array.from({ length: 4_000 }, () => ({ task: 'evaluate_rules', payload: {} }));
  const start = (count: number): Promise<Reply<Refusal>> =>
    call<Refusal>('POST', '/v1/workflows', { body: { chain: [{ group: steps.slice(0, count) }] } });
  const refused = await start(4_000);
  expect(refused.status).toBe(403);
  expect(refused.body.quota).toEqual({ name: 'workflow_steps', limit: 1_000, used: 0 });
  const env = {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
  };
  const set = await runStratum(['tenants', 'quota', '1', 'workflow_steps', '2', '--json'], env);
  expect(JSON.parse(set.stdout)).toMatchObject({
    tenant: 1,
    plan: 'standard',
    limits: expect.arrayContaining([{ name: 'workflow_steps', limit: 2, set_by: 'operator' }]) as unknown,
  });
  await call('GET', '/v1/usage');
  expect((await start(3)).body.quota).toEqual({ name: 'workflow_steps', limit: 2, used: 0 });
  expect((await start(2)).status).toBe(202);
  const wrong = await runStratum(['tenants', 'quota', '1', 'workflow_steps'], env);
  expect(wrong.stderr).toContain('Give a value');
});

test('only the operator sets limits, and every tenant sees its own', async () => {
  const api = await openApi();
  const { call, keys } = api;
  await setLimit(api, 'sources', 7);
  const own = await call('GET', '/v1/usage');
  expect(own.body).toMatchObject({
    plan: 'standard',
    limits: expect.arrayContaining([
      expect.objectContaining({ name: 'sources', limit: 7, used: 0, set_by: 'operator' }),
    ]) as unknown,
  });
  const other = await call('GET', '/v1/usage', { key: keys.otherTenant });
  expect(JSON.stringify(other.body)).not.toContain('operator');
  const body = { limit: 1_000_000 };
  expect((await call('PUT', '/v1/usage/limits/sources', { body })).status).toBe(403);
  const headers = { 'stratum-tenant': String(OTHER_TENANT + 1_000) };
  const nobody = await call('PUT', '/v1/usage/limits/sources', { key: keys.platform, headers, body });
  expect(nobody.status).toBe(404);
});

test('a bulk replay stops at the quota, and says what was replayed and what is left', async () => {
  const api = await openApi();
  const { call, client } = api;
  api.startWorker('rules', [
    handleTask(evaluateRules, () => {
      throw new TaskError('no', { retryable: false });
    }),
  ]);
  const ids = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const { id } = await client.enqueue(evaluateRules, { tenant_id: TENANT });
      await client.result(id);
      return id;
    }),
  );
  await waitFor('the dead letters', async () => (await client.deadLetters.list()).length === ids.length);
  await client.control.pause('rules');
  await setLimit(api, 'waiting_tasks', 3);
  interface Replayed extends Refusal {
    replayed: string[];
    next_cursor: string;
    stopped?: { quota: object; not_replayed: number; detail: string };
  }
  const replay = (cursor?: string): Promise<Reply<Replayed>> =>
    call<Replayed>('POST', '/v1/dead-letters/replay', { body: { filter: {}, cursor } });
  const quota = { name: 'waiting_tasks', limit: 3, used: 3 };
  const first = await replay();
  expect(first).toMatchObject({
    status: 202,
    body: {
      more: true,
      stopped: { quota, not_replayed: 2, detail: expect.stringContaining('waiting_tasks') },
    },
  });
  expect(first.body.replayed).toHaveLength(3);
  expect(await client.deadLetters.list()).toHaveLength(2);
  // With nothing replayed it is a problem.
  expect(await replay(first.body.next_cursor)).toMatchObject({ status: 429, body: { quota } });
  await setLimit(api, 'waiting_tasks', null);
  const rest = await replay(first.body.next_cursor);
  expect(rest.body).toMatchObject({ more: false });
  expect([...first.body.replayed, ...rest.body.replayed].toSorted()).toEqual(ids.toSorted());
});

test('a large group of a plan that allows it takes no more of the waiting tasks than its first portion', async () => {
  const api = await openApi();
  await setLimit(api, 'workflow_steps', 2_000);
  await setLimit(api, 'waiting_tasks', 700);
  const group = Array.from({ length: 1_000 }, () => ({ task: 'evaluate_rules', payload: {} }));
  const start = (body: object): Promise<Reply<Refusal>> =>
    api.call<Refusal>('POST', '/v1/workflows', { body });
  expect((await start({ group: [{ group }, { group }] })).status).toBe(429);
  expect((await start({ chain: [{ group }, { task: 'evaluate_rules', payload: {} }] })).status).toBe(202);
  expect(await usedOf(api, 'waiting_tasks')).toBe(500);
});
