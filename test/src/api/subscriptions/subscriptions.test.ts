/** Subscriptions over HTTP: created, changed, separate for each tenant. */
import { auditNames, DOMAIN_EVENT_TYPES } from '@stratum/shared';
import { jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../../harness/index.js';
import { OTHER_TENANT, TENANT } from '../../harness/platform.js';
import { openOutgoing, type DeliveryView, type SubscriptionView } from './fixture.js';
import { openReceiver } from '../../default-worker/subscriptions/receiver.js';

const URL = 'https://example.com/hook';

describe('a subscription', () => {
  test('is created, shown, changed and removed; its secret is shown once and stored sealed', async () => {
    const { call, query, subscribe } = await openOutgoing({ worker: false });
    const made = await subscribe(URL, ['segment.entered', 'segment.entered', 'budget.depleted']);
    expect(made).toMatchObject({
      id: expect.stringMatching(/^[a-z0-9]{16}$/),
      event_types: ['segment.entered', 'budget.depleted'],
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    const { secret, ...shown } = made;
    expect(await call('GET', `/v1/subscriptions/${made.id}`)).toMatchObject({ status: 200, body: shown });
    expect((await call('GET', `/v1/subscriptions/${made.id}`)).body).not.toHaveProperty('secret');
    expect((await call('GET', '/v1/subscriptions')).body).toEqual({ items: [shown] });
    const [row] = await query<{ row: string }>('SELECT to_jsonb(s)::text AS row FROM subscription s');
    expect(row?.row).not.toContain(Buffer.from(secret).toString('hex'));
    const changed = await call('PATCH', `/v1/subscriptions/${made.id}`, {
      body: { url: 'https://example.org/', description: ' For the CRM ' },
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { url: 'https://example.org/', description: 'For the CRM', event_types: made.event_types },
    });
    expect((await call('DELETE', `/v1/subscriptions/${made.id}`)).status).toBe(204);
    expect((await call('GET', `/v1/subscriptions/${made.id}`)).status).toBe(404);
    expect((await call('DELETE', `/v1/subscriptions/${made.id}`)).status).toBe(404);
  });

  test('says which field is wrong', async () => {
    const { call, subscribe } = await openOutgoing({ worker: false });
    const { id } = await subscribe(URL);
    const wrong: [string, string, unknown, string][] = [
      ['POST', '/v1/subscriptions', { url: URL, event_types: [] }, 'body.event_types'],
      ['POST', '/v1/subscriptions', { url: URL, event_types: ['campaign.born'] }, 'body.event_types.0'],
      ['POST', '/v1/subscriptions', { url: URL, event_types: ['ping'] }, 'body.event_types.0'],
      ['PATCH', `/v1/subscriptions/${id}`, {}, 'body'],
      ['PATCH', `/v1/subscriptions/${id}`, { url: 'https://10.0.0.1/' }, 'body.url'],
      ['POST', `/v1/subscriptions/${id}/resume`, { replay: 'yes' }, 'body.replay'],
    ];
    for (const [method, path, body, field] of wrong) {
      const reply = await call(method, path, { body });
      expect([path, reply.status, reply.body['errors']]).toEqual([
        path,
        422,
        [expect.objectContaining({ field })],
      ]);
    }
  });

  test('is one of at most 50', async () => {
    const { call, query, subscribe } = await openOutgoing({ worker: false });
    await subscribe(URL);
    await query(
      `INSERT INTO subscription (tenant_id, id, url, event_types, secret, secret_key_id)
       SELECT tenant_id, lpad(n::text, 16, '0'), url, event_types, secret, secret_key_id FROM subscription, generate_series(1, 49) n`,
    );
    const refused = await call('POST', '/v1/subscriptions', {
      body: { url: URL, event_types: ['segment.entered'] },
    });
    expect(refused).toMatchObject({
      status: 403,
      body: { quota: { name: 'subscriptions', limit: 50, used: 50 } },
    });
  });

  test('belongs to its tenant alone: for another one no route finds it', async () => {
    const receiver = await openReceiver();
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { call, keys, query } = outgoing;
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const [delivery] = await outgoing.settled(id, ['delivered']);
    const foreign = await outgoing.subscribe(receiver.url, ['segment.entered'], { key: keys.otherTenant });
    const before = await query('SELECT to_jsonb(s) AS row FROM subscription s ORDER BY id');
    const event = delivery?.event_id ?? '';
    const asked: [string, string, unknown?][] = [
      ['GET', ''],
      ['PATCH', '', { description: 'mine' }],
      ['DELETE', ''],
      ['POST', '/rotate'],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/test'],
      ['GET', '/deliveries'],
      ['POST', `/deliveries/${event}/replay`],
    ];
    for (const [method, path, body] of asked) {
      const replies = [];
      for (const target of [id, 'aaaaaaaaaaaaaaaa']) {
        const reply = await call(method, `/v1/subscriptions/${target}${path}`, {
          key: keys.otherTenant,
          body,
        });
        replies.push([reply.status, String(reply.body['detail']).replace(target, '')]);
      }
      expect(replies[0], `${method} ${path}`).toEqual([404, expect.any(String)]);
      expect(replies[0], `${method} ${path}`).toEqual(replies[1]);
    }
    // Nor is an event of another tenant sent to one's own subscription.
    const stolen = await call('POST', `/v1/subscriptions/${foreign.id}/deliveries/${event}/replay`, {
      key: keys.otherTenant,
    });
    expect(stolen.status).toBe(404);
    expect((await call('GET', '/v1/subscriptions', { key: keys.otherTenant })).body).toMatchObject({
      items: [{ id: foreign.id }],
    });
    expect(await query('SELECT to_jsonb(s) AS row FROM subscription s ORDER BY id')).toEqual(before);
    expect(receiver.received).toHaveLength(1);
    // A key of the platform names whom it is about.
    expect((await call('GET', '/v1/subscriptions', { key: keys.platform })).status).toBe(400);
    const named = await call('GET', '/v1/subscriptions', {
      key: keys.platform,
      headers: { 'stratum-tenant': String(OTHER_TENANT) },
    });
    expect(named.body).toMatchObject({ items: [{ id: foreign.id }] });
  });

  test('is seen with webhooks:read and changed with webhooks:admin', async () => {
    const { call, createKey, subscribe } = await openOutgoing({ worker: false });
    const { id } = await subscribe(URL);
    const [reader, writer] = [
      await createKey(TENANT, ['webhooks:read']),
      await createKey(TENANT, ['webhooks:admin']),
    ];
    for (const path of ['', `/${id}`, `/${id}/deliveries`]) {
      expect((await call('GET', `/v1/subscriptions${path}`, { key: reader.text })).status).toBe(200);
      expect((await call('GET', `/v1/subscriptions${path}`, { key: writer.text })).status).toBe(403);
    }
    for (const path of ['rotate', 'pause', 'resume', 'test', 'deliveries/evt_1/replay'])
      expect((await call('POST', `/v1/subscriptions/${id}/${path}`, { key: reader.text })).status).toBe(403);
    expect((await call('GET', '/v1/event-types', { key: null })).status).toBe(401);
  });

  test('leaves each change in the audit trail, without its address or secret', async () => {
    const { call, connection, prefix, subscribe } = await openOutgoing({ worker: false });
    const { id } = await subscribe('https://example.com/hook?token=hidden');
    await call('POST', `/v1/subscriptions/${id}/pause`);
    await call('POST', `/v1/subscriptions/${id}/resume`);
    await call('POST', `/v1/subscriptions/${id}/rotate`);
    await call('DELETE', `/v1/subscriptions/${id}`);
    const manager = await jetstreamManager(connection);
    const { stream } = auditNames(prefix);
    const texts: string[] = [];
    for (let seq = 1; seq <= 5; seq++)
      texts.push((await manager.streams.getMessage(stream, { seq }))?.string() ?? '');
    expect(texts.map((text) => JSON.parse(text).action)).toEqual([
      'subscription.created',
      'subscription.paused',
      'subscription.resumed',
      'subscription.secret_rotated',
      'subscription.removed',
    ]);
    expect(texts.join('')).not.toMatch(/hidden|whsec/);
    expect(texts[0]).toContain('example.com');
  });
});

test('deliveries come in pages, the newest first, and by state', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const { id } = await outgoing.subscribe(receiver.url);
  for (let event = 1; event <= 7; event++) await outgoing.happen(event);
  await outgoing.settled(
    id,
    Array.from({ length: 7 }, () => 'delivered'),
  );
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page = await outgoing.call<{ items: DeliveryView[]; next_cursor: string | null }>(
      'GET',
      `/v1/subscriptions/${id}/deliveries?limit=3${query}`,
    );
    seen.push(...page.body.items.map(({ event_id: event }) => event));
    cursor = page.body.next_cursor;
  }
  const numbers = seen.map((event) => Number(event.slice('evt_'.length)));
  expect(numbers).toHaveLength(7);
  expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
  expect(await outgoing.deliveries(id, '?state=failed')).toEqual([]);
  expect((await outgoing.call('GET', `/v1/subscriptions/${id}/deliveries?state=lost`)).status).toBe(400);
  expect((await outgoing.call('GET', `/v1/subscriptions/${id}/deliveries?cursor=x`)).status).toBe(400);
});

test('event types are described with the schemas of their payloads', async () => {
  const { call } = await openOutgoing({ worker: false });
  const { status, body } = await call<{ items: { type: string; description: string; schema: unknown }[] }>(
    'GET',
    '/v1/event-types',
  );
  expect(status).toBe(200);
  expect(body.items.map(({ type }) => type)).toEqual(DOMAIN_EVENT_TYPES);
  for (const { type, description, schema } of body.items) {
    expect(description, type).not.toBe('');
    expect(schema, type).toMatchObject({
      type: 'object',
      required: ['type', 'timestamp', 'data'],
      properties: { type: { const: type }, data: { type: 'object' } },
    });
  }
});

test('a subscription that is removed in the middle of a delivery takes it along', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const made: SubscriptionView = await outgoing.subscribe(receiver.url);
  receiver.answer((response) => {
    void outgoing.call('DELETE', `/v1/subscriptions/${made.id}`).then(
      () => response.writeHead(204).end(),
      () => response.destroy(),
    );
  }, 204);
  await outgoing.happen(1);
  await waitFor('the event to arrive', () => receiver.received.length === 1);
  const other = await outgoing.subscribe(receiver.url, ['segment.exited']);
  await outgoing.record([
    {
      type: 'segment.exited',
      data: { segment_id: 1, profile_ids: [1], external_ids: [null] },
      at: new Date(),
    },
  ]);
  await outgoing.settled(other.id, ['delivered']);
  await waitFor('the removal', async () => {
    const { status } = await outgoing.call('GET', `/v1/subscriptions/${made.id}`);
    return status === 404;
  });
  expect(
    await outgoing.query('SELECT FROM outbound_webhook_message WHERE subscription_id = $1', [made.id]),
  ).toEqual([]);
  const { result } = await outgoing.client.result(`deliver-${made.id}-1`);
  expect(result).toMatchObject({ outcome: 'over' });
});
