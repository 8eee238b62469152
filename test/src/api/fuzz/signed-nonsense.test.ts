/** Bodies that are signed well and say anything: senders change, and their secrets leak. */
import * as fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { createSource } from '@stratum/shared/customer-events';
import { withTenant } from '@stratum/shared';
import type { SourceName } from '@stratum/shared/webhooks';
import { Stripe } from 'stripe';
import { expect, test } from 'vitest';
import { openApi, TENANT } from '../fixture.js';
import { anyJson, anyText } from './arbitraries.js';

const SECRET = 'a-secret-of-some-length';
const mac = (algorithm: string, text: string, encoding: 'hex' | 'base64'): string =>
  createHmac(algorithm, SECRET).update(text).digest(encoding);
const hub = (body: string): Record<string, string> => ({
  'x-hub-signature-256': `sha256=${mac('sha256', body, 'hex')}`,
});

/** By source: headers that its signature makes right. */
const SIGNERS: Partial<Record<SourceName, (body: string) => Record<string, string>>> = {
  meta: hub,
  whatsapp: hub,
  github: (body) => ({
    ...hub(body),
    'x-github-event': 'push',
    'x-github-delivery': mac('sha256', body, 'hex'),
  }),
  shopify: (body) => ({
    'x-shopify-hmac-sha256': mac('sha256', body, 'base64'),
    'x-shopify-topic': 'orders/create',
    'x-shopify-event-id': mac('sha256', body, 'hex'),
  }),
  stripe: (body) => ({
    'stripe-signature': new Stripe('sk_test_of_nobody').webhooks.generateTestHeaderString({
      payload: body,
      secret: SECRET,
    }),
  }),
  tiktok: (body) => {
    const at = Math.floor(Date.now() / 1000);
    return { 'tiktok-signature': `t=${at},s=${mac('sha256', `${at}.${body}`, 'hex')}` };
  },
  segment: (body) => ({ 'x-signature': mac('sha1', body, 'hex') }),
};

/** JSON, with the fields that sources look for in unlikely shapes. */
const nearly = fc.dictionary(
  fc.oneof(
    fc.constantFrom(
      'object',
      'entry',
      'changes',
      'field',
      'value',
      'messages',
      'statuses',
      'id',
      'type',
      'data',
      'event',
      'batch',
      'messageId',
      'timestamp',
      'userId',
      'properties',
      'order',
      'customer',
      'email',
      'created',
    ),
    anyText,
  ),
  anyJson,
  { maxKeys: 6 },
);
const body = fc.oneof(
  nearly.map((value) => JSON.stringify(value)),
  fc.array(nearly, { maxLength: 3 }).map((value) => JSON.stringify(value)),
  fc
    .record({
      object: fc.constantFrom('whatsapp_business_account', 'ad_account'),
      entry: fc.array(
        fc.record({
          id: fc.constantFrom('1', '2'),
          changes: fc.array(fc.record({ field: fc.constantFrom('messages', 'campaigns'), value: nearly })),
        }),
        { maxLength: 2 },
      ),
    })
    .map((value) => JSON.stringify(value)),
  anyText,
);

test('is taken or refused by every source, never with a 5xx', { timeout: 120_000 }, async () => {
  const { call } = await openApi();
  let taken = 0;
  for (const [source, sign] of Object.entries(SIGNERS)) {
    const made = await call('POST', '/v1/webhooks', { body: { source, name: source, secret: SECRET } });
    expect(made.status, `${source}: ${JSON.stringify(made.body)}`).toBe(201);
    const path = new URL(String(made.body['url'])).pathname;
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const sent = Buffer.from(text).toString('utf8');
        const headers = { 'content-type': 'application/json', ...sign(sent) };
        const { status } = await call('POST', path, { key: null, body: sent, headers });
        expect(status, source).toBeLessThan(500);
        // Of a batch Segment signs one event alone, so a batch is refused whatever its signature.
        if (!(source === 'segment' && sent.trim().startsWith('['))) expect(status, source).not.toBe(401);
        if (status < 300) taken++;
      }),
      { numRuns: 40 },
    );
  }
  expect(taken).toBeGreaterThan(10);
});

test('is taken or refused as customer events, never with a 5xx', async () => {
  const { call, database } = await openApi();
  const { writeKey } = await withTenant(database.owner, TENANT, (client) =>
    createSource(client, { name: 'Fuzzed', allowedOrigins: [] }),
  );
  const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`;
  const event = fc.record(
    {
      type: fc.oneof(fc.constantFrom('track', 'identify', 'page', 'screen', 'group', 'alias'), anyJson),
      userId: anyJson,
      anonymousId: fc.oneof(fc.constant('someone'), anyJson),
      event: fc.oneof(fc.constant('Order Completed'), anyJson),
      messageId: fc.oneof(fc.uuid(), anyJson),
      timestamp: fc.oneof(fc.constant('2026-11-01T00:00:00Z'), anyJson),
      properties: fc.oneof(fc.record({ revenue: anyJson, total: anyJson }), anyJson),
      traits: fc.oneof(fc.record({ email: anyJson }), anyJson),
      context: anyJson,
    },
    { requiredKeys: ['type'] },
  );
  const path = fc.constantFrom('track', 'identify', 'page', 'screen', 'group', 'alias', 'batch', 't', 'b');
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.array(event, { maxLength: 3 }),
      body,
      fc.boolean(),
      async (name, batch, text, isBatch) => {
        const sent = isBatch ? JSON.stringify(name === 'batch' || name === 'b' ? { batch } : batch[0]) : text;
        const { status } = await call('POST', `/v1/${name}`, {
          key: null,
          body: Buffer.from(sent ?? '').toString('utf8'),
          headers: { 'content-type': 'text/plain', authorization },
        });
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 200 },
  );
});
