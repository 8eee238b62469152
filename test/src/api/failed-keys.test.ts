/** Requests with wrong keys, or none, are bounded by the address that they come from. */
import { expect, test } from 'vitest';
import { basic, openEventsApi } from './customer-events/fixture.js';
import { openApi, TENANT, type Api, type Reply } from './fixture.js';

const LIMIT = '3';
const PROXIED = { API_FAILED_KEYS_LIMIT: LIMIT, API_TRUSTED_PROXIES: '127.0.0.1' };
const WRONG = `sk_${'a'.repeat(16)}_${'b'.repeat(43)}`;
const EVENT = { userId: 'u-1', event: 'Seen' };

function ask(api: Pick<Api, 'call'>, key: string | null, address?: string): Promise<Reply> {
  const headers = address === undefined ? {} : { 'x-forwarded-for': address };
  return api.call('GET', '/v1/queues', { key, headers });
}

async function statuses(replies: readonly Promise<Reply>[]): Promise<number[]> {
  return (await Promise.all(replies)).map(({ status }) => status);
}

test('after several wrong or missing keys an address is asked to retry later', async () => {
  const api = await openApi({ API_FAILED_KEYS_LIMIT: LIMIT });
  expect((await ask(api, WRONG)).status).toBe(401);
  expect((await ask(api, null)).status).toBe(401);
  expect((await ask(api, 'no key at all')).status).toBe(401);
  const refused = await ask(api, WRONG);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect(refused.body).toMatchObject({ type: '/problems/rate-limited', status: 429 });
  const wait = Number(refused.headers.get('retry-after'));
  expect(wait).toBeGreaterThanOrEqual(1);
  expect(wait).toBeLessThanOrEqual(20);
  expect((await ask(api, null)).status).toBe(429);
});

test('a known key keeps working from there, and routes without a key respond', async () => {
  const api = await openApi({ API_FAILED_KEYS_LIMIT: LIMIT });
  expect((await ask(api, api.keys.tenant)).status).toBe(200);
  for (let time = 0; time < 3; time++) await ask(api, WRONG);
  expect((await ask(api, api.keys.tenant)).status).toBe(200);
  expect((await ask(api, api.keys.otherTenant)).status).toBe(429);
  expect((await api.call('GET', '/healthz', { key: null })).status).toBe(200);
});

test('a revoked key is refused although it worked before', async () => {
  const api = await openApi({ API_FAILED_KEYS_LIMIT: LIMIT });
  const { id, text } = await api.createKey(TENANT);
  expect((await ask(api, text)).status).toBe(200);
  expect((await ask(api, api.keys.tenant)).status).toBe(200);
  expect((await api.call('DELETE', `/v1/keys/${id}`)).status).toBe(204);
  expect((await ask(api, text)).status).toBe(401);
});

test('other addresses are unaffected; a trusted proxy supplies the client’s address', async () => {
  const api = await openApi(PROXIED);
  for (let time = 0; time < 3; time++) await ask(api, WRONG, '192.0.2.1');
  expect(
    await statuses([
      ask(api, api.keys.tenant, '192.0.2.1'),
      ask(api, api.keys.tenant, '192.0.2.2'),
      ask(api, WRONG, '192.0.2.3'),
    ]),
  ).toEqual([429, 200, 401]);
});

test('neighbours in one IPv6 network are one client', async () => {
  const api = await openApi(PROXIED);
  for (let host = 1; host <= 3; host++) await ask(api, WRONG, `2001:db8::${host}`);
  expect((await ask(api, WRONG, '2001:db8::4')).status).toBe(429);
  expect((await ask(api, WRONG, '2001:db8:0:1::4')).status).toBe(401);
});

test('without a trusted proxy nobody chooses an address', async () => {
  const api = await openApi({ API_FAILED_KEYS_LIMIT: LIMIT });
  for (let host = 1; host <= 3; host++) await ask(api, WRONG, `192.0.2.${host}`);
  expect((await ask(api, WRONG, '192.0.2.4')).status).toBe(429);
});

test('write keys are bounded alike, and the browser can read the answer', async () => {
  const api = await openEventsApi({ API_FAILED_KEYS_LIMIT: LIMIT });
  const wrong = { authorization: basic('wk_0123456789abcdefghij') };
  const origin = { origin: 'https://shop.example.com' };
  expect((await api.send('/v1/track', EVENT)).status).toBe(200);
  expect((await api.send('/v1/track', EVENT, wrong)).status).toBe(401);
  expect((await api.call('POST', '/v1/track', { key: null, body: EVENT })).status).toBe(401);
  expect((await api.call('GET', '/v1/projects/wk_0123456789abcdefghij/settings', { key: null })).status).toBe(
    404,
  );
  const refused = await api.send('/v1/track', EVENT, { ...wrong, ...origin });
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(refused.headers.get('access-control-allow-origin')).toBe(origin.origin);
  expect((await api.call('POST', '/v1/track', { key: null, body: EVENT })).status).toBe(429);
  expect((await api.send('/v1/track', EVENT)).status).toBe(200);
});
