/** People who ask: everything that is kept of them, its erasure, and that nothing brings them back. */
import { parseKeyRing, plainHash, rekeyTenant } from '@stratum/shared';
import { PERSONAL_DATA } from '@stratum/shared/privacy';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openEventsApi, type EventsApi } from './customer-events/fixture.js';
import { TENANT } from './fixture.js';

const EMAIL = 'ann.person@example.com';
const PHONE = '4915100012345';
const ANN = { userId: 'user-ann', traits: { email: EMAIL, phone: `+${PHONE}`, plan: 'pro' } };

/** Tables with no row of a tenant and no text of one: of the platform's own work, and of the people who operate it. */
const OF_THE_PLATFORM: readonly string[] = [
  'dashboard_link',
  'dashboard_session',
  'deployment_mark',
  'failure_state',
  'gauge_10s',
  'latest_sample',
  'projector',
  'projector_gap',
  'schema_migration',
  'task_hour',
  'task_minute',
  'task_name',
  'tenant',
  'worker_name',
  'worker_version',
];

/** Every table of tenants in which a text is found, and every stream. */
async function placesOf({ database, connection, prefix }: EventsApi, text: string): Promise<string[]> {
  const { owner } = database;
  const found: string[] = [];
  const { rows } = await owner.query<{ name: string }>('SELECT name FROM tenant_tables()');
  for (const { name } of rows) {
    const { rowCount } = await owner.query(
      `SELECT FROM ${name} t WHERE tenant_id = $1 AND (to_jsonb(t)::text ILIKE $2 OR to_jsonb(t)::text LIKE $3) LIMIT 1`,
      [TENANT, `%${text}%`, `%${Buffer.from(text).toString('hex')}%`],
    );
    if (rowCount !== 0) found.push(name.replace(/_(\d{8}|\d{4}_\d{2}|rest)$/, ''));
  }
  for (const name of ['operation', 'operation_item']) {
    const { rowCount } = await owner.query(`SELECT FROM ${name} t WHERE to_jsonb(t)::text ILIKE $1`, [
      `%${text}%`,
    ]);
    if (rowCount !== 0) found.push(name);
  }
  const manager = await jetstreamManager(connection);
  for await (const { config, state } of manager.streams.list()) {
    if (!config.name.startsWith(prefix)) continue;
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(config.name, { seq }).catch(() => undefined);
      if (message?.string().toLowerCase().includes(text) === true) {
        found.push(config.name.slice(prefix.length + 1));
        break;
      }
    }
  }
  return found;
}

async function openWithAnn(): Promise<{ api: EventsApi; ann: number; other: number }> {
  const api = await openEventsApi();
  api.startIngestion();
  await api.send('/v1/identify', ANN);
  await api.send('/v1/track', { anonymousId: 'device-ann', event: 'Seen' });
  // In one batch with the next event there would be one profile from the start, and nothing to merge.
  await api.stored(2);
  await api.send('/v1/track', {
    userId: 'user-ann',
    anonymousId: 'device-ann',
    event: 'Order Completed',
    properties: { note: `for ${EMAIL}` },
  });
  await api.send('/v1/identify', { userId: 'user-bob', traits: { email: 'bob@example.com' } });
  await api.stored(4);
  const id = async (who: string): Promise<number> =>
    Number((await api.call('GET', `/v1/profiles/lookup?user_id=${who}`)).body['id']);
  const ann = await id('user-ann');
  await waitFor(
    'the merge',
    async () => (await api.call('GET', '/v1/profiles/lookup?anonymous_id=device-ann')).body['id'] === ann,
  );
  const { query } = api;
  await query(
    `INSERT INTO cdp_rejected_event (tenant_id, error, payload) VALUES ($1, 'x', convert_to($2, 'UTF8'))`,
    [TENANT, JSON.stringify({ traits: { email: EMAIL } })],
  );
  await query(
    `INSERT INTO domain_event (tenant_id, type, data, occurred_at) VALUES ($1, 'segment.entered', $2, now())`,
    [TENANT, JSON.stringify({ segment_id: 1, profile_ids: [ann], external_ids: ['user-ann'] })],
  );
  const other = await id('user-bob');
  // As the relay has published it.
  const { connection, prefix } = api;
  await (
    await jetstreamManager(connection)
  ).streams.add({ name: `${prefix}_DOMAIN_EVENTS`, subjects: [`${prefix}.domain.>`] });
  for (const [user, profile] of [
    ['user-ann', ann],
    ['user-bob', other],
  ] as const)
    await jetstream(connection).publish(
      `${prefix}.domain.${TENANT}.segment.entered`,
      JSON.stringify({ type: 'segment.entered', data: { profile_ids: [profile], external_ids: [user] } }),
    );
  return { api, ann, other };
}

test('the inventory of personal data names every table of tenants', async () => {
  const { query } = await openEventsApi();
  const tables = await query<{ name: string }>('SELECT name FROM tenant_tables()');
  const names = new Set(tables.map(({ name }) => name.replace(/_(\d{8}|\d{4}_\d{2}|rest)$/, '')));
  const known = new Set(Object.keys(PERSONAL_DATA));
  expect([...names].filter((name) => !known.has(name))).toEqual([]);
  const all = await query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`,
  );
  expect(all.map(({ name }) => name).toSorted()).toEqual([...known, ...OF_THE_PLATFORM].toSorted());
});

test('everything of a person is exported and erased, whatever names them, and repeated events do not bring them back', async () => {
  const { api, ann, other } = await openWithAnn();
  const { client, call, query, keys } = api;
  // In the broker: a result, a dead letter and a task that waits.
  const waiting = await client.publish(
    'intel',
    'fetch_competitor_data',
    { note: EMAIL },
    { tenant: TENANT, delayMs: 3_600_000 },
  );
  // An operation of the dashboard, whose search and errors name the person.
  await query(
    `INSERT INTO operation (id, verb, query, as_of, complete, actor) VALUES ('one', 'replay', $1, now(), true, 'x')`,
    [`error:${EMAIL}`],
  );
  await query(
    `INSERT INTO operation_item (operation_id, place, id, task, queue, tenant, was, detail) VALUES ('one', 1, 'x', 'x', 'x', $1, 'x', $2)`,
    [String(TENANT), `${EMAIL} is unknown`],
  );
  expect(await placesOf(api, EMAIL)).toEqual(
    expect.arrayContaining(['cdp_event', 'cdp_rejected_event', 'operation', 'operation_item', 'QUEUE_INTEL']),
  );

  const exported = await call('GET', `/v1/profiles/${ann}/export`);
  expect(exported.headers.get('cache-control')).toBe('no-store');
  expect(exported).toMatchObject({
    status: 200,
    body: {
      identifiers: expect.arrayContaining([
        { type: 'email', value: EMAIL },
        { type: 'phone', value: PHONE },
      ]),
    },
  });
  expect(Object.keys(exported.body['data'] ?? {})).toEqual(
    expect.arrayContaining(['cdp_profile', 'cdp_identity', 'cdp_event', 'cdp_merge']),
  );
  expect(
    (await call('POST', '/v1/profiles/export', { body: { email: EMAIL.toUpperCase() } })).body['profile_ids'],
  ).toEqual(exported.body['profile_ids']);
  // Neither another tenant nor a key without the right.
  expect((await call('DELETE', `/v1/profiles/${ann}`, { key: keys.otherTenant })).status).toBe(404);
  const reader = await api.createKey(TENANT, ['profiles:read']);
  expect((await call('DELETE', `/v1/profiles/${ann}`, { key: reader.text })).status).toBe(403);

  const erased = await call('DELETE', `/v1/profiles/${ann}`);
  expect(erased).toMatchObject({
    status: 200,
    body: {
      rows: { cdp_event: 3, cdp_profile: 2, cdp_rejected_event: 1, domain_event: 1 },
      messages: { tasks: 1, domain_events: 1 },
    },
  });
  for (const text of [EMAIL, PHONE, 'user-ann', 'device-ann'])
    expect(await placesOf(api, text), text).toEqual([]);
  expect((await client.status(waiting.id))?.state).not.toBe('SCHEDULED');
  expect((await call('GET', `/v1/profiles/${ann}/export`)).status).toBe(404);
  // The other person is untouched.
  expect((await call('GET', `/v1/profiles/${other}`)).body['total_events']).toBe(1);

  // Sent again, new or old; a later event of the other person shows that they have been read.
  await api.send('/v1/identify', { ...ANN, timestamp: '2020-01-01T00:00:00Z' });
  await api.send('/v1/track', { anonymousId: 'device-ann', event: 'Seen' });
  await api.send('/v1/identify', { userId: 'somebody', traits: { email: EMAIL } });
  await api.send('/v1/track', { userId: 'user-bob', event: 'Seen' });
  await waitFor(
    'the other event',
    async () => (await call('GET', `/v1/profiles/${other}`)).body['total_events'] === 2,
  );
  expect(await placesOf(api, EMAIL)).toEqual([]);
  expect(await query('SELECT FROM cdp_profile')).toHaveLength(1);
  // When the time is over, they may come again.
  await query('UPDATE erased_person SET blocked_until = now()');
  await api.send('/v1/identify', ANN);
  await waitFor(
    'the new profile',
    async () => (await call('GET', '/v1/profiles/lookup?user_id=user-ann')).status === 200,
  );
});

test('stored hashes have a key, differ between tenants, and plain ones are changed while people are found', async () => {
  const { api, ann } = await openWithAnn();
  const { query, call, database, keyText } = api;
  const plain = plainHash(EMAIL);
  const hashes = (): Promise<{ hash: string; hash_key_id: string | null }[]> =>
    query(
      `SELECT encode(value_hash, 'hex') AS hash, hash_key_id FROM cdp_identity WHERE tenant_id = $1 AND type = 'email' AND profile_id = $2`,
      [TENANT, ann],
    );
  const [keyed] = await hashes();
  expect(keyed).toMatchObject({ hash_key_id: expect.any(String) });
  expect(keyed?.hash).not.toBe(plain);
  // As a version before has stored it.
  await query(
    `UPDATE cdp_identity SET value_hash = decode($1, 'hex'), hash_key_id = NULL, ciphertext = NULL, key_id = NULL WHERE tenant_id = $2 AND type = 'email' AND profile_id = $3`,
    [plain, TENANT, ann],
  );
  const find = async (): Promise<unknown> =>
    (await call('GET', `/v1/profiles/lookup?email=${EMAIL}`)).body['id'];
  expect(await find()).toBe(ann);
  const worker = database.as('stratum_default_worker');
  const signal = new AbortController().signal;
  expect(await rekeyTenant(worker, parseKeyRing(keyText), TENANT, signal)).toEqual({ changed: 1, kept: 0 });
  expect(await hashes()).toEqual([keyed]);
  expect(await find()).toBe(ann);
  // A new key in front of the ring: what is stored follows.
  const ring = parseKeyRing(`next:${Buffer.alloc(32, 9).toString('base64')},${keyText}`);
  const rekeyed = await rekeyTenant(worker, ring, TENANT, signal);
  expect(rekeyed.changed).toBeGreaterThan(3);
  expect(await rekeyTenant(worker, ring, TENANT, signal)).toMatchObject({ changed: 0 });
});
