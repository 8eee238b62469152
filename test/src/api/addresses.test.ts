/** Where the API is reached: the configuration says it, never a request. */
import { request as httpRequest } from 'node:http';
import { json } from 'node:stream/consumers';
import { withTenant } from '@stratum/shared';
import { createSource } from '@stratum/shared/customer-events';
import { expect, test } from 'vitest';
import { openApi, TENANT, type Api } from './fixture.js';

interface Answer {
  status: number | undefined;
  headers: NodeJS.Dict<string | string[]>;
  body: unknown;
}

/** `fetch` does not send a host of its own. */
function get(url: URL, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { headers }, (response) => {
      json(response).then(
        (body) => resolve({ status: response.statusCode, headers: response.headers, body }),
        reject,
      );
    });
    sent.on('error', reject).end();
  });
}

const HOSTS = [
  'evil.example',
  'evil.example:99999',
  '[::',
  'a b',
  'user@evil.example',
  '127.0.0.1@evil',
  '/',
  '[::1]:80',
  '[::ffff:127.0.0.1%25eth0]',
  'evil.example.',
  'EVIL.example:443',
  '127.0.0.1:1, evil.example',
  'http://evil.example',
];
const FORWARDING = (host: string): Record<string, string>[] => [
  { host },
  { 'x-forwarded-host': host, 'x-forwarded-proto': host },
  { forwarded: `for=1.2.3.4;host="${host}";proto=https` },
  { 'x-forwarded-proto': 'https', 'x-forwarded-port': '444', 'x-forwarded-prefix': '/evil' },
  { 'x-original-host': host, 'x-host': host, 'x-original-url': '/evil', 'x-rewrite-url': '/evil' },
  { 'x-forwarded-server': host, 'x-forwarded-for': host, via: `1.1 ${host}` },
];

async function settingsUrl(api: Api): Promise<URL> {
  const { writeKey } = await withTenant(api.database.owner, TENANT, (client) =>
    createSource(client, { name: 'Web site' }),
  );
  return new URL(`/v1/projects/${writeKey}/settings`, api.url);
}

test.each([
  ['as it listens', {}],
  ['behind a proxy', { API_PUBLIC_URL: 'https://api.example.com/hooks', API_TRUSTED_PROXIES: '127.0.0.1' }],
])('no host of a request decides the content of an answer: %s', async (_where, settings) => {
  const api = await openApi(settings);
  const url = await settingsUrl(api);
  const right = await get(url, {});
  expect(right).toMatchObject({
    status: 200,
    headers: { 'cache-control': expect.stringContaining('max-age') },
  });
  expect(JSON.stringify(right.body)).toContain(
    'API_PUBLIC_URL' in settings ? 'api.example.com/hooks/v1' : `${new URL(api.url).host}/v1`,
  );
  for (const host of HOSTS)
    for (const headers of FORWARDING(host))
      expect(await get(url, headers), JSON.stringify(headers)).toMatchObject({
        status: 200,
        body: right.body,
      });
});

test('an API that others reach does not start without its public address', async () => {
  await expect(openApi({ API_HOST: '0.0.0.0' })).rejects.toThrow('API_PUBLIC_URL');
  await expect(openApi({ API_HOST: '::' })).rejects.toThrow('API_PUBLIC_URL');
  await openApi({ API_HOST: '127.0.0.2' });
  await openApi({ API_HOST: '0.0.0.0', API_PUBLIC_URL: 'https://api.example.com' });
});

test('no answer of any route is kept by caches, unless it is about nobody', async () => {
  const { call, url, keys } = await openApi();
  const { body } = await call<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json');
  const routes = Object.entries(body.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(
      (method) => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, '1')] as const,
    ),
  );
  expect(routes.length).toBeGreaterThan(100);
  for (const [method, path] of routes)
    for (const key of [keys.tenant, undefined]) {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const response = await fetch(new URL(path, url), { method, headers });
      await response.body?.cancel();
      expect(response.headers.get('cache-control'), `${method} ${path}`).toBe('no-store');
    }
  const shown = await Promise.all([
    call('POST', '/v1/keys', { body: { name: 'ci', scopes: ['tasks:read'] } }),
    call('POST', '/v1/sources', { body: { name: 'Shop' } }),
    call('GET', '/v1/profiles/lookup?email=a@example.com'),
    call('GET', '/v1/projects/wk_0123456789abcdef/settings', { key: null }),
  ]);
  expect(shown.map(({ headers }) => headers.get('cache-control'))).toEqual(shown.map(() => 'no-store'));
});
