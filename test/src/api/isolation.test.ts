/** No tenant can see or guess another's data: every route, with another tenant's key. */
import { expect, test } from 'vitest';
import { fill, makeBelongings, MARK, SHARED, type Belongings } from './belongings.js';
import { openApi, type Api } from './fixture.js';

interface Description {
  paths: Record<string, Record<string, { security?: { key?: [] }[]; 'x-scope'?: string }>>;
}

/** Another id of the same form, which nobody has. */
function alike(id: string): string {
  const last = id.at(-1) ?? '';
  const [digits, hexadecimal] = ['0123456789', 'abcdef'];
  const row = [digits, hexadecimal].find((letters) => letters.includes(last)) ?? 'ghijklmnopqrstuvwxyz';
  return id.slice(0, -1) + row.charAt((row.indexOf(last) + 1) % row.length);
}

/** A body that would be taken, where a route needs one: what is refused for its body proves nothing. */
const BODIES: Record<string, unknown> = {
  'POST /v1/operations/{id}/start': {},
  'POST /v1/run-events/{name}': { payload: 'mine' },
  'PUT /v1/usage/limits/{name}': { limit: 1 },
  'PATCH /v1/schedules/{name}': { enabled: false },
  'PATCH /v1/subscriptions/{id}': { description: 'mine' },
  'PATCH /v1/sources/{id}': { name: 'mine' },
  'PATCH /v1/webhooks/{id}': { name: 'mine' },
  'PATCH /v1/competitors/{id}': { status: 'paused' },
  'PATCH /v1/cms/sites/{id}': { user_name: 'mine' },
  'PATCH /v1/cms/posts/{id}': { status: 'archived' },
  'PATCH /v1/whatsapp/accounts/{id}': { status: 'paused' },
  'PATCH /v1/whatsapp/contacts/{id}': { opted_out_at: '2026-11-29T13:00:00Z' },
  'PATCH /v1/whatsapp/templates/{id}': { status: 'rejected' },
  'PATCH /v1/whatsapp/messages/{id}': { state: 'suppressed' },
  'PATCH /v1/accounts/{id}': { conversion_actions: null },
  'POST /v1/accounts/{id}/reconnect': { credentials: { accessToken: 'mine' } },
  'PATCH /v1/tenants/{id}': { plan: 'growth' },
  'PATCH /v1/rules/{id}': { status: 'paused' },
  'PATCH /v1/segments/{id}': { name: 'mine' },
  'PATCH /v1/funnels/{id}': { name: 'mine' },
  'PATCH /v1/shared-costs/{id}': { amount: 2 },
  'POST /v1/webhooks/{id}/rotate': {},
  'POST /v1/webhooks/{id}/deliveries/replay': {},
  'POST /v1/dead-letters/{id}/replay': {},
};

test('every route hides other tenants’ data', { timeout: 120_000 }, async () => {
  const api = await openApi({ API_RATE_LIMIT: '100000', API_FAILED_KEYS_LIMIT: '100000' });
  const belongings = await makeBelongings(api);
  const { body: description } = await api.call<Description>('GET', '/openapi.json', { key: null });
  const routes = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.security?.some((scheme) => 'key' in scheme))
      .map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const before = await everythingOf(api, belongings);
  let tried = 0;
  for (const { path, method } of routes) {
    const route = `${method} ${path}`;
    const filled = fill(path, belongings);
    expect(filled, `${route}: add what it names to this test`).toBeDefined();
    const body = BODIES[route];
    const options = { key: api.keys.otherTenant, ...(body === undefined ? {} : { body }) };
    const reply = await api.call(method, filled ?? '', options);
    // An answer may repeat what was asked for, in its own words; it may show nothing that has the mark as a value.
    expect(JSON.stringify(reply.body), route).not.toContain(`"${MARK}"`);
    if (path.includes('{') && !Object.keys(SHARED).some((place) => path.startsWith(place))) {
      // The same answer as for what nobody has: nothing to tell the two apart by.
      const nobody = Object.fromEntries(Object.entries(belongings).map(([place, id]) => [place, alike(id)]));
      const unknown = await api.call(method, fill(path, nobody) ?? '', options);
      expect(reply.status, route).toBe(404);
      expect(unknown.status, route).toBe(404);
      expect(withoutIds(reply.body['detail']), route).toBe(withoutIds(unknown.body['detail']));
      tried++;
    }
  }
  expect(tried).toBeGreaterThanOrEqual(30);
  // Nor has any of it changed what the first tenant has.
  expect(await everythingOf(api, belongings)).toEqual(before);
});

const LISTED: Record<string, string> = {
  '/v1/keys/{id}': '/v1/keys',
  '/v1/subscriptions/{id}/deliveries/{event}': '/v1/subscriptions',
};

async function everythingOf(api: Api, belongings: Belongings): Promise<unknown> {
  const seen: Record<string, unknown> = {};
  for (const [place, id] of Object.entries(belongings)) {
    // A key and a delivery are shown only in lists.
    const path = LISTED[place] ?? place.replace(/\{[^}]+\}$/, id);
    const { status, body } = await api.call('GET', path);
    expect(status, place).toBe(200);
    seen[place] = withoutTimes(body);
  }
  return seen;
}

/** What an answer says besides what was asked for. */
function withoutIds(text: unknown): string {
  return String(text).replaceAll(/"[^"]*"|\d+/g, '…');
}

/** Of keys their last use, of entries their next times: they change by themselves. */
function withoutTimes(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, value: unknown) =>
      ['last_used_at', 'next', 'upcoming', 'warnings'].includes(key) ? null : value,
    ),
  );
}
