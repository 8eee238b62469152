/** Competitors, sites and posts, WhatsApp's numbers, contacts, templates and messages: made and changed over HTTP, and found by the jobs. */
import { openCredentials, parseKeyRing } from '@stratum/shared';
import { expect, test } from 'vitest';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

const SECRET = 'a very secret text';
const soon = '2026-11-29T12:00:00.000Z';

interface Case {
  path: string;
  scopes: ['competitors:read' | 'posts:read' | 'messages:read', string];
  create: Record<string, unknown>;
  change: Record<string, unknown>;
  /** Bodies that are refused, and the field that is named. */
  invalid: [body: Record<string, unknown>, field: string][];
  /** Made again as it is. */
  again: 201 | 409;
}

/** In this order each finds what it needs. */
const CASES: Case[] = [
  {
    path: 'competitors',
    scopes: ['competitors:read', 'competitors:admin'],
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
    scopes: ['posts:read', 'posts:admin'],
    create: { base_url: 'https://blog.example', user_name: 'editor', application_password: SECRET },
    change: { user_name: 'other' },
    invalid: [[{ base_url: 'https://blog.example', user_name: 'editor' }, 'application_password']],
    again: 201,
  },
  {
    path: 'cms/posts',
    scopes: ['posts:read', 'posts:admin'],
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
    scopes: ['messages:read', 'messages:admin'],
    create: { phone_number_id: 100200300, access_token: SECRET },
    change: { status: 'active', per_minute: 10 },
    invalid: [[{ phone_number_id: 'x', access_token: SECRET }, 'phone_number_id']],
    again: 409,
  },
  {
    path: 'whatsapp/contacts',
    scopes: ['messages:read', 'messages:admin'],
    create: { phone: '+49 151 0000001', opted_in_at: soon },
    change: { opted_out_at: soon },
    invalid: [[{ phone: 'none' }, 'phone']],
    again: 409,
  },
  {
    path: 'whatsapp/templates',
    scopes: ['messages:read', 'messages:admin'],
    create: { name: 'winter_sale', language: 'en', status: 'approved', parameters: 1 },
    change: { status: 'paused' },
    invalid: [[{ name: 'Winter Sale', language: 'en' }, 'name']],
    again: 409,
  },
  {
    path: 'whatsapp/messages',
    scopes: ['messages:read', 'messages:admin'],
    create: { account_id: 1, contact_id: 1, template_id: 1, parameters: ['10 %'], scheduled_at: soon },
    change: { scheduled_at: '2026-11-29T13:00:00Z' },
    invalid: [
      [{ account_id: 1, contact_id: 1 }, 'template_id'],
      [{ account_id: 1, contact_id: 1, template_id: 1, body: 'both' }, 'template_id'],
      [{ account_id: 7, contact_id: 1, body: 'x' }, 'account_id'],
    ],
    again: 201,
  },
];

test('records are made, listed, changed and audited, each with its scope and for its tenant alone', async () => {
  const { call, createKey, keys, query } = await openApi();
  for (const { path, scopes, create, change, invalid, again } of CASES) {
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
    const reader = await createKey(TENANT, [scopes[0]]);
    expect(await call('GET', url, { key: reader.text }), path).toMatchObject({ status: 200 });
    expect(await call('POST', url, { key: reader.text, body: create }), path).toMatchObject({ status: 403 });
    const stranger = await createKey(OTHER_TENANT, ['tasks:read']);
    expect(await call('GET', url, { key: stranger.text }), path).toMatchObject({ status: 403 });
  }
  // Nothing of a secret is stored in clear text.
  for (const table of ['cms_site', 'whatsapp_account', 'whatsapp_contact'])
    expect(JSON.stringify(await query(`SELECT t::text FROM ${table} t`))).not.toMatch(/secret text|0000001/);
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
