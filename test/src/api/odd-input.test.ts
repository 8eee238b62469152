/** Input that no proper client would send is refused with the reason, and breaks nothing. */
import { expect, test } from 'vitest';
import { OTHER_TENANT, openApi, TENANT, type Reply } from './fixture.js';

const NUL = 'a\u0000b';
const DAY_MS = 86_400_000;

test('a text with a NUL character is refused by the name of its field', async () => {
  const { call } = await openApi();
  const sender = { url: 'https://example.com/hook', event_types: ['sync.completed'] };
  const wrong = [
    ['/v1/sources', { name: NUL }, 'body.name'],
    ['/v1/sources', { name: 'a', allowed_origins: [`https://${NUL}`] }, 'body.allowed_origins.0'],
    ['/v1/webhooks', { source: 'github', name: NUL }, 'body.name'],
    ['/v1/keys', { name: NUL, scopes: ['tasks:read'] }, 'body.name'],
    ['/v1/subscriptions', { ...sender, description: NUL }, 'body.description'],
  ] as const;
  for (const [path, body, field] of wrong) {
    expect(await call('POST', path, { body }), `${path} ${field}`).toMatchObject({
      status: 422,
      body: { errors: [expect.objectContaining({ field })] },
    });
  }
  expect(await call('GET', '/v1/profiles/lookup?user_id=%00')).toMatchObject({
    status: 400,
    body: { errors: [expect.objectContaining({ field: 'query.user_id' })] },
  });
});

test('a platform key must name an existing tenant, in digits', async () => {
  const { call, keys } = await openApi();
  const make = (tenant: string, name: string): Promise<Reply> =>
    call('POST', '/v1/sources', {
      key: keys.platform,
      headers: { 'stratum-tenant': tenant },
      body: { name },
    });
  for (const tenant of ['', '0x1', '1e0', '1.0', '-1', '+1', 'one', '9'.repeat(16)])
    expect((await make(tenant, 'odd')).status, JSON.stringify(tenant)).toBe(403);
  const unknown = await make('999', 'nobody');
  expect(unknown).toMatchObject({ status: 404, body: { detail: expect.stringContaining('Stratum-Tenant') } });
  expect((await make(String(OTHER_TENANT), 'somebody')).status).toBe(201);
  const own = { headers: { 'stratum-tenant': String(TENANT) } };
  expect((await call('GET', '/v1/sources', own)).status).toBe(200);
});

test('a time that lies years ahead is accepted, as from any other producer', async () => {
  const { call } = await openApi();
  const options = { eta: new Date(Date.now() + 3_000 * DAY_MS).toISOString() };
  expect(await call('POST', '/v1/tasks/evaluate_rules', { body: { payload: {}, options } })).toMatchObject({
    status: 202,
    body: { state: 'SCHEDULED' },
  });
});

test('a HEAD request for a stream of events is refused: it would never end', async () => {
  const { call } = await openApi();
  const options = { delay_ms: 3_600_000 };
  const { body } = await call('POST', '/v1/tasks/evaluate_rules', { body: { payload: {}, options } });
  const path = `/v1/tasks/${String(body['id'])}`;
  expect((await call('HEAD', `${path}/events`)).status).toBe(404);
  expect((await call('HEAD', path)).status).toBe(200);
});

test.each(['/v1/keys', '/v1/webhooks'])('%s is paginated', async (path) => {
  const { call, keys } = await openApi();
  // Of the other tenant there is one key, and nothing else.
  const asked = { key: keys.otherTenant };
  const made: string[] = [];
  for (let count = 0; count < 5; count++) {
    const common = { name: `n${count}` };
    const body =
      path === '/v1/keys' ? { ...common, scopes: ['tasks:read'] } : { ...common, source: 'github' };
    made.push(String((await call('POST', path, { ...asked, body })).body['id']));
  }
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = `limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page: Reply<{ items: { id: string }[]; next_cursor: string | null }> = await call(
      'GET',
      `${path}?${query}`,
      asked,
    );
    expect(page.body.items.length).toBeLessThanOrEqual(2);
    seen.push(...page.body.items.map(({ id }) => id));
    cursor = page.body.next_cursor;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(expect.arrayContaining(made));
  expect((await call('GET', `${path}?limit=201`, asked)).status).toBe(400);
  expect((await call('GET', `${path}?cursor=bm9uZQ`, asked)).status).toBe(400);
});
