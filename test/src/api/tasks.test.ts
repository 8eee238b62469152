/** Tasks over HTTP. */
import { jetstream } from '@nats-io/jetstream';
import { handleTask } from '@stratum/jobs';
import { evaluateRules, generateForecast, TASKS, TENANT_TASKS } from '@stratum/shared';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { noRules, openApi, OTHER_TENANT, TENANT, type Api, type Reply } from './fixture.js';
import { followEvents } from './follow-events.js';

/** A worker whose task waits until it is let go, telling its progress first. */
function gatedWorker(api: Api): { letGo: () => void; runs: () => number } {
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let runs = 0;
  api.startWorker('rules', [
    handleTask(evaluateRules, async (_payload, context) => {
      runs++;
      context.progress(1, 2, 'half way');
      await gate;
      return noRules();
    }),
  ]);
  return { letGo, runs: () => runs };
}

describe('a task over HTTP', () => {
  test('is enqueued, shown and waited for', async () => {
    const api = await openApi();
    const { letGo } = gatedWorker(api);
    const accepted = await api.call('POST', '/v1/tasks/evaluate_rules', { body: { payload: {} } });
    expect(accepted).toMatchObject({ status: 202, body: { state: 'PENDING', duplicate: false } });
    const path = `/v1/tasks/${String(accepted.body['id'])}`;
    await waitFor('it to run', async () => (await api.call('GET', path)).body['state'] === 'STARTED');
    const early = await api.call('GET', `${path}/result?wait=0.05`);
    expect(early).toMatchObject({ status: 202, body: { state: 'STARTED' } });
    const waiting = api.call('GET', `${path}/result?wait=30`);
    letGo();
    expect(await waiting).toMatchObject({
      status: 200,
      body: { state: 'SUCCESS', tenant: String(TENANT), result: noRules(), error: null },
    });
  });

  test('can be delayed, and revoked', async () => {
    const api = await openApi();
    const { body } = await api.call('POST', '/v1/tasks/evaluate_rules', {
      body: { payload: {}, options: { delay_ms: 3_600_000, priority: 'high', max_retries: 1 } },
    });
    expect(body['state']).toBe('SCHEDULED');
    const path = `/v1/tasks/${String(body['id'])}`;
    expect(await api.call('GET', path)).toMatchObject({ body: { state: 'SCHEDULED', priority: 'high' } });
    expect(await api.call('DELETE', path)).toMatchObject({ status: 200, body: { outcome: 'revoked' } });
    expect(await api.call('GET', path)).toMatchObject({ body: { state: 'REVOKED' } });
    expect(await api.call('DELETE', path)).toMatchObject({ status: 200, body: { outcome: 'ended' } });
  });

  test('names the field that is wrong', async () => {
    const { call } = await openApi();
    const wrong = [
      [{ payload: { platform: 'myspace' } }, 'body.payload.platform'],
      [{ payload: { platform: 'meta' }, options: { delay_ms: -1 } }, 'body.options.delay_ms'],
      [
        { payload: { platform: 'meta' }, options: { delay_ms: 1, eta: '2030-01-01T00:00:00Z' } },
        'body.options.eta',
      ],
      [{}, 'body.payload'],
    ] as const;
    for (const [body, field] of wrong) {
      const reply = await call('POST', '/v1/tasks/sync_campaign_data', { body });
      expect(reply.headers.get('content-type')).toContain('application/problem+json');
      expect(reply).toMatchObject({
        status: 422,
        body: { status: 422, type: '/problems/invalid', errors: [expect.objectContaining({ field })] },
      });
    }
    expect(
      await call('POST', '/v1/tasks/sync_campaign_data', { body: { payload: {}, extra: 1 } }),
    ).toMatchObject({
      status: 422,
    });
    const notJson = { body: '{"payload":', headers: { 'content-type': 'application/json' } };
    expect(await call('POST', '/v1/tasks/sync_campaign_data', notJson)).toMatchObject({
      status: 400,
      body: { type: '/problems/bad-request' },
    });
    expect(await call('POST', '/v1/tasks/no_such_task', { body: { payload: {} } })).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('no_such_task') },
    });
    expect(await call('GET', '/v1/tasks/never-seen')).toMatchObject({ status: 404 });
  });

  test('that shares a unique key with another one returns that task again under an Idempotency-Key', async () => {
    const { call } = await openApi();
    const post = (key: string): Promise<Reply> =>
      call('POST', '/v1/tasks/evaluate_rules', {
        body: { payload: {}, options: { delay_ms: 3_600_000, unique_key: 'nightly' } },
        headers: { 'idempotency-key': key },
      });
    const { id } = (await post('first')).body;
    for (let time = 0; time < 2; time++)
      expect(await post('second')).toMatchObject({ status: 202, body: { id, duplicate: true } });
    expect((await call('GET', `/v1/tasks/${String(id)}`)).status).toBe(200);
  });

  test('is done once under an Idempotency-Key', async () => {
    const api = await openApi();
    const { letGo, runs } = gatedWorker(api);
    letGo();
    const headers = { 'idempotency-key': 'order 17' };
    const post = (body: unknown): Promise<Reply> =>
      api.call('POST', '/v1/tasks/evaluate_rules', { body, headers });
    const replies = await Promise.all(Array.from({ length: 5 }, () => post({ payload: {} })));
    const ids = new Set(replies.map(({ body }) => body['id']));
    expect(ids.size).toBe(1);
    const [id] = ids;
    await api.call('GET', `/v1/tasks/${String(id)}/result?wait=30`);
    expect(await post({ payload: {} })).toMatchObject({
      status: 202,
      body: { id, state: 'SUCCESS', duplicate: true },
    });
    expect(runs()).toBe(1);
    expect(await post({ payload: {}, options: { delay_ms: 5 } })).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ field: 'headers.idempotency-key' })] },
    });
    const other = await api.call('POST', '/v1/tasks/evaluate_rules', {
      body: { payload: {} },
      headers,
      key: api.keys.otherTenant,
    });
    expect(other.body['id']).not.toBe(id);
  });

  test.each(['no JSON', '{"of":"another version"}'])(
    'is done under an Idempotency-Key with the unreadable note %s, which counts as absent',
    async (note) => {
      const { call, connection, prefix } = await openApi();
      const post = (): Promise<Reply> =>
        call('POST', '/v1/tasks/evaluate_rules', {
          body: { payload: {} },
          headers: { 'idempotency-key': 'order 17' },
        });
      const first = await post();
      await jetstream(connection).publish(`$KV.${prefix}_api_idempotency.${String(first.body['id'])}`, note);
      for (let time = 0; time < 2; time++)
        expect(await post()).toMatchObject({ status: 202, body: { id: first.body['id'], duplicate: true } });
    },
  );

  test('with a unique key is refused while another one waits, of the same tenant', async () => {
    const { call, keys } = await openApi();
    const body = { payload: {}, options: { unique_key: 'nightly' } };
    const first = await call('POST', '/v1/tasks/evaluate_rules', { body });
    expect(await call('POST', '/v1/tasks/evaluate_rules', { body })).toMatchObject({
      body: { id: first.body['id'], duplicate: true },
    });
    const foreign = await call('POST', '/v1/tasks/evaluate_rules', { body, key: keys.otherTenant });
    expect(foreign.body).toMatchObject({ duplicate: false });
  });

  test('that is debounced is replaced by the next one of its key, of the same tenant', async () => {
    const { call, keys, client } = await openApi();
    const send = (maximum: number, key = keys.tenant, more: object = {}): Promise<Reply> =>
      call('POST', '/v1/tasks/evaluate_rules', {
        key,
        body: {
          payload: {},
          options: { priority: 'low', debounce: { key: 'account', quiet_ms: maximum }, ...more },
        },
      });
    const first = await send(3_600_000);
    expect(first).toMatchObject({ status: 202, body: { state: 'SCHEDULED', duplicate: false } });
    expect(await send(7_200_000)).toMatchObject({ body: { id: first.body['id'], duplicate: true } });
    expect((await send(3_600_000, keys.otherTenant)).body).toMatchObject({ duplicate: false });
    const queue = (await client.queues()).find((each) => each.queue === 'rules');
    expect(queue?.delayed).toBe(2);
    for (const [quiet, more, field] of [
      [999, {}, 'body.options.debounce.quiet_ms'],
      [1_000, { unique_key: 'x' }, 'uniqueKey'],
    ] as const)
      expect(await send(quiet, keys.tenant, more)).toMatchObject({
        status: 422,
        body: { detail: expect.stringContaining(field) },
      });
  });

  test('is followed until it ends, and picked up where a client left off', async () => {
    const api = await openApi();
    const { letGo } = gatedWorker(api);
    const { body } = await api.call('POST', '/v1/tasks/evaluate_rules', { body: { payload: {} } });
    const url = new URL(`/v1/tasks/${String(body['id'])}/events`, api.url);
    const first = followEvents(url, { key: api.keys.tenant });
    await waitFor('its progress', () =>
      first.events.some(({ data }) => JSON.stringify(data).includes('half way')),
    );
    first.stop();
    const last = first.events.at(-1);
    const second = followEvents(url, { key: api.keys.tenant, lastEventId: last?.id });
    await waitFor('the second to be open', () => second.isOpen());
    letGo();
    await second.ended;
    expect(second.events.map(({ data }) => data)).toEqual([expect.objectContaining({ state: 'SUCCESS' })]);
    const afterwards = followEvents(url, { key: api.keys.tenant });
    await afterwards.ended;
    expect(afterwards.events).toEqual(second.events);
  });
});

describe('the list of tasks', () => {
  test('has JSON Schemas: for a tenant those that it may enqueue, for the platform all', async () => {
    const { call, keys } = await openApi();
    const own = await call<{ items: { name: string; input: object }[] }>('GET', '/v1/tasks');
    expect(own.body.items.map(({ name }) => name)).toEqual(TENANT_TASKS.map(({ name }) => name));
    expect(own.body.items.find(({ name }) => name === generateForecast.name)?.input).toMatchObject({
      type: 'object',
      required: ['tenant_id'],
    });
    const all = await call<{ items: unknown[] }>('GET', '/v1/tasks', { key: keys.platform });
    expect(all.body.items).toHaveLength(TASKS.length);
  });

  test('of other tenants and of the platform are not a tenant’s to enqueue', async () => {
    const { call, keys } = await openApi();
    const foreign = { body: { payload: { tenant_id: OTHER_TENANT } } };
    expect(await call('POST', '/v1/tasks/evaluate_rules', foreign)).toMatchObject({
      status: 403,
      body: { errors: [expect.objectContaining({ field: 'body.payload.tenant_id' })] },
    });
    expect(await call('POST', '/v1/tasks/sync_all_campaigns', { body: { payload: {} } })).toMatchObject({
      status: 404,
    });
    const whole = { body: { payload: {} }, key: keys.platform };
    expect(await call('POST', '/v1/tasks/sync_all_campaigns', whole)).toMatchObject({ status: 202 });
    expect(await call('POST', '/v1/tasks/evaluate_rules', { ...foreign, key: keys.platform })).toMatchObject({
      status: 202,
    });
    expect(await call('POST', '/v1/tasks/evaluate_rules', whole)).toMatchObject({ status: 422 });
  });
});
