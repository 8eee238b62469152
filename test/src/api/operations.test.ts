/** Queues, workers, schedules and dead letters over HTTP. */
import { jetstream } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { handleTask, TaskError } from '@stratum/jobs';
import { evaluateRules } from '@stratum/shared';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { noRules, openApi, OTHER_TENANT, TENANT, type Api } from './fixture.js';

async function enqueue(api: Api, key: string, count = 1): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const { body } = await api.call('POST', '/v1/tasks/evaluate_rules', { body: { payload: {} }, key });
    ids.push(String(body['id']));
  }
  return ids;
}

describe('queues', () => {
  test('are paused, shown, resumed and purged by the platform', async () => {
    const api = await openApi();
    const { call, keys } = api;
    const admin = { key: keys.platform };
    expect(await call('POST', '/v1/queues/rules/pause', admin)).toMatchObject({ body: { paused: true } });
    await enqueue(api, keys.tenant, 3);
    api.startWorker('rules', [handleTask(evaluateRules, () => Promise.reject(new Error('must not run')))]);
    await waitFor('the worker to be seen', async () => {
      const { body } = await call<{ consumers: unknown[] }>('GET', '/v1/queues/rules', admin);
      return body.consumers.length === 1;
    });
    expect(await call('GET', '/v1/queues/rules', admin)).toMatchObject({
      body: { queue: 'rules', waiting: { high: 0, normal: 3, low: 0 }, paused: true, delayed: 0, running: 0 },
    });
    expect(await call('GET', '/v1/workers', admin)).toMatchObject({
      body: { items: [{ queues: ['rules'], condition: 'ready' }] },
    });
    const purge = (confirm: string): ReturnType<typeof call> =>
      call('POST', '/v1/queues/rules/purge', { ...admin, body: { confirm } });
    expect(await purge('sync')).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ field: 'body.confirm' })] },
    });
    expect(await purge('rules')).toMatchObject({ status: 200, body: { purged: 3 } });
    expect(await call('POST', '/v1/queues/rules/resume', admin)).toMatchObject({ body: { paused: false } });
    const all = await call<{ items: unknown[] }>('GET', '/v1/queues', admin);
    expect(all.body.items).toHaveLength(6);
    expect(await call('GET', '/v1/queues/nope', admin)).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('rules') },
    });
  });

  test('show a tenant its own waiting tasks, and no controls', async () => {
    const api = await openApi();
    const { call, keys } = api;
    await enqueue(api, keys.tenant, 2);
    await enqueue(api, keys.otherTenant, 5);
    expect(await call('GET', '/v1/queues/rules')).toMatchObject({
      body: { waiting: { high: 0, normal: 2, low: 0 }, delayed: null, running: null, consumers: null },
    });
    for (const path of ['/v1/queues/rules/pause', '/v1/queues/rules/resume', '/v1/queues/rules/purge'])
      expect(await call('POST', path, { body: { confirm: 'rules' } })).toMatchObject({ status: 403 });
    expect(await call('GET', '/v1/workers')).toMatchObject({ status: 403 });
  });
});

describe('schedules', () => {
  test.each(['not JSON', '{"every_ms":9007199254740991}', 'huge'])(
    'an entry that another program wrote (%s) hides no other, and its owner can remove it',
    async (text) => {
      const { call, connection, topology } = await openApi();
      await call('POST', '/v1/schedules', { body: entry });
      const prefix = topology.names.scheduleKey(`entry.t${TENANT}-`);
      const good = await connection.request(
        `$JS.API.DIRECT.GET.${topology.names.scheduleStream}`,
        JSON.stringify({ last_by_subj: `${prefix}nightly` }),
      );
      const { cron: _cron, ...rest } = good.json<Record<string, unknown>>();
      const huge = { ...rest, every_ms: Number.MAX_SAFE_INTEGER, name: `t${TENANT}-bad` };
      await jetstream(connection).publish(`${prefix}bad`, text === 'huge' ? JSON.stringify(huge) : text);
      const listed = await call<{ items: { name: string; warnings: string[] }[] }>('GET', '/v1/schedules');
      expect(listed.body.items.map(({ name }) => name)).toEqual(['bad', 'nightly']);
      expect(listed.body.items[0]?.warnings).not.toEqual([]);
      expect(await call('GET', '/v1/schedules/bad')).toMatchObject({ status: 200, body: { upcoming: [] } });
      expect(await call('DELETE', '/v1/schedules/bad')).toMatchObject({ status: 204 });
      expect(await call('GET', '/v1/schedules/bad')).toMatchObject({ status: 404 });
    },
  );

  const entry = { name: 'nightly', task: 'evaluate_rules', cron: '30 2 * * *', time_zone: 'Europe/Berlin' };

  test('are added, shown, changed, paused, run and removed', async () => {
    const { call, client } = await openApi();
    const added = await call('POST', '/v1/schedules', { body: entry });
    expect(added).toMatchObject({
      status: 201,
      body: {
        ...entry,
        payload: { tenant_id: TENANT },
        tenant: String(TENANT),
        enabled: true,
        source: 'runtime',
      },
    });
    expect(await call('POST', '/v1/schedules', { body: entry })).toMatchObject({ status: 422 });
    const shown = await call<{ upcoming: string[] }>('GET', '/v1/schedules/nightly');
    expect(shown.body.upcoming).toHaveLength(10);
    const changed = await call('PATCH', '/v1/schedules/nightly', {
      body: { cron: '0 4 * * *', time_zone: null, enabled: false, pause_reason: 'holiday' },
    });
    expect(changed).toMatchObject({
      status: 200,
      body: {
        cron: '0 4 * * *',
        time_zone: 'UTC',
        enabled: false,
        paused: { reason: 'holiday' },
        next: null,
      },
    });
    expect(await call('PATCH', '/v1/schedules/nightly', { body: { enabled: true } })).toMatchObject({
      body: { enabled: true, next: expect.stringContaining('T04:00:00') },
    });
    const run = await call('POST', '/v1/schedules/nightly/run');
    expect(run.status).toBe(202);
    expect(await client.status(String(run.body['id']))).toMatchObject({
      task: 'evaluate_rules',
      tenant: String(TENANT),
    });
    expect(await call('DELETE', '/v1/schedules/nightly')).toMatchObject({ status: 204 });
    expect(await call('GET', '/v1/schedules/nightly')).toMatchObject({ status: 404 });
  });

  test('of the same name belong to each tenant alone; the platform sees all', async () => {
    const { call, keys } = await openApi();
    await call('POST', '/v1/schedules', { body: entry });
    expect(await call('GET', '/v1/schedules/nightly', { key: keys.otherTenant })).toMatchObject({
      status: 404,
    });
    const theirs = { key: keys.otherTenant, body: { ...entry, cron: '0 5 * * *' } };
    expect(await call('POST', '/v1/schedules', theirs)).toMatchObject({ status: 201 });
    const own = await call<{ items: unknown[] }>('GET', '/v1/schedules');
    expect(own.body.items).toEqual([expect.objectContaining({ name: 'nightly', cron: '30 2 * * *' })]);
    const all = await call<{ items: { name: string }[] }>('GET', '/v1/schedules', { key: keys.platform });
    expect(all.body.items.map(({ name }) => name)).toEqual([
      `t${TENANT}-nightly`,
      `t${OTHER_TENANT}-nightly`,
    ]);
  });

  test('report the problem of an entry', async () => {
    const { call } = await openApi();
    const wrong = [
      [{ ...entry, cron: 'often' }, /cron/],
      [{ ...entry, every_ms: 5_000 }, /cron or every_ms/],
      [{ ...entry, time_zone: 'Mars/Olympus' }, /time_zone|time zone/i],
      [{ ...entry, task: 'sync_all_campaigns' }, /sync_all_campaigns/],
      [{ ...entry, task: 'sync_campaign_data' }, /platform/],
      [{ ...entry, name: 'a b' }, /name/],
      [{ ...entry, name: 'x'.repeat(42) }, /39 characters/],
    ] as const;
    for (const [body, detail] of wrong) {
      expect(await call('POST', '/v1/schedules', { body }), JSON.stringify(body)).toMatchObject({
        status: 422,
        body: { detail: expect.stringMatching(detail) },
      });
    }
  });

  test('come in pages', async () => {
    const { call } = await openApi();
    for (const name of ['c', 'a', 'e', 'b', 'd'])
      await call('POST', '/v1/schedules', { body: { ...entry, name } });
    const names: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await call<{ items: { name: string }[]; next_cursor: string | null }>(
        'GET',
        `/v1/schedules?limit=2${query}`,
      );
      names.push(...page.body.items.map(({ name }) => name));
      cursor = page.body.next_cursor;
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await call('GET', '/v1/schedules?limit=201')).toMatchObject({
      status: 400,
      body: { errors: [expect.objectContaining({ field: 'query.limit' })] },
    });
    expect(await call('GET', '/v1/schedules?cursor=nonsense')).toMatchObject({ status: 400 });
  });
});

describe('dead letters', () => {
  async function withDeadLetters(): Promise<{
    api: Api;
    own: string[];
    foreign: string[];
    mend: () => void;
  }> {
    const api = await openApi();
    let isBroken = true;
    api.startWorker('rules', [
      handleTask(evaluateRules, async ({ tenant_id: tenantId }) => {
        if (isBroken) throw new TaskError('broken on purpose', { retryable: false });
        return noRules(tenantId);
      }),
    ]);
    const own = await enqueue(api, api.keys.tenant, 3);
    const foreign = await enqueue(api, api.keys.otherTenant, 1);
    for (const id of [...own, ...foreign])
      await waitFor('its dead letter', async () => (await api.client.deadLetters.get(id)) !== undefined);
    return { api, own, foreign, mend: () => (isBroken = false) };
  }

  test('are listed in pages, shown, replayed and discarded', async () => {
    const { api, own, foreign, mend } = await withDeadLetters();
    const { call } = api;
    const first = await call<{ items: { id: string }[]; next_cursor: string }>(
      'GET',
      '/v1/dead-letters?limit=2',
    );
    const second = await call<{ items: { id: string }[]; next_cursor: string | null }>(
      'GET',
      `/v1/dead-letters?limit=2&cursor=${first.body.next_cursor}`,
    );
    const listed = [...first.body.items, ...second.body.items].map(({ id }) => id);
    expect(listed.toSorted()).toEqual(own.toSorted());
    expect(second.body.next_cursor).toBeNull();
    const [one = '', two = '', three = ''] = own;
    expect(await call('GET', `/v1/dead-letters/${one}`)).toMatchObject({
      body: {
        task: 'evaluate_rules',
        reason: 'not_retryable',
        error: expect.stringContaining('broken on purpose'),
      },
    });
    expect(await call('GET', '/v1/dead-letters?reason=time_limit')).toMatchObject({ body: { items: [] } });
    mend();
    const bad = await call('POST', `/v1/dead-letters/${one}/replay`, {
      body: { payload: { tenant_id: 'x' } },
    });
    expect(bad.status).toBe(403);
    expect(await call('POST', `/v1/dead-letters/${one}/replay`)).toMatchObject({
      status: 202,
      body: { id: one },
    });
    expect(await call('GET', `/v1/tasks/${one}/result?wait=30`)).toMatchObject({
      body: { state: 'SUCCESS' },
    });
    expect(await call('DELETE', `/v1/dead-letters/${two}`)).toMatchObject({ status: 204 });
    expect(await call('DELETE', `/v1/dead-letters/${two}`)).toMatchObject({ status: 404 });
    const many = await call('POST', '/v1/dead-letters/replay', {
      body: { filter: { task: 'evaluate_rules' } },
    });
    expect(many).toMatchObject({ status: 202, body: { replayed: [three], more: false } });
    expect(await api.client.deadLetters.get(foreign[0] ?? '')).toBeDefined();
  });

  test('whose time has passed are replayed once it is renewed; conflicts do not stop the others', async () => {
    const { api, own, mend } = await withDeadLetters();
    const { call } = api;
    const [id = ''] = own;
    const { names } = api.topology;
    const letter = await api.connection.request(
      `$JS.API.DIRECT.GET.${names.deadStream}`,
      JSON.stringify({ last_by_subj: names.deadById(id) }),
    );
    const expired = headers();
    for (const name of ['Dead-Reason', 'Dead-Error', 'Dead-At', 'Dead-Attempts', 'Dead-Subject'])
      expired.set(name, letter.headers?.get(name) ?? '');
    expired.set('Task-Expires', '2026-01-01T00:00:00Z');
    const subject = letter.headers?.get('Nats-Subject') ?? '';
    await api.client.deadLetters.discard(id);
    await jetstream(api.connection).publish(subject, letter.data, { headers: expired });
    mend();
    expect(await call('POST', `/v1/dead-letters/${id}/replay`)).toMatchObject({
      status: 409,
      body: { type: '/problems/conflict', detail: expect.stringContaining('Give a later time') },
    });
    expect(await call('POST', '/v1/dead-letters/replay', { body: { filter: {} } })).toMatchObject({
      status: 202,
      body: {
        replayed: own.slice(1),
        conflicts: [{ id, code: 'dead_letter_expired' }],
        more: false,
        next_cursor: null,
      },
    });
    expect(
      await call('POST', `/v1/dead-letters/${id}/replay`, { body: { expires: '2026-01-01' } }),
    ).toMatchObject({ status: 422 });
    expect(await call('POST', `/v1/dead-letters/${id}/replay`, { body: { expires: 'never' } })).toMatchObject(
      { status: 202 },
    );
    expect(await call('GET', `/v1/tasks/${id}/result?wait=30`)).toMatchObject({ body: { state: 'SUCCESS' } });
  });

  test('of another tenant do not exist for it', async () => {
    const { api, foreign } = await withDeadLetters();
    const [id = ''] = foreign;
    expect(await api.call('GET', `/v1/dead-letters/${id}`)).toMatchObject({ status: 404 });
    expect(await api.call('POST', `/v1/dead-letters/${id}/replay`)).toMatchObject({ status: 404 });
    expect(await api.call('DELETE', `/v1/dead-letters/${id}`)).toMatchObject({ status: 404 });
  });
});

describe('operations over many tasks', () => {
  test('take what a search finds, by keys of the platform that may', async () => {
    const api = await openApi();
    const { call, keys } = api;
    const admin = { key: keys.platform };
    expect(await call('POST', '/v1/queues/rules/pause', admin)).toMatchObject({ status: 200 });
    await enqueue(api, keys.tenant, 3);
    await enqueue(api, keys.otherTenant, 2);
    const body = { verb: 'cancel', query: `task:evaluate_rules tenant:${TENANT}` };
    expect(await call('POST', '/v1/operations', { body })).toMatchObject({ status: 403 });
    const found = await call<{ id: string }>('POST', '/v1/operations', { ...admin, body });
    expect(found).toMatchObject({
      status: 201,
      body: { state: 'draft', counted: 3, by: { tenant: [{ name: String(TENANT), n: 3 }] } },
    });
    const path = `/v1/operations/${found.body.id}`;
    expect(await call('POST', `${path}/start`, { ...admin, body: { rate: 500 } })).toMatchObject({
      body: { state: 'running', rate: 500 },
    });
    await api.query('UPDATE operation SET begins_at = now()');
    await waitFor(
      'its end',
      async () => (await call<{ state: string }>('GET', path, admin)).body.state === 'ended',
    );
    expect(await call('GET', path, admin)).toMatchObject({ body: { done: 3, kept: 0, gone: 0 } });
    expect(await call('GET', '/v1/queues/rules', admin)).toMatchObject({ body: { waiting: { normal: 2 } } });
    expect(await call('POST', `${path}/undo`, admin)).toMatchObject({ status: 409 });
    expect(await call('GET', '/v1/operations', admin)).toMatchObject({
      body: { items: [{ id: found.body.id }] },
    });
  });
});
