/** A tenant that was deleted, by whatever means, finds every door closed within a second or so, and open again once it is restored. */
import { createHmac } from 'node:crypto';
import { parseKeyRing, syncCampaignData, withTenant } from '@stratum/shared';
import { createSource } from '@stratum/shared/customer-events';
import { createWebhookEndpoint } from '@stratum/shared/webhooks';
import { expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

test('keys, events, webhooks, tasks and the outbox of a deleted tenant have no effect', async () => {
  const api = await openApi();
  const { call, client, database, keys, prefix, natsUrl, query, keyText } = api;
  const { writeKey } = await withTenant(database.owner, OTHER_TENANT, (db) =>
    createSource(db, { name: 'Shop' }),
  );
  const { endpoint, secret } = await withTenant(database.owner, OTHER_TENANT, (db) =>
    createWebhookEndpoint(db, parseKeyRing(keyText), {
      tenantId: OTHER_TENANT,
      source: 'generic',
      name: 'Any',
    }),
  );
  await spawnProgram('services/sync-worker/dist/main.js', {
    NATS_URL: natsUrl,
    STRATUM_PREFIX: prefix,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
  }).ready();
  const track = (): Promise<number> =>
    call('POST', '/v1/track', {
      key: null,
      headers: { authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}` },
      body: { userId: 'u', event: 'Seen' },
    }).then(({ status }) => status);
  const body = '{"id":"1"}';
  const signature = createHmac('sha256', secret ?? '')
    .update(body)
    .digest('hex');
  const hook = (): Promise<number> =>
    call('POST', `/webhooks/generic/${endpoint.token}`, {
      key: null,
      headers: { 'x-signature': signature },
      body,
    }).then(({ status }) => status);
  const read = (key: string): Promise<number> =>
    call('GET', '/v1/queues', { key }).then(({ status }) => status);
  const forOther = (): Promise<number> =>
    call('GET', '/v1/sources', {
      key: keys.platform,
      headers: { 'stratum-tenant': String(OTHER_TENANT) },
    }).then(({ status }) => status);
  const sync = async (tenantId: number): Promise<string> => {
    const { id } = await client.enqueue(
      syncCampaignData,
      { tenant_id: tenantId, platform: 'google' },
      { maxRetries: 0 },
    );
    return (await client.result(id)).state;
  };
  expect([await track(), await hook(), await read(keys.otherTenant), await forOther()]).toEqual([
    200, 200, 200, 200,
  ]);
  await query(
    `INSERT INTO domain_event (tenant_id, type, data, occurred_at) VALUES ($1, 'sync.completed', '{}', now())`,
    [OTHER_TENANT],
  );

  await query('UPDATE tenant SET deleted_at = now() WHERE id = $1', [OTHER_TENANT]);
  await waitFor(
    'every door to be closed',
    async () =>
      [await track(), await hook(), await read(keys.otherTenant), await forOther()].join() ===
      '401,404,401,404',
  );
  await waitFor('its tasks to be refused', async () => (await sync(OTHER_TENANT)) === 'REVOKED');
  expect(
    (await database.as('stratum_scheduler').query('SELECT * FROM unpublished_domain_events(10)')).rows,
  ).toEqual([]);
  // The other tenant is not touched.
  expect([await read(keys.tenant), await sync(TENANT)]).not.toContain('REVOKED');

  await query('SELECT restore_tenant($1)', [OTHER_TENANT]);
  await waitFor(
    'every door to be open',
    async () =>
      [await track(), await hook(), await read(keys.otherTenant), await forOther()].join() ===
      '200,200,200,200',
  );
  await waitFor('its tasks to run', async () => (await sync(OTHER_TENANT)) !== 'REVOKED');
  expect(
    (await database.as('stratum_scheduler').query('SELECT * FROM unpublished_domain_events(10)')).rows,
  ).toHaveLength(1);
});

test('a key of the platform lists, deletes, restores and exports tenants over HTTP; no other does', async () => {
  const { call, keys, query } = await openApi();
  const key = keys.platform;
  const path = `/v1/tenants/${OTHER_TENANT}`;
  for (const [method, url] of [
    ['GET', '/v1/tenants'],
    ['GET', path],
    ['DELETE', path],
    ['POST', `${path}/restore`],
    ['GET', `${path}/export`],
  ] as const)
    expect((await call(method, url, method === 'DELETE' ? { body: { confirm: 'x' } } : {})).status, url).toBe(
      403,
    );
  expect(await call('GET', '/v1/tenants', { key })).toMatchObject({
    status: 200,
    body: { data: [{ id: TENANT }, { id: OTHER_TENANT, deleted_at: null }] },
  });
  expect(await call('DELETE', path, { key, body: { confirm: 'Somebody' } })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'body.confirm' }] },
  });
  const confirm = `Tenant ${OTHER_TENANT}`;
  expect(await call('DELETE', path, { key, body: { confirm, grace_days: 3 } })).toMatchObject({
    status: 200,
    body: { deleted_at: expect.any(String), erase_after: expect.any(String), erased_at: null },
  });
  expect((await call('GET', '/v1/tenants', { key })).body).toMatchObject({ data: [{ id: TENANT }] });
  expect((await call('GET', '/v1/tenants?deleted=true', { key })).body['data']).toHaveLength(2);
  const exported = await call<string>('GET', `${path}/export`, { key });
  expect(exported.headers.get('content-type')).toContain('application/x-ndjson');
  const lines = exported.body
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(lines).toEqual(expect.arrayContaining([expect.objectContaining({ table: 'platform_account' })]));
  expect(exported.body).not.toMatch(/secret_hash|"tenant_id":1\b/);
  expect((await call('POST', `${path}/restore`, { key })).body).toMatchObject({ deleted_at: null });
  await query(`UPDATE tenant SET deleted_at = now(), erase_after = now() WHERE id = $1`, [OTHER_TENANT]);
  expect((await call('POST', `${path}/restore`, { key })).status).toBe(409);
  expect((await call('GET', '/v1/tenants/77', { key })).status).toBe(404);
});
