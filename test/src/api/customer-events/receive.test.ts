/** Customer events that the API accepts or refuses, and its messages. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../../harness/index.js';
import { OTHER_TENANT, TENANT } from '../fixture.js';
import { basic, openEventsApi } from './fixture.js';

const noteSchema = z.object({
  data: z.array(z.object({ outcome: z.string(), field: z.string(), events: z.int() })),
});
const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../../fixtures', name), 'utf8');

const track = (fields: Record<string, unknown> = {}): Record<string, unknown> => ({
  type: 'track',
  event: 'Product Viewed',
  userId: 'u-1',
  messageId: 'm-1',
  ...fields,
});

describe('the paths', () => {
  test('take every type of event, in full and abbreviated, and bring it into the database', async () => {
    const api = await openEventsApi();
    api.startIngestion();
    const bodies = {
      identify: { userId: 'u-1', traits: { plan: 'pro', email: 'Ann@Example.com' } },
      track: { userId: 'u-1', event: 'Order Completed', properties: { revenue: 12.5 } },
      page: { anonymousId: 'a-1', name: 'Home', properties: { url: 'https://shop.example/' } },
      screen: { anonymousId: 'a-1', name: 'Start' },
      group: { userId: 'u-1', groupId: 'g-1', traits: { name: 'Acme' } },
      alias: { userId: 'u-1', previousId: 'a-9' },
    };
    for (const [type, body] of Object.entries(bodies)) {
      for (const path of [`/v1/${type}`, `/v1/${type.charAt(0)}`]) {
        const reply = await api.send(path, { ...body, messageId: path });
        expect(reply, path).toMatchObject({ status: 200, body: { success: true } });
      }
    }
    const batch = [track({ messageId: 'b-1' }), { ...track({ messageId: 'b-2' }), type: 't' }];
    for (const path of ['/v1/batch', '/v1/b', '/v1/import'])
      expect(await api.send(path, { batch }), path).toMatchObject({ status: 200, body: { success: true } });
    const stored = await api.stored(14);
    expect(stored.map(({ message_id: id, name }) => [id, name])).toEqual([
      ['/v1/a', 'User Aliased'],
      ['/v1/alias', 'User Aliased'],
      ['/v1/g', 'Group Joined'],
      ['/v1/group', 'Group Joined'],
      ['/v1/i', 'User Identified'],
      ['/v1/identify', 'User Identified'],
      ['/v1/p', 'Page Viewed'],
      ['/v1/page', 'Page Viewed'],
      ['/v1/s', 'Screen Viewed'],
      ['/v1/screen', 'Screen Viewed'],
      ['/v1/t', 'Order Completed'],
      ['/v1/track', 'Order Completed'],
      ['b-1', 'Product Viewed'],
      ['b-2', 'Product Viewed'],
    ]);
    expect(stored.find(({ message_id: id }) => id === '/v1/p')?.properties).toEqual({
      name: 'Home',
      url: 'https://shop.example/',
    });
    const profiles = await api.query(
      'SELECT external_id, traits, total_events::int, total_purchases::int, total_revenue::float8 FROM cdp_profile WHERE merged_into IS NULL AND external_id IS NOT NULL',
    );
    expect(profiles).toEqual([
      {
        external_id: 'u-1',
        traits: { plan: 'pro', groupId: 'g-1' },
        total_events: 10,
        total_purchases: 2,
        total_revenue: 25,
      },
    ]);
  });

  test('read JSON whatever it is called, and compressed', async () => {
    const { send, accepted } = await openEventsApi();
    const text = JSON.stringify(track());
    for (const type of [
      'text/plain',
      'text/plain;charset=UTF-8',
      'application/x-www-form-urlencoded',
      'application/json',
    ])
      expect(await send('/v1/t', text, { 'content-type': type }), type).toMatchObject({ status: 200 });
    expect(await send('/v1/track', Buffer.from(text))).toMatchObject({ status: 200 });
    const zipped = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
    expect(await send('/v1/track', gzipSync(text), zipped)).toMatchObject({ status: 200 });
    expect(await accepted()).toHaveLength(6);
    expect(await send('/v1/track', '{"event":')).toMatchObject({ status: 400 });
    expect(await send('/v1/track', '[]')).toMatchObject({ status: 400 });
    expect(await send('/v1/track', '')).toMatchObject({ status: 400 });
  });
});

describe('a write key', () => {
  test('comes by Basic authentication, as a bearer, or in the body', async () => {
    const { call, writeKey, accepted } = await openEventsApi();
    const ways = [
      { headers: { authorization: basic(writeKey) }, body: track() },
      { headers: { authorization: `Bearer ${writeKey}` }, body: track() },
      { headers: {}, body: track({ writeKey }) },
      { headers: { authorization: 'Bearer a.token.of.something' }, body: track({ writeKey }) },
    ];
    for (const way of ways)
      expect(
        await call('POST', '/v1/track', { key: null, ...way }),
        JSON.stringify(way.headers),
      ).toMatchObject({ status: 200 });
    expect(JSON.stringify(await accepted())).not.toContain(writeKey);
  });

  test('that is missing, unknown, disabled or removed is refused', async () => {
    const { call, send, keys, sourceId } = await openEventsApi();
    const post = (authorization?: string) =>
      call('POST', '/v1/track', {
        key: null,
        body: track(),
        headers: authorization === undefined ? {} : { authorization },
      });
    expect(await post()).toMatchObject({ status: 401, body: { type: '/problems/unauthenticated' } });
    expect(await post(basic('wk_0123456789abcdef0123456789abcdef'))).toMatchObject({ status: 401 });
    expect(await post(basic('something else'))).toMatchObject({ status: 401 });
    // A key of the API is no write key.
    expect(await post(`Bearer ${keys.tenant}`)).toMatchObject({ status: 401 });
    await call('PATCH', `/v1/sources/${sourceId}`, { body: { status: 'disabled' } });
    expect(await send('/v1/track', track())).toMatchObject({ status: 401 });
  });

  test('decides whose the events are', async () => {
    const api = await openEventsApi();
    api.startIngestion();
    const { body } = await api.call('POST', '/v1/sources', {
      key: api.keys.otherTenant,
      body: { name: 'Web site' },
    });
    await api.send('/v1/track', track());
    await api.send('/v1/track', track(), { authorization: basic(String(body['write_key'])) });
    const rows = await waitFor('both', async () => {
      const found = await api.query('SELECT tenant_id::int FROM cdp_event ORDER BY 1');
      return found.length > 1 && found;
    });
    expect(rows).toEqual([{ tenant_id: TENANT }, { tenant_id: OTHER_TENANT }]);
  });
});

describe('invalid events', () => {
  test('are reported one by one, and the others stored', async () => {
    const { send, accepted } = await openEventsApi();
    const reply = await send('/v1/batch', {
      batch: [
        track({ messageId: 'good' }),
        track({ event: undefined }),
        { type: 'track', event: 'x' },
        track({ type: 'purchase' }),
        'text',
        track({ timestamp: 'yesterday' }),
        track({ userId: 'null' }),
        { type: 'group', userId: 'u' },
        { type: 'alias', userId: 'u' },
        track({ properties: 'none' }),
        track({ userId: 7, messageId: 'number' }),
        track({ userId: 'undefined', anonymousId: 'a-1', messageId: 'anonymous' }),
      ],
    });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ success: true });
    const problems = reply.body['errors'];
    expect(problems).toMatchObject([
      { index: 1, field: 'event' },
      { index: 2, field: 'userId' },
      { index: 3, field: 'type' },
      { index: 4, field: '(event)' },
      { index: 6, field: 'userId' },
      { index: 7, field: 'groupId' },
      { index: 8, field: 'previousId' },
    ]);
    expect(reply.body['repaired']).toMatchObject([
      { index: 5, field: 'timestamp' },
      { index: 9, field: 'properties' },
    ]);
    expect((await accepted()).map(({ messageId, userId }) => [messageId, userId])).toEqual([
      ['good', 'u-1'],
      ['m-1', 'u-1'],
      ['m-1', 'u-1'],
      ['number', '7'],
      ['anonymous', 'undefined'],
    ]);
  });

  test('and no other make a request a bad one', async () => {
    const { send, accepted } = await openEventsApi();
    expect(await send('/v1/batch', { batch: [track({ event: '' })] })).toMatchObject({
      status: 400,
      body: { errors: [{ index: 0, field: 'event' }] },
    });
    expect(await send('/v1/track', { userId: 'u' })).toMatchObject({ status: 400 });
    expect(await send('/v1/batch', { batch: [] })).toMatchObject({ status: 400 });
    expect(await send('/v1/batch', {})).toMatchObject({ status: 400 });
    expect(await accepted()).toEqual([]);
  });

  test('are those over 32 KiB, and a request over 500 KiB is refused', async () => {
    const { send, accepted } = await openEventsApi();
    const large = track({ messageId: 'large', properties: { text: 'ä'.repeat(17_000) } });
    expect(await send('/v1/track', large)).toMatchObject({
      status: 400,
      body: { errors: [{ field: '(event)' }] },
    });
    expect(await send('/v1/batch', { batch: [large, track()] })).toMatchObject({
      status: 200,
      body: { errors: [{ index: 0, message: expect.stringContaining('32768') }] },
    });
    const full = Array.from({ length: 16 }, (_, n) =>
      track({ messageId: `full-${n}`, properties: { text: 'x'.repeat(30_000) } }),
    );
    expect(await send('/v1/batch', { batch: full })).toMatchObject({ status: 200, body: { success: true } });
    const over = JSON.stringify({ batch: [...full, ...full] });
    expect(await send('/v1/batch', over)).toMatchObject({ status: 413 });
    const bomb = gzipSync(JSON.stringify({ batch: [], rest: 'x'.repeat(50_000_000) }));
    expect(await send('/v1/batch', bomb, { 'content-encoding': 'gzip' })).toMatchObject({ status: 413 });
    let nested = '1';
    for (let level = 0; level < 3_000; level++) nested = `[${nested}]`;
    expect(await send('/v1/track', `{"event":"x","userId":"u","properties":{"a":${nested}}}`)).toMatchObject({
      status: 400,
    });
    expect(await accepted()).toHaveLength(1 + full.length);
  });
});

describe('events as senders really write them', () => {
  test('are taken, and everything that was changed or refused is counted for the source', async () => {
    const api = await openEventsApi();
    api.startIngestion();
    const php: unknown = JSON.parse(fixture('segment-php-empty.json'));
    const times: unknown[] = JSON.parse(fixture('segment-times.json'));
    expect(await api.send('/v1/track', php)).toMatchObject({ status: 200 });
    for (const [n, timestamp] of times.entries())
      expect(await api.send('/v1/track', track({ messageId: `t-${n}`, timestamp }))).toMatchObject({
        status: 200,
      });
    // Digits that a number of JavaScript does not hold, and a byte order mark.
    for (const line of fixture('segment-64-bit-ids.jsonl').trim().split('\n'))
      expect(await api.send('/v1/identify', `\uFEFF${line}`)).toMatchObject({ status: 200 });
    expect(
      await api.send('/v1/track', JSON.parse(fixture('rudderstack-original-timestamp.json'))),
    ).toMatchObject({
      status: 200,
    });
    expect(await api.send('/v1/track', { userId: 'u' })).toMatchObject({ status: 400 });
    const stored = await api.stored(9);
    const byId = new Map(stored.map((event) => [event.message_id, event]));
    for (const n of [0, 1]) expect(byId.get(`t-${n}`)?.occurred_at).toEqual(byId.get(`t-${n}`)?.received_at);
    expect([2, 3, 4].map((n) => byId.get(`t-${n}`)?.occurred_at.toISOString())).toEqual([
      '2025-11-20T00:53:20.000Z',
      '2026-11-20T01:00:30.000Z',
      '2026-11-20T01:00:30.000Z',
    ]);
    const late = byId.get('rs-1');
    expect((late?.received_at.getTime() ?? 0) - (late?.occurred_at.getTime() ?? 0)).toBe(48 * 3_600_000);
    expect(byId.get('n1')?.profile_id).not.toBe(byId.get('n2')?.profile_id);
    const notes = await waitFor('the notes', async () => {
      const reply = await api.call('GET', `/v1/sources/${api.sourceId}/notes`);
      const found = noteSchema.parse(reply.body).data;
      return found.some(({ outcome }) => outcome === 'rejected') && found;
    });
    expect(
      Object.fromEntries(notes.map(({ outcome, field, events }) => [`${outcome} ${field}`, events])),
    ).toEqual({
      'repaired context': 1,
      'repaired properties': 1,
      'repaired timestamp': expect.any(Number),
      'rejected event': 1,
    });
    expect((await api.call('GET', `/v1/sources/${api.sourceId}`)).body).toMatchObject({
      repaired: 5,
      rejected: 1,
    });
    expect(await api.call('GET', '/v1/sources/999/notes')).toMatchObject({ status: 404 });
  });
});

describe('the time of an event', () => {
  const HOUR = 3_600_000;

  test('is corrected by how wrong the sender’s clock is, and never lies in the future', async () => {
    const { send, accepted } = await openEventsApi();
    const now = Date.now();
    const at = (offset: number): string => new Date(now + offset).toISOString();
    const cases: [id: string, fields: Record<string, unknown>, expected: number, isOriginalKept: boolean][] =
      [
        ['an hour ahead', { timestamp: at(HOUR - 60_000), sentAt: at(HOUR) }, -60_000, true],
        ['a year behind', { timestamp: at(-8_760 * HOUR - 5_000), sentAt: at(-8_760 * HOUR) }, -5_000, true],
        ['kept offline', { timestamp: at(-72 * HOUR), sentAt: at(0) }, -72 * HOUR, true],
        ['no sentAt', { timestamp: at(-5 * HOUR) }, -5 * HOUR, false],
        ['no sentAt, ahead', { timestamp: at(5 * HOUR) }, 0, true],
        ['after it was sent', { timestamp: at(2 * HOUR), sentAt: at(0) }, 0, true],
        ['never set', { timestamp: '1970-01-01T00:00:05Z', sentAt: at(0) }, 0, true],
        ['none', {}, 0, false],
        [
          'another zone',
          { timestamp: `${new Date(now - HOUR).toISOString().slice(0, 19)}+00:00` },
          -HOUR,
          false,
        ],
      ];
    const batch = cases.map(([messageId, fields]) => track({ messageId, ...fields }));
    expect(await send('/v1/batch', { batch })).toMatchObject({ status: 200, body: { success: true } });
    const events = await accepted();
    expect(events).toHaveLength(cases.length);
    for (const [index, [id, fields, expected, isOriginalKept]] of cases.entries()) {
      const event = events[index] ?? {};
      const off = Date.parse(String(event['timestamp'])) - (now + expected);
      expect(Math.abs(off), id).toBeLessThan(30_000);
      const original = isOriginalKept ? new Date(String(fields['timestamp'])).toISOString() : undefined;
      expect(event['originalTimestamp'], id).toBe(original);
    }
  });

  test('takes sentAt and context from the batch', async () => {
    const { send, accepted } = await openEventsApi();
    const now = Date.now();
    await send('/v1/batch', {
      sentAt: new Date(now - 600_000).toISOString(),
      context: { library: { name: 'ours' }, locale: 'de' },
      batch: [
        track({ timestamp: new Date(now - 660_000).toISOString(), context: { locale: 'fr' } }),
        track({ messageId: 'm-2' }),
      ],
    });
    const [first, second] = await accepted();
    expect(Math.abs(Date.parse(String(first?.['timestamp'])) - (now - 60_000))).toBeLessThan(30_000);
    expect(first?.['context']).toEqual({ library: { name: 'ours' }, locale: 'fr' });
    expect(second?.['context']).toEqual({ library: { name: 'ours' }, locale: 'de' });
  });
});

describe('limits', () => {
  test('of a write key get 429 with Retry-After', async () => {
    const { send } = await openEventsApi({ INGEST_RATE_LIMIT: '5' });
    const batch = Array.from({ length: 12 }, (_, n) => track({ messageId: `m-${n}` }));
    expect(await send('/v1/batch', { batch })).toMatchObject({ status: 200 });
    const refused = await send('/v1/batch', { batch });
    expect(refused).toMatchObject({ status: 429, body: { type: '/problems/rate-limited' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1_000 - 1);
  });

  test('of memory are a fault of the server: the sender tries again', async () => {
    const { send } = await openEventsApi({ INGEST_MEMORY_LIMIT: '1000' });
    expect(await send('/v1/track', track())).toMatchObject({ status: 200 });
    const refused = await send('/v1/track', track({ properties: { text: 'x'.repeat(2_000) } }));
    expect(refused).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });

  test('of the API do not count for events', async () => {
    const { send } = await openEventsApi({ API_RATE_LIMIT: '3' });
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, n) => send('/v1/track', track({ messageId: `m-${n}` }))),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('browsers', () => {
  const origin = 'https://shop.example';

  test('may ask from any page', async () => {
    const { call, send } = await openEventsApi();
    const preflight = await call('OPTIONS', '/v1/batch', {
      key: null,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('POST');
    for (const reply of [await send('/v1/t', track(), { origin }), await send('/v1/t', '{', { origin })])
      expect(reply.headers.get('access-control-allow-origin')).toBe(origin);
  });

  test('send from the pages that the source names, when it names any', async () => {
    const { send } = await openEventsApi({}, { allowedOrigins: [origin] });
    expect(await send('/v1/t', track(), { origin })).toMatchObject({ status: 200 });
    expect(await send('/v1/t', track(), { origin: 'https://elsewhere.example' })).toMatchObject({
      status: 403,
    });
    // A server has no origin.
    expect(await send('/v1/t', track())).toMatchObject({ status: 200 });
  });

  test('get the settings of their library', async () => {
    const { call, writeKey, url } = await openEventsApi();
    const headers = { origin };
    const reply = await call('GET', `/v1/projects/${writeKey}/settings`, { key: null, headers });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('access-control-allow-origin')).toBe(origin);
    expect(reply.body).toMatchObject({
      integrations: {
        'Segment.io': { apiKey: writeKey, apiHost: `${new URL(url).host}/v1`, protocol: 'http' },
      },
    });
    expect(await call('GET', '/v1/projects/wk_0123456789abcdef/settings', { key: null })).toMatchObject({
      status: 404,
    });
  });
});

test('while keys cannot be checked, known sources keep sending, and others are asked to retry', async () => {
  const { call, send, query, accepted } = await openEventsApi();
  expect(await send('/v1/track', track())).toMatchObject({ status: 200 });
  await query('REVOKE EXECUTE ON FUNCTION event_source_of_key(bytea) FROM stratum_api');
  const unknown = () =>
    call('POST', '/v1/track', { key: null, body: track({ writeKey: 'wk_0123456789abcdef' }) });
  const refused = await unknown();
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  // Longer than an answer of the database counts as fresh.
  const startedAt = Date.now();
  let sent = 1;
  await waitFor('the answer to be old', async () => {
    expect(await send('/v1/track', track({ messageId: `m-${++sent}` }))).toMatchObject({ status: 200 });
    return Date.now() - startedAt > 6_000;
  });
  expect(await accepted()).toHaveLength(sent);
  await query('GRANT EXECUTE ON FUNCTION event_source_of_key(bytea) TO stratum_api');
  await waitFor('the database to be asked again', async () => (await unknown()).status === 401);
});
