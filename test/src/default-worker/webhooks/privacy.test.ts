/** Requests of people that Shopify and HubSpot pass on. */
import { createHmac } from 'node:crypto';
import { createUpkeep } from '@stratum/default-worker';
import { carryOutPrivacyRequest, parseKeyRing, withTenant } from '@stratum/shared';
import { exportPerson, listRequests } from '@stratum/shared/privacy';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { TENANT } from '../../api/fixture.js';
import { openWebhooks, type Endpoint, type Webhooks } from '../../api/webhooks/fixture.js';
import { senderOf } from '../../api/webhooks/senders.js';
import { waitFor } from '../../harness/index.js';

const EMAIL = 'jon@example.com';
const SHOP = { shop_id: 954889, shop_domain: 'shop.myshopify.com' };
const CUSTOMER = { id: 115310627314723950, email: EMAIL };
const shopify = senderOf('shopify');
const hubspot = senderOf('hubspot');

async function openShop(): Promise<{
  webhooks: Webhooks;
  tell: (topic: string, content: object | string) => Promise<void>;
  endpoint: Endpoint;
}> {
  const webhooks = await openWebhooks();
  const endpoint = await webhooks.createEndpoint(shopify);
  webhooks.startWorkers();
  await webhooks.send(shopify, endpoint, ['1001']);
  await waitFor('the customer', async () => (await webhooks.query('SELECT FROM cdp_profile')).length === 1);
  let sent = 0;
  return {
    webhooks,
    endpoint,
    tell: async (topic, content) => {
      const body = typeof content === 'string' ? content : JSON.stringify(content);
      const signature = createHmac('sha256', shopify.secrets[0]).update(body).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'x-shopify-hmac-sha256': signature,
        'x-shopify-topic': topic,
        'x-shopify-event-id': `privacy-${++sent}`,
      };
      expect(await webhooks.post(endpoint.url, { body, headers })).toMatchObject({ status: 200 });
    },
  };
}

const requestsOf = ({ database }: Webhooks): ReturnType<typeof listRequests> =>
  withTenant(database.as('stratum_api'), TENANT, listRequests);

/** As the upkeep of a worker does. */
async function carryOut(webhooks: Webhooks): Promise<void> {
  const worker = webhooks.database.as('stratum_default_worker');
  const { rows } = await worker.query<{ request_id: string }>(
    'SELECT request_id FROM open_privacy_requests()',
  );
  for (const { request_id: id } of rows)
    await webhooks.client.call(
      carryOutPrivacyRequest,
      { tenant_id: TENANT, request_id: Number(id) },
      { timeoutMs: 30_000 },
    );
}

test.each([
  ['customers/redact', { ...SHOP, customer: CUSTOMER, orders_to_redact: [1] }],
  ['shop/redact', SHOP],
])('%s erases whom it names, in the database and in what was received', async (topic, content) => {
  const { webhooks, tell } = await openShop();
  await tell(topic, content);
  await webhooks.settled(2);
  await carryOut(webhooks);
  const { query, database, keyText } = webhooks;
  for (const table of ['cdp_profile', 'cdp_identity', 'cdp_event'])
    expect(await query(`SELECT FROM ${table}`), table).toEqual([]);
  const keys = parseKeyRing(keyText);
  const names = [{ type: 'email', value: EMAIL } as const];
  expect(await exportPerson(database.as('stratum_api'), keys, { tenantId: TENANT, names })).toBeUndefined();
  expect(await requestsOf(webhooks)).toMatchObject([{ state: 'done' }]);
  expect(await query('SELECT FROM privacy_request WHERE person IS NOT NULL')).toEqual([]);
});

test('the same order, sent again, does not bring a customer back who was erased', async () => {
  const { webhooks, tell, endpoint } = await openShop();
  await tell('customers/redact', { ...SHOP, customer: CUSTOMER, orders_to_redact: [] });
  await webhooks.settled(2);
  await carryOut(webhooks);
  await webhooks.send(shopify, endpoint, ['1002']);
  await webhooks.settled(3);
  await waitFor('the event to be handed over', () => webhooks.customerEvents.length === 2);
  await waitFor('the work to be done', async () => (await webhooks.waiting())['cdp'] === 0);
  expect(await webhooks.query('SELECT FROM cdp_profile')).toEqual([]);
});

test('an order under the topic of an erasure erases nobody', async () => {
  const { webhooks, tell, endpoint } = await openShop();
  const { body } = await shopify.request(['1003'], {
    secret: shopify.secrets[0],
    url: endpoint.url,
    at: new Date(),
  });
  for (const topic of ['customers/redact', 'shop/redact', 'customers/data_request']) await tell(topic, body);
  await webhooks.settled(4);
  await carryOut(webhooks);
  expect(await requestsOf(webhooks)).toEqual([]);
  expect(await webhooks.query('SELECT FROM cdp_profile')).toHaveLength(1);
});

test('a request for data is recorded, once, and erases nothing', async () => {
  const { webhooks, tell } = await openShop();
  const content = { ...SHOP, customer: CUSTOMER, orders_requested: [1], data_request: { id: 9999 } };
  await tell('customers/data_request', content);
  await tell('customers/data_request', content);
  await webhooks.settled(3);
  await carryOut(webhooks);
  expect(await requestsOf(webhooks)).toMatchObject([
    { kind: 'export', state: 'received', origin: expect.stringMatching(/^shopify\//) },
  ]);
  expect(await webhooks.query('SELECT FROM cdp_profile')).toHaveLength(1);
});

test.each([
  { subscriptionType: 'contact.privacyDeletion' },
  { subscriptionType: 'object.privacyDeletion', objectTypeId: '0-1' },
])('$subscriptionType of HubSpot erases the contact: from the signed request to the rows', async (type) => {
  const webhooks = await openWebhooks();
  const { client, database, keyText, query } = webhooks;
  const endpoint = await webhooks.createEndpoint(hubspot);
  webhooks.startWorkers();
  await webhooks.send(hubspot, endpoint, ['1']);
  await waitFor('the contact', async () => (await query('SELECT FROM cdp_profile')).length === 1);
  const askFor = async (secret: string, eventId: string): Promise<number> => {
    const body = JSON.stringify([
      {
        eventId,
        subscriptionId: 13,
        portalId: 62_515,
        occurredAt: Date.now(),
        ...type,
        objectId: 123,
        objectEmail: EMAIL,
      },
    ]);
    const time = String(Date.now());
    const signed = createHmac('sha256', secret).update(`POST${endpoint.url}${body}${time}`);
    const headers = {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signed.digest('base64'),
      'x-hubspot-request-timestamp': time,
    };
    return (await webhooks.post(endpoint.url, { body, headers })).status;
  };
  expect(await askFor('of somebody else', '2')).toBe(401);
  expect(await askFor(hubspot.secrets[0], '3')).toBe(200);
  await webhooks.settled(2);
  const upkeep = createUpkeep({
    pool: database.as('stratum_default_worker'),
    client,
    keys: parseKeyRing(keyText),
    logger: pino({ level: 'silent' }),
  });
  upkeep.start();
  onTestFinished(() => upkeep.stop());
  await waitFor('the erasure', async () => (await requestsOf(webhooks))[0]?.state === 'done');
  for (const table of ['cdp_profile', 'cdp_identity', 'cdp_event'])
    expect(await query(`SELECT FROM ${table}`), table).toEqual([]);
  expect(await query('SELECT FROM privacy_request WHERE person IS NOT NULL')).toEqual([]);
  const names = [{ type: 'email', value: EMAIL } as const];
  const kept = { tenantId: TENANT, names };
  expect(await exportPerson(database.as('stratum_api'), parseKeyRing(keyText), kept)).toBeUndefined();
});
