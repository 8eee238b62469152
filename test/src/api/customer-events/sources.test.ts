/** Sources over HTTP: created, changed, rotated and removed, separate for each tenant. */
import { expect, test } from 'vitest';
import { openApi } from '../fixture.js';
import { basic } from './fixture.js';

const EVENT = { userId: 'u-1', event: 'Seen' };

test('a source is created, listed in pages, changed and removed', async () => {
  const { call, query } = await openApi();
  const made = await call('POST', '/v1/sources', {
    body: { name: 'Web site', allowed_origins: ['https://shop.example'] },
  });
  expect(made).toMatchObject({
    status: 201,
    body: {
      name: 'Web site',
      status: 'enabled',
      allowed_origins: ['https://shop.example'],
      last_seen_at: null,
    },
  });
  const writeKey = String(made.body['write_key']);
  expect(writeKey).toMatch(/^wk_/);
  // Only its hash is kept.
  expect(JSON.stringify(await query('SELECT event_source::text FROM event_source'))).not.toContain(writeKey);
  expect(await call('POST', '/v1/sources', { body: { name: 'Web site' } })).toMatchObject({ status: 409 });
  await call('POST', '/v1/sources', { body: { name: 'App' } });
  const first = await call<{ items: { name: string }[]; next_cursor: string }>('GET', '/v1/sources?limit=1');
  expect(first.body.items.map(({ name }) => name)).toEqual(['Web site']);
  const second = await call('GET', `/v1/sources?limit=1&cursor=${first.body.next_cursor}`);
  expect(second.body).toMatchObject({ items: [{ name: 'App' }], next_cursor: null });
  const path = `/v1/sources/${String(made.body['id'])}`;
  expect(await call('PATCH', path, { body: { name: 'App' } })).toMatchObject({ status: 409 });
  expect(await call('PATCH', path, { body: { name: 'Shop', allowed_origins: [] } })).toMatchObject({
    status: 200,
    body: { name: 'Shop', allowed_origins: [], key_prefix: writeKey.slice(0, 7) },
  });
  expect(await call('PATCH', path, { body: { allowed_origins: ['shop.example'] } })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'body.allowed_origins.0' }] },
  });
  expect(await call('DELETE', path)).toMatchObject({ status: 204 });
  for (const method of ['GET', 'DELETE']) expect(await call(method, path)).toMatchObject({ status: 404 });
  expect(
    await call('POST', '/v1/track', { key: null, body: EVENT, headers: { authorization: basic(writeKey) } }),
  ).toMatchObject({
    status: 401,
  });
  // Its name is free again.
  expect(await call('POST', '/v1/sources', { body: { name: 'Web site' } })).toMatchObject({ status: 201 });
});

test('a rotated key gives way to the new one, and works a while longer', async () => {
  const { call, query } = await openApi();
  const made = await call('POST', '/v1/sources', { body: { name: 'Web site' } });
  const path = `/v1/sources/${String(made.body['id'])}`;
  const rotated = await call('POST', `${path}/rotate`);
  const send = (key: unknown) =>
    call('POST', '/v1/track', { key: null, body: EVENT, headers: { authorization: basic(String(key)) } });
  expect(rotated.body['write_key']).not.toBe(made.body['write_key']);
  expect(await send(rotated.body['write_key'])).toMatchObject({ status: 200 });
  await query(`UPDATE event_source SET previous_until = now() - interval '1 second'`);
  expect(await send(made.body['write_key'])).toMatchObject({ status: 401 });
  const { body } = await call('GET', path);
  expect(body['last_seen_at']).not.toBeNull();
  const audit = await call('GET', path, { key: null });
  expect(audit.status).toBe(401);
});

test('no tenant sees another’s sources, and scopes are kept', async () => {
  const { call, keys, createKey } = await openApi();
  const { body } = await call('POST', '/v1/sources', { body: { name: 'Web site' } });
  const path = `/v1/sources/${String(body['id'])}`;
  const key = keys.otherTenant;
  for (const [method, suffix] of [
    ['GET', ''],
    ['PATCH', ''],
    ['POST', '/rotate'],
    ['DELETE', ''],
  ] as const) {
    const options = method === 'PATCH' ? { key, body: { name: 'Mine' } } : { key };
    expect(await call(method, `${path}${suffix}`, options), method).toMatchObject({ status: 404 });
  }
  expect(await call('GET', '/v1/sources', { key })).toMatchObject({ body: { items: [] } });
  const reader = await createKey(1, ['sources:read']);
  expect(await call('GET', path, { key: reader.text })).toMatchObject({ status: 200 });
  expect(await call('DELETE', path, { key: reader.text })).toMatchObject({ status: 403 });
  expect(await call('GET', '/v1/sources', { key: keys.platform })).toMatchObject({ status: 400 });
});
