/** Who may use the API, and for what. */
import { describe, expect, test } from 'vitest';
import { TENANT_SCOPES } from '@stratum/shared/api-keys';
import { auditNames } from '@stratum/shared';
import { jetstreamManager } from '@nats-io/jetstream';
import { openApi, OTHER_TENANT, TENANT, type Api } from './fixture.js';

const PROBE = '/v1/tasks';

async function auditSubjects(api: Api): Promise<Record<string, number>> {
  const manager = await jetstreamManager(api.connection);
  const { stream, filter } = auditNames(api.prefix);
  return (await manager.streams.info(stream, { subjects_filter: filter })).state.subjects ?? {};
}

describe('a request', () => {
  test('without a key, or with one that is not right, is refused alike', async () => {
    const { call, createKey } = await openApi();
    const known = await createKey(TENANT);
    const wrong = [
      null,
      'nonsense',
      `sk_${'a'.repeat(16)}_${'b'.repeat(43)}`,
      `sk_${known.id}_${'b'.repeat(43)}`,
      `${known.text}x`,
    ];
    for (const key of wrong) {
      const reply = await call('GET', PROBE, { key });
      expect(reply, String(key)).toMatchObject({ status: 401, body: { type: '/problems/unauthenticated' } });
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(await call('GET', PROBE, { key: known.text })).toMatchObject({ status: 200 });
  });

  test('may do only what its key’s scopes allow', async () => {
    const { call, createKey } = await openApi();
    const { text: key } = await createKey(TENANT, ['tasks:read']);
    expect(await call('GET', PROBE, { key })).toMatchObject({ status: 200 });
    expect(await call('POST', '/v1/tasks/evaluate_rules', { key, body: { payload: {} } })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('tasks:write') },
    });
  });

  test('cannot name another tenant', async () => {
    const { call, keys } = await openApi();
    expect(await call('GET', '/v1/keys', { headers: { 'stratum-tenant': '2' } })).toMatchObject({
      status: 403,
    });
    const asPlatform = { key: keys.platform, headers: { 'stratum-tenant': '2' } };
    expect(await call('GET', '/v1/keys', asPlatform)).toMatchObject({
      status: 200,
      body: { items: [expect.objectContaining({ tenant_id: 2 })] },
    });
  });

  test('that exceeds its rate gets Retry-After', async () => {
    const { call, keys } = await openApi({ API_RATE_LIMIT: '5' });
    const replies = await Promise.all(Array.from({ length: 20 }, () => call('GET', PROBE)));
    const refused = replies.find(({ status }) => status === 429);
    expect(refused).toMatchObject({ body: { type: '/problems/rate-limited' } });
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await call('GET', PROBE, { key: keys.otherTenant })).toMatchObject({ status: 200 });
  });
});

describe('keys', () => {
  test('are created, listed, rotated and revoked; only hashes are stored; every change is audited', async () => {
    const api = await openApi();
    const { call, query } = api;
    const made = await call('POST', '/v1/keys', {
      body: { name: 'ci', scopes: ['tasks:read', 'keys:admin'] },
    });
    expect(made).toMatchObject({ status: 201, body: { name: 'ci', tenant_id: TENANT } });
    const [id, first] = [String(made.body['id']), String(made.body['key'])];
    expect(await call('GET', PROBE, { key: first })).toMatchObject({ status: 200 });
    const rotated = await call('POST', `/v1/keys/${id}/rotate`);
    const second = String(rotated.body['key']);
    expect(second).not.toBe(first);
    for (const key of [first, second])
      expect(await call('GET', PROBE, { key })).toMatchObject({ status: 200 });
    await query('UPDATE api_key SET previous_until = now() WHERE id = $1', [id]);
    expect(await call('GET', PROBE, { key: first })).toMatchObject({ status: 401 });
    expect(await call('DELETE', `/v1/keys/${id}`)).toMatchObject({ status: 204 });
    expect(await call('GET', PROBE, { key: second })).toMatchObject({ status: 401 });
    expect(await call('DELETE', `/v1/keys/${id}`)).toMatchObject({ status: 404 });
    expect(await call('POST', `/v1/keys/${id}/rotate`)).toMatchObject({ status: 404 });
    const list = await call<{ items: { id: string; revoked_at: string | null }[] }>('GET', '/v1/keys');
    expect(list.body.items.find((key) => key.id === id)?.revoked_at).not.toBeNull();
    const stored = JSON.stringify(await query('SELECT api_key::text FROM api_key'));
    // The secret follows `sk_<id>_`, and may itself contain an underscore.
    for (const text of [first, second]) expect(stored).not.toContain(text.slice(`sk_${id}_`.length));
    expect(await auditSubjects(api)).toEqual({ [auditNames(api.prefix).subject(TENANT)]: 3 });
  });

  test('cannot grant scopes that they lack', async () => {
    const { call, createKey } = await openApi();
    const { text: key } = await createKey(TENANT, ['keys:admin', 'tasks:read']);
    const body = { name: 'more', scopes: ['tasks:write'] };
    expect(await call('POST', '/v1/keys', { key, body })).toMatchObject({ status: 403 });
    expect(TENANT_SCOPES).not.toContain('queues:admin');
    const platformScope = { name: 'more', scopes: ['queues:admin'] };
    expect(await call('POST', '/v1/keys', { body: platformScope })).toMatchObject({ status: 403 });
  });

  test('cannot rotate a key that may do more, or for longer, than they', async () => {
    const { call, createKey, keys, query } = await openApi();
    const strong = await createKey(TENANT);
    const { id, text: key } = await createKey(TENANT, ['keys:admin']);
    const equal = await createKey(TENANT, ['keys:admin']);
    expect(await call('POST', `/v1/keys/${strong.id}/rotate`, { key })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('tasks:write') },
    });
    expect(await call('GET', PROBE, { key: strong.text })).toMatchObject({ status: 200 });
    expect(await call('POST', `/v1/keys/${equal.id}/rotate`, { key })).toMatchObject({ status: 200 });
    const end = new Date(Date.now() + 3_600_000);
    await query('UPDATE api_key SET expires_at = $2 WHERE id = $1', [id, end]);
    const make = (expiresAt?: Date) =>
      call('POST', '/v1/keys', {
        key,
        body: { name: 'next', scopes: ['keys:admin'], ...(expiresAt && { expires_at: expiresAt }) },
      });
    expect(await call('POST', `/v1/keys/${equal.id}/rotate`, { key })).toMatchObject({ status: 403 });
    expect(await make()).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining(end.toISOString()) },
    });
    expect(await make(new Date(end.getTime() + 1_000))).toMatchObject({ status: 403 });
    expect(await make(end)).toMatchObject({ status: 201 });
    // Its own secret is no gain, and ends when it did.
    expect(await call('POST', `/v1/keys/${id}/rotate`, { key })).toMatchObject({
      status: 200,
      body: { expires_at: end.toISOString() },
    });
    const tenants = { headers: { 'stratum-tenant': String(TENANT) } };
    expect(
      await call('POST', `/v1/keys/${strong.id}/rotate`, { key: keys.platform, ...tenants }),
    ).toMatchObject({ status: 200 });
  });

  test('of others can be neither rotated nor revoked, and one that has ended stays so', async () => {
    const { call, createKey, keys, query } = await openApi();
    const [foreign, whole, ended] = await Promise.all([
      createKey(OTHER_TENANT, ['tasks:read']),
      createKey(undefined, ['tasks:read']),
      createKey(TENANT, ['tasks:read']),
    ]);
    const asOther = { headers: { 'stratum-tenant': String(OTHER_TENANT) } };
    for (const { id, text } of [foreign, whole])
      for (const [method, path] of [
        ['POST', `/v1/keys/${id}/rotate`],
        ['DELETE', `/v1/keys/${id}`],
      ] as const) {
        expect(await call(method, path), path).toMatchObject({ status: 404 });
        expect(await call(method, path, asOther), path).toMatchObject({ status: 403 });
        expect(await call('GET', PROBE, { key: text })).toMatchObject({ status: 200 });
      }
    // Not even the platform's own, for a tenant that does not have it.
    const platform = { key: keys.platform, headers: { 'stratum-tenant': String(TENANT) } };
    expect(await call('POST', `/v1/keys/${foreign.id}/rotate`, platform)).toMatchObject({ status: 404 });
    await query(`UPDATE api_key SET expires_at = now() WHERE id = $1`, [ended.id]);
    const rotated = await call('POST', `/v1/keys/${ended.id}/rotate`);
    for (const key of [ended.text, String(rotated.body['key'])])
      expect(await call('GET', PROBE, { key })).toMatchObject({ status: 401 });
  });

  test.each([
    [[]],
    [['*']],
    [['tasks:*']],
    [['keys:admin ']],
    [['KEYS:ADMIN']],
    [['constructor']],
    ['keys:admin'],
    [[null]],
  ])('are not made with the scopes %j', async (scopes) => {
    const { call } = await openApi();
    expect(await call('POST', '/v1/keys', { body: { name: 'x', scopes } })).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ field: expect.stringMatching(/^body\.scopes/) })] },
    });
  });

  test('have names without control characters', async () => {
    const { call } = await openApi();
    for (const name of [
      '\u001b[2J',
      'a\u0000b',
      'a\ud800',
      'a\nb',
      'a\u009b31m',
      '\u202egnp.exe',
      'pay\u200bpal',
      'a\ufeffb',
    ])
      expect(await call('POST', '/v1/keys', { body: { name, scopes: ['tasks:read'] } }), name).toMatchObject({
        status: 422,
        body: { errors: [expect.objectContaining({ field: 'body.name' })] },
      });
  });

  test('of a tenant that the platform makes have no rights of the platform', async () => {
    const { call, keys } = await openApi();
    const request = {
      key: keys.platform,
      headers: { 'stratum-tenant': String(TENANT) },
      body: { name: 'x', scopes: ['queues:admin'] },
    };
    expect(await call('POST', '/v1/keys', request)).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ field: 'body.scopes' })] },
    });
  });

  test('expire', async () => {
    const { call, query } = await openApi();
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const body = { name: 'short', scopes: ['tasks:read'], expires_at: expiresAt };
    const made = await call('POST', '/v1/keys', { body });
    const key = String(made.body['key']);
    expect(await call('GET', PROBE, { key })).toMatchObject({ status: 200 });
    await query(`UPDATE api_key SET expires_at = now() WHERE id = $1`, [made.body['id']]);
    expect(await call('GET', PROBE, { key })).toMatchObject({ status: 401 });
  });

  test('of a deleted tenant do not work', async () => {
    const { call, query } = await openApi();
    await query('UPDATE tenant SET deleted_at = now() WHERE id = $1', [TENANT]);
    expect(await call('GET', PROBE)).toMatchObject({ status: 401 });
  });
});
