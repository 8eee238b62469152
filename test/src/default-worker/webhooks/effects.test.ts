/** Effects of webhook events. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lookupHash, parseKeyRing, plainHash, rekeyTenant, sealCredentials } from '@stratum/shared';
import { Stripe } from 'stripe';
import { z } from 'zod';
import { describe, expect, test } from 'vitest';
import { OTHER_TENANT, TENANT } from '../../api/fixture.js';
import { openWebhooks, type Endpoint, type Webhooks } from '../../api/webhooks/fixture.js';
import { senderOf, type Sender } from '../../api/webhooks/senders.js';
import { sign as signForHub } from '@octokit/webhooks-methods';

const changeSchema = z.object({ value: z.record(z.string(), z.unknown()) });
const bodySchema = z.object({ entry: z.tuple([z.object({ changes: z.tuple([changeSchema]) })]) });
const NUMBER = '100200300';
const PHONE = '491510000001';

/** Posts a body of our own, signed as the sender does it. */
async function postSigned(
  webhooks: Webhooks,
  sender: Sender,
  endpoint: Endpoint,
  content: unknown,
): Promise<void> {
  const body = JSON.stringify(content);
  const headers = {
    'content-type': 'application/json',
    'x-hub-signature-256': await signForHub(sender.secrets[0], body),
  };
  expect(await webhooks.post(endpoint.url, { body, headers })).toMatchObject({ status: 200 });
}

describe('changes of ad accounts at Meta', () => {
  test('lead to one sync of the tenant’s campaigns, half a minute later at most', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('meta');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    await webhooks.send(sender, endpoint, ['c1', 'c2', 'c3']);
    const rows = await webhooks.settled(3);
    expect(new Set(rows.map(({ state, effect, type }) => `${state} ${effect} ${type}`))).toEqual(
      new Set(['processed syncs the campaigns of Meta ad_account.campaign_status']),
    );
    const ids = new Set(rows.flatMap(({ tasks }) => tasks.map(({ id }) => id)));
    expect(ids.size).toBe(1);
    const [id = ''] = ids;
    expect(await webhooks.client.status(id)).toMatchObject({
      task: 'sync_campaign_data',
      tenant: String(TENANT),
      state: expect.stringMatching(/SCHEDULED|PENDING/),
    });
  });

  test('of other things are kept, and lead to nothing', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('meta');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    await postSigned(webhooks, sender, endpoint, {
      object: 'page',
      entry: [
        { id: '9', time: 1, changes: [{ field: 'leadgen', value: {} }] },
        { id: '9', time: 2, messaging: [{ message: 'x' }] },
      ],
    });
    expect(await webhooks.settled(2)).toMatchObject([
      { state: 'ignored', type: 'page.leadgen', effect: null, tasks: [] },
      { state: 'ignored', type: 'page', effect: null, tasks: [] },
    ]);
  });
});

interface Whatsapp extends Webhooks {
  endpoint: Endpoint;
  /** Events of a change of the field. */
  tell: (value: Record<string, unknown>, field?: string) => Promise<void>;
  contact: () => Promise<
    { last_inbound_at: Date | null; opted_in_at: Date | null; opted_out_at: Date | null } | undefined
  >;
  message: (
    id: number,
  ) => Promise<{ state: string; provider_id: string | null; error: string | null } | undefined>;
}

async function openWhatsapp(): Promise<Whatsapp> {
  const webhooks = await openWebhooks();
  const sender = senderOf('whatsapp');
  const endpoint = await webhooks.createEndpoint(sender);
  const hash = createHash('sha256').update(PHONE).digest();
  await webhooks.query(
    `INSERT INTO whatsapp_account (tenant_id, id, phone_number_id, secret, secret_key_id) VALUES (1, 1, $1, '', 'x'), (2, 2, '999', '', 'x')`,
    [NUMBER],
  );
  const sealed = sealCredentials(
    parseKeyRing(webhooks.keyText),
    { tenantId: OTHER_TENANT, platform: 'whatsapp_contact', externalId: hash.toString('hex') },
    PHONE,
  );
  await webhooks.query(
    `INSERT INTO whatsapp_contact (tenant_id, id, phone_hash, phone, phone_key_id) VALUES (2, 50, $1, $2, $3)`,
    [hash, sealed.ciphertext, sealed.keyId],
  );
  webhooks.startWorkers();
  return {
    ...webhooks,
    endpoint,
    tell: (value, field = 'messages') =>
      postSigned(webhooks, sender, endpoint, {
        object: 'whatsapp_business_account',
        entry: [
          { id: '1', changes: [{ field, value: { metadata: { phone_number_id: NUMBER }, ...value } }] },
        ],
      }),
    contact: async () =>
      (
        await webhooks.query<{
          last_inbound_at: Date | null;
          opted_in_at: Date | null;
          opted_out_at: Date | null;
        }>(
          `SELECT last_inbound_at, opted_in_at, opted_out_at FROM whatsapp_contact WHERE tenant_id = 1 AND phone_hash = decode($1, 'hex')`,
          [lookupHash(parseKeyRing(webhooks.keyText), TENANT, plainHash(PHONE)).hash],
        )
      )[0],
    message: async (id) =>
      (
        await webhooks.query<{ state: string; provider_id: string | null; error: string | null }>(
          'SELECT state, provider_id, error FROM whatsapp_message WHERE id = $1',
          [id],
        )
      )[0],
  };
}

const said = (id: string, at: number, body: string): Record<string, unknown> => ({
  messages: [{ from: PHONE, id, timestamp: String(at), type: 'text', text: { body } }],
});

describe('WhatsApp', () => {
  test('reports move a message on, never back, and settle one whose end was unknown', async () => {
    const whatsapp = await openWhatsapp();
    await whatsapp.tell(said('m1', 1_700_000_000, 'Hi'));
    await whatsapp.settled(1);
    const [contact] = await whatsapp.query<{ id: string }>(
      'SELECT id FROM whatsapp_contact WHERE tenant_id = 1',
    );
    await whatsapp.query(
      `INSERT INTO whatsapp_message (tenant_id, id, account_id, contact_id, body, scheduled_at, state, provider_id)
       VALUES (1, 101, 1, $1, 'x', now(), 'accepted', 'wamid.1'), (1, 102, 1, $1, 'x', now(), 'unknown', NULL), (1, 103, 1, $1, 'x', now(), 'accepted', 'wamid.3')`,
      [contact?.id],
    );
    await whatsapp.tell({ statuses: [{ id: 'wamid.1', status: 'read', timestamp: '1700000003' }] });
    await whatsapp.settled(2);
    await whatsapp.tell({
      statuses: [
        { id: 'wamid.1', status: 'delivered', timestamp: '1700000002' },
        { id: 'wamid.2', status: 'sent', timestamp: '1700000002', biz_opaque_callback_data: '102' },
        {
          id: 'wamid.3',
          status: 'failed',
          timestamp: '1700000002',
          errors: [{ code: 131050, title: 'Opted out' }],
        },
        { id: 'wamid.9', status: 'sent', timestamp: '1700000002' },
        { id: 'wamid.9', status: 'warming', timestamp: '1700000002' },
      ],
    });
    const rows = await whatsapp.settled(7);
    expect(rows.map(({ type, state, effect }) => [type, state, effect])).toEqual([
      ['message.text', 'processed', 'the contact has written'],
      ['status.read', 'processed', 'message is read'],
      ['status.delivered', 'processed', 'unknown message, or already in a later state'],
      ['status.sent', 'processed', 'message is sent'],
      ['status.failed', 'processed', 'message is failed'],
      ['status.sent', 'processed', 'unknown message, or already in a later state'],
      ['status.warming', 'ignored', null],
    ]);
    expect(await whatsapp.message(101)).toMatchObject({ state: 'read' });
    expect(await whatsapp.message(102)).toMatchObject({ state: 'sent', provider_id: 'wamid.2' });
    expect(await whatsapp.message(103)).toMatchObject({ state: 'failed', error: 'code 131050: Opted out' });
    expect((await whatsapp.contact())?.opted_out_at).not.toBeNull();
  });

  test('messages open the window, and a contact’s last word counts in whatever order it arrives', async () => {
    const whatsapp = await openWhatsapp();
    const at = (seconds: number): Date => new Date((1_700_000_000 + seconds) * 1000);
    const tell = async (id: string, seconds: number, body: string, count: number): Promise<void> => {
      await whatsapp.tell(said(id, 1_700_000_000 + seconds, body));
      await whatsapp.settled(count);
    };
    await tell('m1', 10, 'Please stop sending me size 40', 1);
    expect(await whatsapp.contact()).toEqual({
      last_inbound_at: at(10),
      opted_in_at: null,
      opted_out_at: null,
    });
    await tell('m2', 20, ' STOP! ', 2);
    expect(await whatsapp.contact()).toMatchObject({ last_inbound_at: at(20), opted_out_at: at(20) });
    await tell('m3', 15, 'start', 3);
    expect(await whatsapp.contact()).toMatchObject({
      last_inbound_at: at(20),
      opted_in_at: null,
      opted_out_at: at(20),
    });
    await tell('m4', 30, 'Start', 4);
    expect(await whatsapp.contact()).toMatchObject({ opted_in_at: at(30), opted_out_at: null });
    await tell('m5', 25, 'Arrêter', 5);
    expect(await whatsapp.contact()).toMatchObject({ last_inbound_at: at(30), opted_out_at: null });
    await whatsapp.tell(
      {
        user_preferences: [
          {
            wa_id: PHONE,
            detail: 'x',
            category: 'marketing_messages',
            value: 'stop',
            timestamp: 1_700_000_040,
          },
        ],
      },
      'user_preferences',
    );
    expect((await whatsapp.settled(6)).at(-1)).toMatchObject({ effect: 'opted out' });
    expect(await whatsapp.contact()).toMatchObject({ last_inbound_at: at(30), opted_out_at: at(40) });
    const [other] = await whatsapp.query(
      'SELECT last_inbound_at, opted_out_at FROM whatsapp_contact WHERE id = 50',
    );
    expect(other).toEqual({ last_inbound_at: null, opted_out_at: null });
  });

  test.each([
    ['whatsapp-stop-by-user-id.json', 'messages'],
    ['whatsapp-preference-by-user-id.json', 'user_preferences'],
  ])('of somebody known by the user id alone opt out every name of the contact: %s', async (file, field) => {
    const whatsapp = await openWhatsapp();
    const user = 'US.13491208655302741918';
    await whatsapp.tell({
      contacts: [{ wa_id: PHONE, user_id: user }],
      messages: [{ from: PHONE, id: 'm1', timestamp: '1763000000', type: 'text', text: { body: 'START' } }],
    });
    await whatsapp.settled(1);
    expect(await whatsapp.contact()).toMatchObject({ opted_out_at: null });
    const { entry } = bodySchema.parse(
      JSON.parse(readFileSync(join(import.meta.dirname, '../../../fixtures', file), 'utf8')),
    );
    const { metadata: _metadata, ...value } = entry[0].changes[0].value;
    await whatsapp.tell(value, field);
    expect((await whatsapp.settled(2)).at(-1)).toMatchObject({ state: 'processed' });
    expect(await whatsapp.contact()).toMatchObject({ opted_out_at: expect.any(Date) });
    expect(await whatsapp.query('SELECT id FROM whatsapp_contact WHERE tenant_id = 1')).toHaveLength(1);
  });

  test('names of a contact get the hash of a new key, so that the old key can go', async () => {
    const whatsapp = await openWhatsapp();
    const user = 'US.13491208655302741918';
    const speak = (id: string): Promise<void> =>
      whatsapp.tell({
        contacts: [{ wa_id: PHONE, user_id: user }],
        messages: [{ from: PHONE, id, timestamp: '1763000000', type: 'text', text: { body: 'Hi' } }],
      });
    await speak('m1');
    await whatsapp.settled(1);
    // As a version before has stored it.
    await whatsapp.query('UPDATE whatsapp_identity SET ciphertext = NULL, key_id = NULL, hash_key_id = NULL');
    const worker = whatsapp.database.as('stratum_default_worker');
    const next = `next:${Buffer.alloc(32, 9).toString('base64')}`;
    const both = parseKeyRing(`${next},${whatsapp.keyText}`);
    const { signal } = new AbortController();
    const names = (): Promise<{ hash: string }[]> =>
      whatsapp.query(`SELECT encode(hash, 'hex') AS hash FROM whatsapp_identity WHERE tenant_id = 1`);
    const under = (keyText: string): { hash: string }[] => [
      { hash: lookupHash(parseKeyRing(keyText), TENANT, plainHash(user)).hash },
    ];
    // Without its value it keeps its hash, until the person writes again.
    const [{ tenant_id: old } = { tenant_id: '' }] = await whatsapp.query<{ tenant_id: string }>(
      `SELECT tenant_id FROM tenants_with_old_hashes('next', true) WHERE tenant_id = 1`,
    );
    expect(old).toBe('1');
    await rekeyTenant(worker, parseKeyRing(whatsapp.keyText), TENANT, signal);
    expect(await names()).toEqual(under(whatsapp.keyText));
    await speak('m2');
    await whatsapp.settled(2);
    // The number and the name.
    expect(await rekeyTenant(worker, both, TENANT, signal)).toEqual({ changed: 2, kept: 0 });
    expect(await names()).toEqual(under(next));
    expect(await rekeyTenant(worker, both, TENANT, signal)).toEqual({ changed: 0, kept: 0 });
    expect(
      await whatsapp.query(`SELECT tenant_id FROM tenants_with_old_hashes('next', true) WHERE tenant_id = 1`),
    ).toEqual([]);
  });

  test('of a Brazilian number belong to its contact with and without the ninth digit, and an answer to the message’s', async () => {
    const whatsapp = await openWhatsapp();
    const from = (phone: string, id: string, at: number, body: string, context?: object) =>
      whatsapp.tell({
        messages: [{ from: phone, id, timestamp: String(at), type: 'text', text: { body }, context }],
      });
    await from('5551999887766', 'm1', 1_763_000_000, 'START');
    await whatsapp.settled(1);
    await from('555199887766', 'm2', 1_763_000_010, 'STOP');
    await whatsapp.settled(2);
    const contacts = 'SELECT id::int, opted_out_at FROM whatsapp_contact WHERE tenant_id = 1 ORDER BY id';
    const [contact] = await whatsapp.query<{ id: number; opted_out_at: Date | null }>(contacts);
    expect(await whatsapp.query(contacts)).toEqual([
      { id: contact?.id, opted_out_at: new Date(1_763_000_010_000) },
    ]);
    await from('555199887766', 'm3', 1_763_000_020, 'START');
    await whatsapp.settled(3);
    await whatsapp.query(
      `INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, body, scheduled_at, state, provider_id)
       VALUES (1, 1, $1, 'x', now(), 'accepted', 'wamid.BR1')`,
      [contact?.id],
    );
    // Somebody whom WhatsApp calls by a name that nobody has heard.
    await from('33612345678', 'm4', 1_763_000_030, 'STOP', { id: 'wamid.BR1' });
    await whatsapp.settled(4);
    expect(await whatsapp.query(contacts)).toEqual([
      { id: contact?.id, opted_out_at: new Date(1_763_000_030_000) },
    ]);
  });

  test('of a number that is another tenant’s changes nothing', async () => {
    const whatsapp = await openWhatsapp();
    await whatsapp.tell({ metadata: { phone_number_id: '999' }, ...said('m1', 1_700_000_000, 'STOP') });
    expect(await whatsapp.settled(1)).toMatchObject([{ effect: 'not a number of this tenant' }]);
    expect(await whatsapp.contact()).toBeUndefined();
  });

  test('words that opt out can be set', async () => {
    const whatsapp = await openWhatsapp();
    await whatsapp.call('PATCH', `/v1/webhooks/${whatsapp.endpoint.id}`, {
      body: { settings: { opt_out_words: ['Genug!'] } },
    });
    await whatsapp.tell(said('m1', 1_700_000_000, 'stop'));
    await whatsapp.settled(1);
    await whatsapp.tell(said('m2', 1_700_000_001, 'genug'));
    expect((await whatsapp.settled(2)).map(({ effect }) => effect)).toEqual([
      'the contact has written',
      'the contact has written, opted out',
    ]);
  });
});

describe('events about customers', () => {
  test.each([
    [
      'shopify',
      {
        event: 'Order Completed',
        anonymousId: 'shopify-115310627314723950',
        timestamp: '2026-11-24T10:00:00-05:00',
        context: { library: { name: 'webhook/shopify' }, traits: { email: 'jon@example.com' } },
        properties: { order_id: '820982911946154500', total: 403, revenue: 403, value: 403, currency: 'USD' },
      },
    ],
    [
      'stripe',
      {
        event: 'Order Completed',
        userId: 'customer-7',
        anonymousId: 'stripe-cus_1',
        timestamp: '2023-11-14T22:13:20.000Z',
        context: { traits: { email: 'jon@example.com' } },
        properties: { stripe_id: 'cs_1', total: 123.45, revenue: 123.45, currency: 'USD', status: 'paid' },
      },
    ],
    [
      'hubspot',
      {
        event: 'Contact Property Changed',
        anonymousId: 'hubspot-62515-123',
        context: { traits: { email: 'jon@example.com' } },
        properties: { contact_id: '123', property: 'email', value: 'jon@example.com' },
      },
    ],
    [
      'segment',
      { event: 'Order Completed', messageId: 'event-1', userId: 'customer-7', properties: { revenue: 12.5 } },
    ],
  ] as const)('of %s are handed to the ingestion in Segment’s format', async (source, expected) => {
    const webhooks = await openWebhooks();
    const sender = senderOf(source);
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    await webhooks.send(sender, endpoint, ['event-1']);
    const [row] = await webhooks.settled(1);
    expect(row).toMatchObject({ state: 'processed', tasks: [{ task: 'ingest_customer_events' }] });
    const ended = await webhooks.client.result(row?.tasks[0]?.id ?? '');
    expect(ended).toMatchObject({ state: 'SUCCESS', result: { stored: 1, rejected: 0 } });
    expect(webhooks.customerEvents).toMatchObject([
      { type: 'track', messageId: expect.any(String), ...expected },
    ]);
    const stored = await webhooks.query(
      'SELECT e.tenant_id::int, e.name, p.total_events::int FROM cdp_event e JOIN cdp_profile p ON p.tenant_id = e.tenant_id AND p.id = e.profile_id',
    );
    expect(stored).toEqual([{ tenant_id: TENANT, name: expected.event, total_events: 1 }]);
  });

  test('of Shopify are the same event under another id that nobody signed', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('shopify');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    const request = await sender.request(['one'], { secret: sender.secrets[0], url: '', at: new Date() });
    await webhooks.post(endpoint.url, request);
    await webhooks.post(endpoint.url, {
      ...request,
      headers: { ...request.headers, 'x-shopify-event-id': 'forged' },
    });
    const rows = await webhooks.settled(2);
    expect(rows[0]?.tasks).toEqual(rows[1]?.tasks);
  });

  test('of Shopify have no effect under another topic: nobody signed it', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('shopify');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    const request = await sender.request(['one'], { secret: sender.secrets[0], url: '', at: new Date() });
    const sendAs = (topic: string, id: string) =>
      webhooks.post(endpoint.url, {
        ...request,
        headers: { ...request.headers, 'x-shopify-topic': topic, 'x-shopify-event-id': id },
      });
    await sendAs('orders/updated', 'true');
    await webhooks.settled(1);
    await sendAs('orders/create', 'forged');
    const rows = await webhooks.settled(2);
    expect(rows.map(({ type, state }) => [type, state])).toEqual([
      ['orders/updated', 'processed'],
      ['orders/create', 'ignored'],
    ]);
    expect(webhooks.customerEvents).toMatchObject([{ event: 'Order Updated' }]);
    const old = JSON.stringify({
      ...JSON.parse(request.body),
      updated_at: '2026-11-25T10:00:00-05:00',
      created_at: '2026-11-24T10:00:00-05:00',
    });
    const signature = createHmac('sha256', sender.secrets[0]).update(old).digest('base64');
    const headers = { ...request.headers, 'x-shopify-hmac-sha256': signature };
    expect(await webhooks.post(endpoint.url, { body: old, headers })).toMatchObject({ status: 400 });
  });

  test('of Segment come one by one: of a batch only the first is signed', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('segment');
    const endpoint = await webhooks.createEndpoint(sender);
    const { body, headers } = await sender.request(['one'], {
      secret: sender.secrets[0],
      url: '',
      at: new Date(),
    });
    expect(await webhooks.post(endpoint.url, { body: `[${body},${body}]`, headers })).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining('batch size') },
    });
  });
});

test('TikTok: revoked access raises an alert, an advertiser’s event starts a sync', async () => {
  const webhooks = await openWebhooks();
  const sender = senderOf('tiktok');
  const endpoint = await webhooks.createEndpoint(sender);
  webhooks.startWorkers();
  await webhooks.send(sender, endpoint, ['one']);
  expect(await webhooks.settled(1)).toMatchObject([{ tasks: [{ task: 'sync_campaign_data' }] }]);
  for (const time of [1, 2]) {
    const body = JSON.stringify({
      event: 'authorization.removed',
      user_openid: 'someone',
      create_time: time,
      content: '{}',
    });
    const at = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', sender.secrets[0]).update(`${at}.${body}`).digest('hex');
    await webhooks.post(endpoint.url, { body, headers: { 'tiktok-signature': `t=${at},s=${signature}` } });
  }
  await webhooks.settled(3);
  expect(await webhooks.query('SELECT tenant_id, kind, severity FROM alert')).toEqual([
    { tenant_id: String(TENANT), kind: 'platform_access_removed', severity: 'critical' },
  ]);
});

test('an endpoint’s own tasks start for the types that they name', async () => {
  const webhooks = await openWebhooks();
  const sender = senderOf('github');
  const endpoint = await webhooks.createEndpoint(sender);
  webhooks.startWorkers();
  await webhooks.send(sender, endpoint, ['one']);
  await webhooks.settled(1);
  const other = await sender.request(['two'], { secret: sender.secrets[0], url: '', at: new Date() });
  await webhooks.post(endpoint.url, { ...other, headers: { ...other.headers, 'x-github-event': 'ping' } });
  const rows = await webhooks.settled(2);
  expect(rows).toMatchObject([
    { type: 'push', state: 'processed', effect: 'starts sync_campaign_data' },
    { type: 'ping', state: 'ignored', tasks: [] },
  ]);
  expect(await webhooks.client.status(rows[0]?.tasks[0]?.id ?? '')).toMatchObject({
    task: 'sync_campaign_data',
    state: 'PENDING',
    tenant: String(TENANT),
  });
});

test('an event that makes no sense is kept as failed, with the reason, and holds up no other', async () => {
  const webhooks = await openWebhooks();
  const sender = senderOf('stripe');
  const endpoint = await webhooks.createEndpoint(sender);
  webhooks.startWorkers();
  const body = JSON.stringify({ id: 'evt_x', type: 'invoice.paid', data: {} });
  const header = new Stripe('sk_test_x').webhooks.generateTestHeaderString({
    payload: body,
    secret: sender.secrets[0],
  });
  expect(await webhooks.post(endpoint.url, { body, headers: { 'stripe-signature': header } })).toMatchObject({
    status: 200,
  });
  await webhooks.settled(1);
  await webhooks.send(sender, endpoint, ['evt_y']);
  expect(await webhooks.settled(2)).toMatchObject([
    { state: 'failed', error: expect.stringContaining('created') },
    { state: 'processed', error: null },
  ]);
});

describe('a signed request', () => {
  test('that cannot be read is refused for good', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('meta');
    const endpoint = await webhooks.createEndpoint(sender);
    for (const [body, reason] of [
      ['{"object":', /not JSON/],
      ['{"entry":[]}', /object/],
      ['', /not JSON/],
    ] as const) {
      const headers = {
        'content-type': 'application/json',
        'x-hub-signature-256': await signForHub(sender.secrets[0], body || ' '),
      };
      const reply = await webhooks.post(endpoint.url, { body: body || ' ', headers });
      expect(reply).toMatchObject({ status: 400, body: { detail: expect.stringMatching(reason) } });
    }
  });

  test('with a thousand events of a megabyte together is accepted as a whole', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('whatsapp');
    const endpoint = await webhooks.createEndpoint(sender);
    const ids = Array.from({ length: 1_000 }, (_, index) => `wamid.${index}.${'x'.repeat(450)}`);
    expect(await webhooks.send(sender, endpoint, ids)).toMatchObject({
      status: 200,
      body: { received: 1_000 },
    });
    webhooks.startWorkers();
    const rows = await webhooks.settled(1_000);
    expect(rows.every(({ state }) => state === 'processed')).toBe(true);
  });

  test('that does not fit into a message is refused, not cut', async () => {
    const webhooks = await openWebhooks({ TASK_MAX_PAYLOAD: '20000' });
    const sender = senderOf('stripe');
    const endpoint = await webhooks.createEndpoint(sender);
    const id = randomBytes(60_000).toString('base64');
    expect(await webhooks.send(sender, endpoint, [id])).toMatchObject({
      status: 413,
      body: { detail: expect.stringContaining('TASK_MAX_PAYLOAD') },
    });
    expect(
      await webhooks.call('POST', new URL(endpoint.url).pathname, { key: null, body: 'x'.repeat(5_000_000) }),
    ).toMatchObject({
      status: 413,
    });
    expect((await webhooks.waiting())['default']).toBe(0);
  });

  test('is refused if compressed, because the signature covers the bytes as sent', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('meta');
    const endpoint = await webhooks.createEndpoint(sender);
    const { body, headers } = await sender.request(['a'], {
      secret: sender.secrets[0],
      url: '',
      at: new Date(),
    });
    const reply = await webhooks.post(endpoint.url, {
      body,
      headers: { ...headers, 'content-encoding': 'gzip' },
    });
    expect(reply.status).toBe(415);
  });
});
