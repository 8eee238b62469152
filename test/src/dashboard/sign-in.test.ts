/** Signing in at a real provider of identities; what roles see and do; the end of sessions. */
import { Writable } from 'node:stream';
import { defineTask, handleTask } from '@stratum/jobs';
import { withTenant } from '@stratum/shared';
import { addDashboardUser, type DashboardUser, type Role } from '@stratum/shared/dashboard-users';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { OTHER_TENANT, TENANT } from '../harness/platform.js';
import { auditedEvents, callsOf, type Call, type Dashboard } from './fixture.js';
import { CLIENT_SECRET, openWithProvider, type SignedInDashboard } from './identity-provider.js';

function add(dashboard: Dashboard, tenantId: number, email: string, role: Role): Promise<DashboardUser> {
  return withTenant(dashboard.database.owner, tenantId, (client) =>
    addDashboardUser(client, { tenantId, email, role }),
  );
}

async function signedIn(dashboard: SignedInDashboard, name: string): Promise<Call> {
  const { cookie, location } = await dashboard.arrive(name);
  expect(cookie, `${name}: ${location}`).not.toBe('');
  return callsOf(dashboard.url, cookie);
}

test('a person signs in at the provider in a browser, returns to the place they wanted, and signs out', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openWithProvider({});
  await add(dashboard, 0, 'ana@example.com', 'operator');
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${dashboard.url}/tasks?q=state%3Afailure`);
  await page.getByRole('link', { name: /^Continue with 127\.0\.0\.1/ }).click();
  await page.locator('input[name=login]').fill('ana@example.com');
  await page.locator('input[name=password]').fill('any');
  await page.locator('button[type=submit]').click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('searchbox').waitFor();
  expect(page.url()).toBe(`${dashboard.url}/tasks?q=state%3Afailure`);
  expect(await page.getByRole('searchbox').inputValue()).toBe('state:failure');
  // Scripts of the page reach neither the cookie nor a token of the provider.
  const reachable = await page.evaluate<string>(
    'document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })',
  );
  expect(reachable).not.toMatch(/stratum-dashboard=|stratum-sign-in=|eyJ/);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Stratum' }).waitFor();
  expect(complaints).toEqual([]);
});

test('a marketer lands on the pipelines of the own tenant and finds no page of the platform', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openWithProvider({});
  await add(dashboard, TENANT, 'mara@example.com', 'viewer');
  const { cookie } = await dashboard.arrive('mara@example.com');
  const tabs = await browser.newContext();
  const [name = '', value = ''] = cookie.split('=');
  await tabs.addCookies([{ name, value, url: dashboard.url }]);
  const page = await tabs.newPage();
  await page.goto(dashboard.url);
  await page.getByRole('heading', { level: 1, name: /Pipelines/ }).waitFor();
  const pages = await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allInnerTexts();
  expect(pages[0]).toBe('Pipelines');
  for (const foreign of ['Overview', 'Queues', 'Workers', 'Tenants', 'Operations'])
    expect(pages).not.toContain(foreign);
  await page.goto(`${dashboard.url}/workers`);
  await page.getByRole('heading', { name: 'You may not see this page' }).waitFor();
});

/** What is in the session of each kind of person, and one act of each weight. */
const ACTS = [
  ['POST', '/api/queues/default/resume', {}],
  ['POST', '/api/queues/default/purge', { confirm: 'default' }],
  ['GET', '/api/people', undefined],
  ['GET', '/api/overview', undefined],
  ['GET', '/api/tasks', undefined],
  ['POST', '/api/tasks/none/revoke', {}],
  ['GET', '/api/dead-letters/none', undefined],
] as const;

test('each role does what it may, of the platform and of a tenant', async () => {
  const dashboard = await openWithProvider({});
  const expected: readonly [Role, number, readonly number[]][] = [
    ['viewer', 0, [403, 403, 403, 200, 200, 403, 403]],
    ['operator', 0, [200, 403, 403, 200, 200, 404, 404]],
    ['admin', 0, [200, 200, 200, 200, 200, 404, 404]],
    ['viewer', TENANT, [403, 403, 403, 403, 200, 403, 403]],
    ['operator', TENANT, [403, 403, 403, 403, 200, 404, 403]],
    ['admin', TENANT, [403, 403, 200, 403, 200, 404, 404]],
  ];
  for (const [role, tenant, statuses] of expected) {
    const email = `${role}.${tenant}@example.com`;
    await add(dashboard, tenant, email, role);
    const call = await signedIn(dashboard, email);
    const session = await call<{ tenant: number | null }>('GET', '/api/session');
    expect(session.body.tenant, email).toBe(tenant === 0 ? null : tenant);
    const seen = [];
    for (const [method, path, body] of ACTS) seen.push((await call(method, path, body)).status);
    expect(seen, email).toEqual(statuses);
  }
});

const count = defineTask({
  name: 'count_orders',
  queue: 'default',
  input: z.object({ tenant_id: z.int(), day: z.string() }),
  output: z.string(),
  retry: 'never',
});

test('an admin of a tenant edits and replays the dead letters of the tenant, and finds no others', async () => {
  const dashboard = await openWithProvider({});
  const counted: string[] = [];
  dashboard.startWorker('default', [
    handleTask(count, ({ day }) => {
      if (day === 'never') throw new Error('There is no such day.');
      counted.push(day);
      return Promise.resolve('done');
    }),
  ]);
  for (const tenant of [TENANT, OTHER_TENANT])
    await dashboard.client.enqueue(
      count,
      { tenant_id: tenant, day: 'never' },
      { id: `count-${tenant}`, tenant: String(tenant) },
    );
  const letters = await waitFor('both letters', async () => {
    const found = await dashboard.client.deadLetters.list({});
    return found.length === 2 ? found : undefined;
  });
  await add(dashboard, TENANT, 'ada@example.com', 'admin');
  const admin = await signedIn(dashboard, 'ada@example.com');
  expect((await admin<{ rights: string[] }>('GET', '/api/session')).body.rights).toContain('failures:edit');
  const sequenceOf = (tenant: number): number =>
    letters.find(({ id }) => id === `count-${tenant}`)?.sequence ?? 0;
  const send = (id: string, body: object): Promise<{ status: number }> =>
    admin('POST', `/api/dead-letters/${id}/replay`, body);
  const payload = { tenant_id: TENANT, day: 'monday' };
  const foreign = `count-${OTHER_TENANT}`;
  expect((await admin('GET', `/api/dead-letters/${foreign}`)).status).toBe(404);
  expect((await admin('POST', `/api/dead-letters/${foreign}/check`, { payload })).status).toBe(404);
  expect((await send(foreign, { payload, sequence: sequenceOf(OTHER_TENANT) })).status).toBe(404);
  const own = `count-${TENANT}`;
  expect((await admin('GET', `/api/dead-letters/${own}`)).status).toBe(200);
  const sequence = sequenceOf(TENANT);
  // Neither the work of another tenant, nor another letter than the one that was looked at.
  expect((await send(own, { payload: { ...payload, tenant_id: OTHER_TENANT }, sequence })).status).toBe(422);
  expect((await send(own, { payload, sequence: sequenceOf(OTHER_TENANT) })).status).toBe(409);
  expect(counted).toEqual([]);
  expect((await send(own, { payload, sequence })).status).toBe(200);
  await waitFor('the run with the new payload', () => counted.length === 1);
  expect(counted).toEqual(['monday']);
  const audited = (await auditedEvents(dashboard)).filter(([, action]) => action?.startsWith('dead_letter'));
  expect(audited).toEqual([
    ['person', 'dead_letter.read', `task/${own}`],
    ['person', 'dead_letter.replayed', `task/${own}`],
  ]);
});

test('the provider has to be believed: its people, its addresses, its groups', async () => {
  const dashboard = await openWithProvider(
    {
      unverified: { email: 'ana@example.com', verified: false },
      impostor: { email: 'ana@example.com' },
      'ana-1': { email: 'Ana@Example.com' },
      grouped: { email: 'ben@example.com', groups: ['stratum-ops', 'other'] },
      similar: { email: 'eve@example.com', groups: ['stratum-ops-readers', 'x stratum-ops', 'STRATUM-OPS'] },
      marketer: { email: 'mara@example.com', groups: ['acme'] },
    },
    { DASHBOARD_OIDC_GROUPS: JSON.stringify({ 'stratum-ops': 'operator', acme: `viewer@${TENANT}` }) },
  );
  await add(dashboard, 0, 'ana@example.com', 'admin');
  const arrivalOf = async (name: string): Promise<string> => (await dashboard.arrive(name)).location;
  expect(await arrivalOf('unverified')).toBe('/#sign-in=unverified');
  expect(await arrivalOf('nobody@example.com')).toBe('/#sign-in=unknown');
  expect(await arrivalOf('similar')).toBe('/#sign-in=unknown');
  // The address opens the place once; after that it is the person at the provider who counts.
  expect(await arrivalOf('ana-1')).toBe('/');
  expect(await arrivalOf('impostor')).toBe('/#sign-in=unknown');
  const grouped = await signedIn(dashboard, 'grouped');
  expect((await grouped('POST', '/api/queues/default/resume', {})).status).toBe(200);
  const marketer = await signedIn(dashboard, 'marketer');
  expect((await marketer('GET', '/api/session')).body).toMatchObject({ tenant: TENANT });
  expect((await marketer('POST', '/api/tasks/none/revoke', {})).status).toBe(403);
});

test('a sign-in that did not begin in this browser ends nowhere', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, 0, 'ana@example.com', 'admin');
  const cookies = new Map<string, string>();
  const { callback } = await dashboard.arrive('ana@example.com', { cookies });
  const answer = async (address: URL, headers: Record<string, string> = {}): Promise<string> => {
    const response = await fetch(address, { redirect: 'manual', headers });
    expect(response.headers.getSetCookie().some((cookie) => /^stratum-dashboard=[^;]/.test(cookie))).toBe(
      false,
    );
    return response.headers.get('location') ?? '';
  };
  // No cookie of a beginning; a foreign state; a code that has been used; a refusal of the provider.
  expect(await answer(callback)).toBe('/#sign-in=expired');
  const begun = await fetch(new URL('/api/sign-in/start', dashboard.url), { redirect: 'manual' });
  const cookie = begun.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  expect(begun.headers.getSetCookie()[0]).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Expires=/);
  expect(await answer(callback, { cookie })).toBe('/#sign-in=invalid');
  const state = new URL(begun.headers.get('location') ?? '').searchParams.get('state') ?? '';
  const used = new URL(callback);
  used.searchParams.set('state', state);
  expect(await answer(used, { cookie })).toBe('/#sign-in=invalid');
  const foreign = new URL(used);
  foreign.searchParams.set('iss', 'https://id.evil.example');
  expect(await answer(foreign, { cookie })).toBe('/#sign-in=invalid');
  const refused = new URL(callback);
  refused.search = new URLSearchParams({ error: 'access_denied', state, iss: dashboard.issuer }).toString();
  expect(await answer(refused, { cookie })).toBe('/#sign-in=refused');
});

test('the way back leads into the dashboard alone', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, 0, 'ana@example.com', 'viewer');
  const back = async (place: string): Promise<string> =>
    (await dashboard.arrive('ana@example.com', { place })).location;
  expect(await back('/queues/default?x=1')).toBe('/queues/default?x=1');
  for (const place of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    'javascript:x',
  ])
    expect(await back(place), place).toBe('/');
});

test('sessions are listed, ended one by one with their streams, and end with the person', async () => {
  const dashboard = await openWithProvider({});
  const ben = await add(dashboard, TENANT, 'ben@example.com', 'viewer');
  await add(dashboard, 0, 'ana@example.com', 'admin');
  const admin = await signedIn(dashboard, 'ana@example.com');
  const { cookie } = await dashboard.arrive('ben@example.com');
  const person = callsOf(dashboard.url, cookie);
  const sessionsOf = async (call: Call): Promise<{ id: string; email: string | null }[]> =>
    (await call<{ items: { id: string; email: string | null }[] }>('GET', '/api/sessions')).body.items;
  expect((await sessionsOf(person)).map(({ email }) => email)).toEqual(['ben@example.com']);
  const session = (await sessionsOf(admin)).find(({ email }) => email === 'ben@example.com');
  const stream = await fetch(new URL('/api/live', dashboard.url), { headers: { cookie } });
  const ended = stream.body?.pipeTo(new WritableStream());
  // Of another tenant, nobody ends it.
  await add(dashboard, OTHER_TENANT, 'otto@example.com', 'admin');
  const stranger = await signedIn(dashboard, 'otto@example.com');
  expect((await stranger('DELETE', `/api/sessions/${session?.id ?? ''}`)).status).toBe(404);
  expect((await stranger('POST', `/api/people/${ben.id}`, { role: 'admin' })).status).toBe(404);
  expect((await admin('DELETE', `/api/sessions/${session?.id ?? ''}`)).status).toBe(204);
  await ended;
  expect((await person('GET', '/api/session')).status).toBe(401);
  // Locked out: sessions end, and the provider's word does not help.
  const again = await signedIn(dashboard, 'ben@example.com');
  expect((await admin('POST', `/api/people/${ben.id}`, { disabled: true })).status).toBe(200);
  expect((await again('GET', '/api/session')).status).toBe(401);
  expect((await dashboard.arrive('ben@example.com')).location).toBe('/#sign-in=unknown');
  const actions = await auditedEvents(dashboard);
  expect(actions).toContainEqual(['person', 'session.opened', `person/${ben.id}`]);
  expect(actions).toContainEqual(['person', 'session.revoked', `session/${session?.id ?? ''}`]);
  expect(actions).toContainEqual(['person', 'person.changed', `person/${ben.id}`]);
});

test('sessions and streams of a deleted tenant end, nobody of it signs in, and a restored one may again', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, TENANT, 'ben@example.com', 'admin');
  await add(dashboard, OTHER_TENANT, 'otto@example.com', 'admin');
  const { cookie } = await dashboard.arrive('ben@example.com');
  const person = callsOf(dashboard.url, cookie);
  const ofKey = await dashboard.signIn(await dashboard.createKey(TENANT));
  const neighbour = await signedIn(dashboard, 'otto@example.com');
  const stream = await fetch(new URL('/api/live', dashboard.url), { headers: { cookie } });
  const ended = stream.body?.pipeTo(new WritableStream());
  await dashboard.query('UPDATE tenant SET deleted_at = now() WHERE id = $1', [TENANT]);
  for (const path of ['/api/session', '/api/pipelines', '/api/tasks'])
    expect([(await person('GET', path)).status, (await ofKey('GET', path)).status], path).toEqual([401, 401]);
  await ended;
  expect((await dashboard.arrive('ben@example.com')).location).toBe('/#sign-in=unknown');
  expect((await neighbour('GET', '/api/session')).status).toBe(200);
  await dashboard.query('UPDATE tenant SET deleted_at = NULL WHERE id = $1', [TENANT]);
  expect((await (await signedIn(dashboard, 'ben@example.com'))('GET', '/api/session')).status).toBe(200);
});

test('a session ends unused after eight hours, and in any case after a day', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, 0, 'ana@example.com', 'viewer');
  const statusAfter = async (change: string): Promise<number> => {
    const call = await signedIn(dashboard, 'ana@example.com');
    await dashboard.query(`UPDATE dashboard_session SET ${change} WHERE revoked_at IS NULL`);
    return (await call('GET', '/api/session')).status;
  };
  expect(await statusAfter(`seen_at = now() - interval '7 hours 59 minutes'`)).toBe(200);
  const [row] = await dashboard.query<{ hours: string }>(
    `SELECT extract(epoch FROM max(expires_at - created_at)) / 3600 AS hours FROM dashboard_session`,
  );
  expect(Number(row?.hours)).toBeCloseTo(24, 1);
  expect(await statusAfter(`seen_at = now() - interval '8 hours 1 minute'`)).toBe(401);
  expect(await statusAfter(`expires_at = now() - interval '1 second'`)).toBe(401);
});

test('signing in renews the session: the one before is not taken over', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, 0, 'ana@example.com', 'viewer');
  const cookies = new Map<string, string>();
  const first = await dashboard.arrive('ana@example.com', { cookies });
  const second = await dashboard.arrive('ana@example.com', { cookies });
  expect(second.cookie).not.toBe(first.cookie);
  expect((await callsOf(dashboard.url, first.cookie)('GET', '/api/session')).status).toBe(401);
  expect((await callsOf(dashboard.url, second.cookie)('GET', '/api/session')).status).toBe(200);
});

test('nobody grants more than they have, nor changes their own place', async () => {
  const dashboard = await openWithProvider({});
  await add(dashboard, TENANT, 'tess@example.com', 'admin');
  const own = await add(dashboard, 0, 'ana@example.com', 'admin');
  const tenant = await signedIn(dashboard, 'tess@example.com');
  const added = await tenant<{ tenant_id: number }>('POST', '/api/people', {
    email: 'New@Example.com',
    role: 'admin',
    tenant: OTHER_TENANT,
  });
  // A tenant's admin adds people to the own tenant, whatever they ask for.
  expect(added).toMatchObject({ status: 201, body: { tenant_id: TENANT, email: 'new@example.com' } });
  expect((await tenant('POST', '/api/people', { email: 'new@example.com', role: 'viewer' })).status).toBe(
    409,
  );
  const weak = await dashboard.signIn(await dashboard.createKey(undefined, ['keys:admin', 'tasks:read']));
  expect((await weak('POST', '/api/people', { email: 'x@example.com', role: 'viewer' })).status).toBe(403);
  const admin = await signedIn(dashboard, 'ana@example.com');
  expect((await admin('POST', `/api/people/${own.id}`, { role: 'viewer' })).status).toBe(409);
  expect(
    (await admin('POST', '/api/people', { email: 'x@example.com', role: 'viewer', tenant: 999_999 })).status,
  ).toBe(404);
  expect((await admin('POST', '/api/people', { email: 'no address', role: 'viewer' })).status).toBe(422);
});

test('the log has no secret of a sign-in, good or bad', async () => {
  const lines: string[] = [];
  const log = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const dashboard = await openWithProvider({}, {}, { log });
  await add(dashboard, 0, 'ana@example.com', 'viewer');
  const cookies = new Map<string, string>();
  const { callback, cookie } = await dashboard.arrive('ana@example.com', { cookies });
  await fetch(callback, { redirect: 'manual' });
  const text = lines.join('');
  expect(text).toContain('refused');
  const secrets = [CLIENT_SECRET, cookie.split('=')[1] ?? '', callback.searchParams.get('code') ?? '', 'eyJ'];
  for (const secret of secrets) {
    expect(secret).not.toBe('');
    expect(text).not.toContain(secret);
  }
});

test('a provider that is away is asked again, and clear text to another machine is refused', async () => {
  await expect(openWithProvider({}, { DASHBOARD_OIDC_ISSUER: 'http://id.example.com' })).rejects.toThrow(
    'https',
  );
  await expect(openWithProvider({}, { DASHBOARD_OIDC_CLIENT_ID: '' })).rejects.toThrow(
    'DASHBOARD_OIDC_CLIENT_ID',
  );
  await expect(openWithProvider({}, { DASHBOARD_OIDC_GROUPS: '{"x":"root"}' })).rejects.toThrow(
    'viewer, operator, admin',
  );
  const dashboard = await openWithProvider({}, { DASHBOARD_OIDC_ISSUER: 'http://127.0.0.1:1' });
  const start = await dashboard.call('GET', '/api/sign-in/start');
  expect([start.status, start.headers.get('location')]).toEqual([303, '/#sign-in=unreachable']);
});
