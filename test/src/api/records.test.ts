/** Records that a tenant makes itself are made, changed and removed over HTTP, and found by the jobs. */
import { openCredentials, parseKeyRing } from '@stratum/shared';
import type { Scope } from '@stratum/shared/api-keys';
import { expect, test } from 'vitest';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

const SECRET = 'a very secret text';
const soon = '2026-11-29T12:00:00.000Z';

interface Case {
  path: string;
  /** To read. */
  scope: Scope;
  create: Record<string, unknown>;
  change: Record<string, unknown>;
  /** Bodies that are refused, and the field that is named. */
  invalid: [body: Record<string, unknown>, field: string][];
  /** Made again as it is. */
  again: 201 | 409;
  /** The audited action of its removal, where it can be removed. */
  removed?: string;
}

const RULE = {
  when: {
    logic: 'and',
    conditions: [{ metric: 'roas', window: 'last_7_days', operator: 'lt', value: 1 }],
  },
  actions: [{ kind: 'pause' }],
};
const BUYERS = {
  logic: 'and',
  conditions: [{ field: 'profile.total_purchases', operator: 'gte', value: 1 }],
};
const COST = { name: 'C', month: '2026-11', currency: 'EUR', amount: 1, spread_by: 'spend' };

/** In this order each finds what it needs. */
const CASES: Case[] = [
  {
    path: 'competitors',
    scope: 'competitors:read',
    create: { name: 'Acme', website: 'https://acme.example', page_id: '123', countries: ['DE', 'AT'] },
    change: { status: 'paused', website: null },
    invalid: [
      [{ name: '' }, 'name'],
      [{ name: 'B', website: 'ftp://b.example' }, 'website'],
      [{ name: 'B', countries: ['Germany'] }, 'countries.0'],
    ],
    again: 409,
  },
  {
    path: 'cms/sites',
    scope: 'posts:read',
    create: { base_url: 'https://blog.example', user_name: 'editor', application_password: SECRET },
    change: { user_name: 'other' },
    invalid: [[{ base_url: 'https://blog.example', user_name: 'editor' }, 'application_password']],
    again: 201,
  },
  {
    path: 'cms/posts',
    scope: 'posts:read',
    create: {
      site_id: 1,
      slug: 'boots',
      title: 'Boots',
      content: 'Warm.',
      status: 'scheduled',
      publish_at: soon,
    },
    change: { title: 'Boots & Socks', unpublish_at: '2030-01-01T00:00:00Z' },
    invalid: [
      [{ slug: 'Boots', title: 'B', content: '' }, 'slug'],
      [{ slug: 'b', title: 'B', content: '', status: 'published' }, 'status'],
      [{ slug: 'b', title: 'B', content: '', status: 'scheduled' }, 'publish_at'],
      [{ slug: 'b', title: 'B', content: '', site_id: 999 }, 'site_id'],
    ],
    again: 409,
  },
  {
    path: 'whatsapp/accounts',
    scope: 'messages:read',
    create: { phone_number_id: 100200300, access_token: SECRET },
    change: { status: 'active', per_minute: 10 },
    invalid: [[{ phone_number_id: 'x', access_token: SECRET }, 'phone_number_id']],
    again: 409,
  },
  {
    path: 'whatsapp/contacts',
    scope: 'messages:read',
    create: { phone: '+49 151 0000001', opted_in_at: soon },
    change: { opted_out_at: soon },
    invalid: [[{ phone: 'none' }, 'phone']],
    again: 409,
  },
  {
    path: 'whatsapp/templates',
    scope: 'messages:read',
    create: { name: 'winter_sale', language: 'en', status: 'approved', parameters: 1 },
    change: { status: 'paused' },
    invalid: [[{ name: 'Winter Sale', language: 'en' }, 'name']],
    again: 409,
  },
  {
    path: 'whatsapp/messages',
    scope: 'messages:read',
    create: { account_id: 1, contact_id: 1, template_id: 1, parameters: ['10 %'], scheduled_at: soon },
    change: { scheduled_at: '2026-11-29T13:00:00Z' },
    invalid: [
      [{ account_id: 1, contact_id: 1 }, 'template_id'],
      [{ account_id: 1, contact_id: 1, template_id: 1, body: 'both' }, 'template_id'],
      [{ account_id: 7, contact_id: 1, body: 'x' }, 'account_id'],
    ],
    again: 201,
  },
  {
    path: 'rules',
    scope: 'rules:read',
    create: { name: 'Pause what loses money', definition: RULE, priority: 5 },
    change: { status: 'active', name: 'Pause' },
    invalid: [
      [{ name: 'R', definition: { ...RULE, actions: [] } }, 'definition.actions'],
      [{ name: 'R', definition: { ...RULE, when: { logic: 'and' } } }, 'definition.when.conditions'],
      [{ name: 'R', definition: RULE, status: 'removed' }, 'status'],
      [{ name: 'R', definition: RULE, priority: 2 ** 31 }, 'priority'],
    ],
    again: 409,
    removed: 'rule.removed',
  },
  {
    path: 'segments',
    scope: 'segments:read',
    create: { name: 'Buyers', definition: BUYERS },
    change: { name: 'Those who buy' },
    invalid: [
      [
        {
          name: 'S',
          definition: { ...BUYERS, conditions: [{ field: 'shoe', operator: 'equals', value: 1 }] },
        },
        'definition.conditions.0.field',
      ],
      [{ definition: BUYERS }, 'name'],
    ],
    again: 409,
    removed: 'segment.removed',
  },
  {
    path: 'funnels',
    scope: 'segments:read',
    create: { name: 'To order', definition: { steps: [{ event: 'Look' }, { event: 'Order' }] } },
    change: { definition: { steps: [{ event: 'Look' }, { event: 'Pay' }] } },
    invalid: [[{ name: 'F', definition: { steps: [{ event: 'Look' }] } }, 'definition.steps']],
    again: 409,
    removed: 'funnel.removed',
  },
  {
    path: 'shared-costs',
    scope: 'costs:read',
    create: {
      name: 'Agency fee',
      month: '2026-11',
      currency: 'EUR',
      amount: '12345678901234.56',
      spread_by: 'spend',
    },
    change: { amount: '1200.5' },
    invalid: [
      [{ ...COST, month: '2026-13' }, 'month'],
      [{ ...COST, currency: 'EURO' }, 'currency'],
      [{ ...COST, amount: '-1' }, 'amount'],
      [{ ...COST, amount: 1e-7 }, 'amount'],
    ],
    again: 409,
    removed: 'shared_cost.removed',
  },
];

test('records are made, listed, changed and audited, each with its scope and for its tenant alone', async () => {
  const { call, createKey, keys, query } = await openApi();
  for (const { path, scope, create, change, invalid, again } of CASES) {
    const url = `/v1/${path}`;
    const made = await call('POST', url, { body: create });
    expect(made, path).toMatchObject({ status: 201, body: { id: 1 } });
    expect(await call('POST', url, { body: create }), path).toMatchObject({ status: again });
    for (const [body, field] of invalid)
      expect(await call('POST', url, { body }), JSON.stringify(body)).toMatchObject({
        status: 422,
        body: { errors: [{ field: `body.${field}` }] },
      });
    const shown = await call('GET', `${url}/1`);
    expect(shown.body, path).toEqual(made.body);
    expect((await call('GET', `${url}?limit=1`)).body, path).toMatchObject({ items: [made.body] });
    const changed = await call('PATCH', `${url}/1`, { body: change });
    expect(changed, path).toMatchObject({ status: 200 });
    const fields = Object.entries(change).filter(([, value]) => !String(value).endsWith('Z'));
    expect(changed.body, path).toMatchObject(Object.fromEntries(fields));
    expect(JSON.stringify([made, changed]), path).not.toMatch(/secret text|0000001/);
    expect(await call('GET', `${url}/999`), path).toMatchObject({ status: 404 });
    expect(await call('GET', `${url}/1`, { key: keys.otherTenant }), path).toMatchObject({ status: 404 });
    expect(await call('PATCH', `${url}/1`, { key: keys.otherTenant, body: change }), path).toMatchObject({
      status: 404,
    });
    const reader = await createKey(TENANT, [scope]);
    expect(await call('GET', url, { key: reader.text }), path).toMatchObject({ status: 200 });
    expect(await call('POST', url, { key: reader.text, body: create }), path).toMatchObject({ status: 403 });
    const stranger = await createKey(OTHER_TENANT, ['tasks:read']);
    expect(await call('GET', url, { key: stranger.text }), path).toMatchObject({ status: 403 });
  }
  // Nothing of a secret is stored in clear text.
  for (const table of ['cms_site', 'whatsapp_account', 'whatsapp_contact'])
    expect(JSON.stringify(await query(`SELECT t::text FROM ${table} t`))).not.toMatch(/secret text|0000001/);
});

test('what can be removed is gone, its name is free, and what others need stays', async () => {
  const { call, keys, query } = await openApi();
  for (const { path, create, removed } of CASES) {
    const url = `/v1/${path}`;
    await call('POST', url, { body: create });
    const mine = `${url}/1`;
    expect(await call('DELETE', mine, { key: keys.otherTenant }), path).toMatchObject({ status: 404 });
    expect(await call('DELETE', mine), path).toMatchObject({ status: removed === undefined ? 404 : 204 });
    expect(await call('GET', mine), path).toMatchObject({ status: removed === undefined ? 200 : 404 });
    if (removed === undefined) continue;
    expect(await call('POST', url, { body: create }), path).toMatchObject({ status: 201, body: { id: 2 } });
    expect((await call('GET', url)).body['items'], path).toHaveLength(1);
  }
  const among = (id: number): object => ({
    logic: 'and',
    conditions: [{ field: `segment.${id}`, operator: 'equals', value: true }],
  });
  const next = await call('POST', '/v1/segments', { body: { name: 'Of buyers', definition: among(2) } });
  expect(next).toMatchObject({ status: 201, body: { depends_on: [2] } });
  expect(next.headers.get('stratum-task-id')).toMatch(/^[\w-]+$/);
  expect(await call('DELETE', '/v1/segments/2')).toMatchObject({ status: 409 });
  const circle = await call('PATCH', '/v1/segments/2', {
    body: { definition: among(Number(next.body['id'])) },
  });
  expect(circle).toMatchObject({ status: 422, body: { errors: [{ field: 'body.definition' }] } });
  expect(await query('SELECT name, status FROM rule WHERE id = 1')).toEqual([
    { name: 'Pause what loses money (removed, 1)', status: 'removed' },
  ]);
});

test('a funnel has a result once it was computed', async () => {
  const { call, keys, query } = await openApi();
  const steps = [{ event: 'Look' }, { event: 'Order' }];
  await call('POST', '/v1/funnels', { body: { name: 'F', definition: { steps } } });
  const url = '/v1/funnels/1/result';
  expect(await call('GET', url)).toMatchObject({ status: 404 });
  const step = {
    step: 1,
    event: 'Look',
    profiles: 7,
    conversion: null,
    overall: 1,
    interval: { low: 0.6, high: 1 },
    dropped: 7,
    median_seconds: null,
  };
  await query(
    `INSERT INTO cdp_funnel_result (tenant_id, funnel_id, computed_at, since, until, steps, breakdown)
     VALUES ($1, 1, now(), now() - interval '30 days', now(), $2, '[]')`,
    [TENANT, JSON.stringify([step])],
  );
  expect(await call('GET', url)).toMatchObject({ status: 200, body: { steps: [step], breakdown: [] } });
  expect(await call('GET', url, { key: keys.otherTenant })).toMatchObject({ status: 404 });
});

test('the jobs find what was made over HTTP, and can open its secrets', async () => {
  const { call, query, keyText } = await openApi();
  for (const { path, create } of CASES) await call('POST', `/v1/${path}`, { body: create });
  expect(await query('SELECT competitor_id::int FROM active_competitors()')).toEqual([{ competitor_id: 1 }]);
  expect(await query('SELECT post_id::int, action FROM due_posts(now(), 10)')).toEqual([
    { post_id: 1, action: 'publish' },
  ]);
  const [site] = await query<{ secret: Buffer; secret_key_id: string }>(
    'SELECT secret, secret_key_id FROM cms_site',
  );
  expect(
    openCredentials(
      parseKeyRing(keyText),
      { tenantId: TENANT, platform: 'wordpress', externalId: 'https://blog.example' },
      { keyId: site?.secret_key_id ?? '', ciphertext: site?.secret ?? Buffer.alloc(0) },
    ),
  ).toEqual({ application_password: SECRET });
  expect(await query('SELECT message_id::int FROM claim_due_messages(now(), 10)')).toEqual([
    { message_id: 1 },
  ]);
  // It is on its way.
  expect(await call('PATCH', '/v1/whatsapp/messages/1', { body: { state: 'suppressed' } })).toMatchObject({
    status: 409,
  });
});
