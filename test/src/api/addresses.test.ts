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
    for (const headers of [{ host }, { 'x-forwarded-host': host, 'x-forwarded-proto': host }])
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

test('answers with secrets and people are not stored', async () => {
  const { call } = await openApi();
  const replies = await Promise.all([
    call('POST', '/v1/keys', { body: { name: 'ci', scopes: ['tasks:read'] } }),
    call('POST', '/v1/sources', { body: { name: 'Shop' } }),
    call('GET', '/v1/keys'),
    call('GET', '/v1/profiles/lookup?email=a@example.com'),
    call('GET', '/v1/keys', { key: null }),
    call('GET', '/v1/projects/wk_0123456789abcdef/settings', { key: null }),
  ]);
  expect(replies.map(({ headers }) => headers.get('cache-control'))).toEqual(replies.map(() => 'no-store'));
});
