/** Who gets into the dashboard, and what each may see and do there. */
import { request } from 'node:http';
import { defineTask, handleTask } from '@stratum/jobs';
import { withTenant } from '@stratum/shared';
import { revokeApiKey } from '@stratum/shared/api-keys';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { OTHER_TENANT, TENANT } from '../harness/platform.js';
import { auditedEvents, callsOf, cookieOf, openDashboard, type Dashboard } from './fixture.js';
import { ROUTES } from './routes.js';

/** What a viewer may not even read. */
const FOR_OPERATORS = new Set(['/api/people', '/api/dead-letters/own']);

/** What viewers keep for themselves. */
const OWN = new Set(['/api/views']);

const FOR_TENANTS = new Set([
  '/api/audit',
  '/api/dead-letters/own',
  '/api/dead-letters/own/check',
  '/api/dead-letters/own/replay',
  '/api/failures',
  '/api/openapi.json',
  '/api/pipelines',
  '/api/pipelines/999999',
  '/api/people',
  '/api/people/abcdefghabcdefgh',
  '/api/session',
  '/api/sessions',
  '/api/sessions/abcdefghabcd',
  '/api/tasks',
  '/api/go/own',
  '/api/tasks/suggest',
  '/api/tasks/histogram',
  '/api/tasks/own',
  '/api/tasks/own/why',
  '/api/tasks/own/revoke',
  '/api/workflows',
  '/api/workflows/none',
  '/api/workflows/none/cancel',
  '/api/views',
  '/api/views/abcdefghabcdefgh',
]);

test('nobody gets anything without a session, and a tenant nothing of what all tenants share', async () => {
  const dashboard = await openDashboard();
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  const viewer = await dashboard.signIn(
    await dashboard.createKey(undefined, [
      'tasks:read',
      'queues:read',
      'workers:read',
      'dead-letters:read',
      'schedules:read',
      'audit:read',
      'webhooks:read',
      'tenants:admin',
    ]),
  );
  for (const [method, path, body] of ROUTES) {
    expect((await dashboard.call(method, path, body)).status, `${method} ${path}, nobody`).toBe(401);
    const bare = path.split('?')[0] ?? '';
    const asTenant = (await tenant(method, path, body)).status;
    if (FOR_TENANTS.has(bare) || bare.startsWith('/api/webhooks'))
      expect([200, 201, 204, 404, 409], `${method} ${path}, tenant`).toContain(asTenant);
    else expect(asTenant, `${method} ${path}, tenant`).toBe(403);
    const asViewer = (await viewer(method, path, body)).status;
    if (OWN.has(bare)) expect([200, 201], `${method} ${path}, viewer`).toContain(asViewer);
    else if (method === 'POST' || FOR_OPERATORS.has(bare))
      expect(asViewer, `${method} ${path}, viewer`).toBe(403);
    else expect([200, 404], `${method} ${path}, viewer`).toContain(asViewer);
  }
});

const label = defineTask({ name: 'label', queue: 'default', input: z.object({}), output: z.string() });

async function runFor(dashboard: Dashboard, tenant: number, id: string): Promise<void> {
  const { id: accepted } = await dashboard.client.enqueue(label, {}, { id, tenant: String(tenant) });
  await dashboard.client.result(accepted);
}

test('a tenant finds its own tasks and no trace of another’s', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(label, () => Promise.resolve('done'))]);
  await runFor(dashboard, TENANT, 'own');
  await runFor(dashboard, OTHER_TENANT, 'foreign');
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const found = async (call: typeof platform, q = ''): Promise<string[]> => {
    const { body } = await call<{ items: { id: string }[] }>('GET', `/api/tasks?q=${encodeURIComponent(q)}`);
    return body.items.map(({ id }) => id).toSorted();
  };
  await waitFor('both runs', async () => (await found(platform)).length === 2);
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  for (const q of ['', 'id:f', 'foreign', `tenant:${OTHER_TENANT}`, 'task:label', 'state:success'])
    expect(await found(tenant, q), q).not.toContain('foreign');
  expect(await found(tenant)).toEqual(['own']);
  expect((await tenant('GET', '/api/tasks/own')).status).toBe(200);
  const unknown = await tenant('GET', '/api/tasks/never-seen');
  const foreign = await tenant('GET', '/api/tasks/foreign');
  expect([foreign.status, unknown.status]).toEqual([404, 404]);
  expect(String(foreign.body['detail']).replace('foreign', '')).toBe(
    String(unknown.body['detail']).replace('never-seen', ''),
  );
  expect((await tenant('POST', '/api/tasks/foreign/revoke', {})).status).toBe(404);
});

test('a link signs in once, its session is unreadable for scripts and ends at sign-out', async () => {
  const dashboard = await openDashboard();
  const link = await dashboard.createLink();
  const first = await dashboard.call('POST', '/api/session', { link });
  expect(first.status).toBe(201);
  expect(first.headers.get('set-cookie')).toMatch(
    /^stratum-dashboard=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Expires=/,
  );
  expect((await dashboard.call('POST', '/api/session', { link })).status).toBe(401);
  const session = callsOf(dashboard.url, cookieOf(first.headers));
  expect(await session('GET', '/api/session')).toMatchObject({ status: 200, body: { tenant: null } });
  // The database holds nothing that would open a session.
  const [row] = await dashboard.query<{ hash: Buffer }>('SELECT hash FROM dashboard_session');
  expect(cookieOf(first.headers)).not.toContain(row?.hash.toString('base64url'));
  await session('DELETE', '/api/session');
  expect((await session('GET', '/api/session')).status).toBe(401);
});

test('signing in by key and by link, and signing out, are in the audit log', async () => {
  const dashboard = await openDashboard();
  const key = await dashboard.createKey(TENANT);
  const byKey = await dashboard.signIn(key);
  const link = await dashboard.call('POST', '/api/session', { link: await dashboard.createLink() });
  await byKey('DELETE', '/api/session');
  await callsOf(dashboard.url, cookieOf(link.headers))('DELETE', '/api/session');
  const sessions = await dashboard.query<{ id: string; key_id: string | null }>(
    'SELECT id, key_id FROM dashboard_session ORDER BY key_id',
  );
  const [ofKey = '', ofLink = ''] = sessions.map(({ id }) => id);
  expect(await auditedEvents(dashboard)).toEqual([
    ['key', 'session.opened', `key/${sessions[0]?.key_id ?? ''}`],
    ['link', 'session.opened', `link/${ofLink}`],
    ['key', 'session.revoked', `session/${ofKey}`],
    ['link', 'session.revoked', `session/${ofLink}`],
  ]);
});

test('a session ends with its key', async () => {
  const dashboard = await openDashboard();
  const key = await dashboard.createKey(TENANT);
  const session = await dashboard.signIn(key);
  expect((await session('GET', '/api/session')).status).toBe(200);
  await withTenant(dashboard.database.owner, TENANT, (client) =>
    revokeApiKey(client, key.split('_')[1] ?? ''),
  );
  expect((await session('GET', '/api/session')).status).toBe(401);
});

test('guessing is slowed down', async () => {
  const dashboard = await openDashboard({ API_FAILED_KEYS_LIMIT: '3' });
  const guess = async (): Promise<number> =>
    (await dashboard.call('POST', '/api/session', { key: 'sk_guess' })).status;
  expect([await guess(), await guess(), await guess(), await guess()]).toEqual([401, 401, 401, 429]);
});

test('wrong cookies count as guesses; a session that is open goes on from the same address', async () => {
  const dashboard = await openDashboard({ API_FAILED_KEYS_LIMIT: '3' });
  const session = await dashboard.signIn(await dashboard.createKey(undefined));
  expect((await session('GET', '/api/session')).status).toBe(200);
  const statuses: number[] = [];
  for (const name of ['a', 'b', 'c', 'd'])
    statuses.push((await callsOf(dashboard.url, `stratum-dashboard=${name}`)('GET', '/api/session')).status);
  expect(statuses).toEqual([401, 401, 401, 429]);
  expect((await session('GET', '/api/session')).status).toBe(200);
});

test('requests, bodies and their depth are bounded as those of the API', async () => {
  const dashboard = await openDashboard({ API_RATE_LIMIT: '3' });
  const session = await dashboard.signIn(await dashboard.createKey(undefined));
  const deep = await fetch(new URL('/api/session', dashboard.url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-stratum-dashboard': '1',
      'sec-fetch-site': 'same-origin',
    },
    body: `{"key":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
  });
  expect(deep.status).toBe(400);
  expect((await dashboard.call('POST', '/api/session', { key: 'x'.repeat(100_000) })).status).toBe(413);
  const many = await Promise.all(Array.from({ length: 12 }, () => session('GET', '/api/session')));
  expect(many.map(({ status }) => status)).toContain(429);
});

test('other pages, other names and other methods change nothing', async () => {
  const dashboard = await openDashboard();
  const key = await dashboard.createKey(undefined);
  const platform = await dashboard.signIn(key);
  const pause = (headers: Record<string, string>): Promise<number> =>
    platform('POST', '/api/queues/default/pause', {}, headers).then(({ status }) => status);
  expect(await pause({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await pause({ 'sec-fetch-site': 'same-site' })).toBe(403);
  expect((await platform('GET', '/api/queues/default/pause')).status).toBe(404);
  const without = await fetch(new URL('/api/session', dashboard.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'http://evil.example' },
    body: JSON.stringify({ key }),
  });
  expect(without.status).toBe(403);
  expect(await statusUnderName(dashboard.url, 'evil.example')).toBe(403);
  expect(await statusUnderName(dashboard.url, new URL(dashboard.url).host)).toBe(200);
  const queues = await dashboard.client.queues();
  expect(queues.some(({ paused }) => paused)).toBe(false);
});

/** `fetch` does not let its caller choose the name. */
function statusUnderName(url: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    request(new URL('/', url), { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}

test('every answer forbids foreign scripts, frames and caches', async () => {
  const dashboard = await openDashboard();
  for (const path of ['/', '/tasks/some-id', '/api/overview', '/api/nothing']) {
    const { headers } = await dashboard.call('GET', path);
    expect(headers.get('content-security-policy'), path).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'.*require-trusted-types-for 'script'/,
    );
    expect(headers.get('cache-control'), path).toBe('no-store');
    expect(headers.get('access-control-allow-origin'), path).toBeNull();
  }
});

test('it does not listen beyond this machine in clear text', async () => {
  await expect(openDashboard({ DASHBOARD_HOST: '0.0.0.0' })).rejects.toThrow('DASHBOARD_PUBLIC_URL');
  await expect(
    openDashboard({ DASHBOARD_HOST: '0.0.0.0', DASHBOARD_PUBLIC_URL: 'http://dashboard.example.com' }),
  ).rejects.toThrow('DASHBOARD_PUBLIC_URL');
});

test('in a container that is published on this machine alone, browsers come by the published port', async () => {
  const publicUrl = 'http://127.0.0.1:15555';
  const dashboard = await openDashboard({ DASHBOARD_HOST: '0.0.0.0', DASHBOARD_PUBLIC_URL: publicUrl });
  expect(await statusUnderName(dashboard.url, '127.0.0.1:15555')).toBe(200);
  expect(await statusUnderName(dashboard.url, 'dashboard.example.com')).toBe(403);
  expect(await signInUnder(dashboard.url, '127.0.0.1:15555', await dashboard.createKey(TENANT))).toContain(
    'HttpOnly',
  );
});

test('behind TLS the cookie is bound to the host', async () => {
  const dashboard = await openDashboard({ DASHBOARD_PUBLIC_URL: 'https://dashboard.example.com' });
  const key = await dashboard.createKey(TENANT);
  const answer = await signInUnder(dashboard.url, 'dashboard.example.com', key);
  expect(answer).toMatch(/^__Host-stratum=.*; Secure$/);
});

function signInUnder(url: string, host: string, key: string): Promise<string> {
  const headers = {
    host,
    'content-type': 'application/json',
    'x-stratum-dashboard': '1',
    'sec-fetch-site': 'same-origin',
  };
  return new Promise((resolve, reject) => {
    request(new URL('/api/session', url), { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.headers['set-cookie']?.[0] ?? String(response.statusCode));
    })
      .once('error', reject)
      .end(JSON.stringify({ key }));
  });
}
