/** The revenue of orders as shops report them by webhook: in any order of arrival, in any batches, with deliveries that come again. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IncomingEvent } from '@stratum/cdp-worker';
import { toCustomerEvents } from '@stratum/default-worker';
import { parseKeyRing } from '@stratum/shared';
import { checkSettings } from '@stratum/shared/webhooks';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testKeyText } from '../../harness/index.js';
import { openWriter, TENANT, type WriterFixture } from './fixture.js';

interface Delivery {
  source: 'shopify' | 'stripe' | 'hubspot';
  type: string;
  body: unknown;
}

const keys = parseKeyRing(testKeyText());
/** As `GET /crm/v3/pipelines/deals` gives them, but for the stage 888, which is newer. */
const PIPELINES = {
  results: [
    {
      id: '40',
      stages: [
        { id: '777', metadata: { isClosed: 'true', probability: '1.0' } },
        { id: '700', metadata: { isClosed: 'false', probability: '0.3' } },
        { id: '666', metadata: { isClosed: 'true', probability: '0.0' } },
      ],
    },
  ],
};
const SETTINGS = { shopify: {}, stripe: {}, hubspot: checkSettings('hubspot', { pipelines: PIPELINES }) };
const receivedAt = '2026-11-28T12:00:00.000Z';

function eventsOf({ source, type, body }: Delivery): IncomingEvent[] {
  const text = JSON.stringify(body);
  const events = toCustomerEvents({
    tenantId: TENANT,
    endpointId: 'e',
    source,
    settings: SETTINGS[source],
    identity: `${type}/${text}`,
    type,
    body: text,
    receivedAt: new Date(receivedAt),
    keys,
  });
  if (events === undefined || typeof events === 'symbol') return [];
  return events.map((event) => ({ sourceId: null, receivedAt, event }));
}

const shopify = (type: string, body: object): Delivery => ({ source: 'shopify', type, body });
const order = (fields: object): object => ({
  id: 9001,
  email: 'ann@example.com',
  customer: { id: 7 },
  created_at: '2026-11-24T10:00:00-05:00',
  updated_at: '2026-11-24T10:00:00-05:00',
  currency: 'USD',
  total_price: '100.00',
  ...fields,
});
const refund = (id: number, amount: string, fields: object = {}): Delivery =>
  shopify('refunds/create', {
    id,
    order_id: 9001,
    created_at: '2026-11-25T10:00:00-05:00',
    transactions: [{ kind: 'refund', status: 'success', amount, currency: 'USD', ...fields }],
  });
const stripe = (type: string, object: object, previous?: object): Delivery => ({
  source: 'stripe',
  type,
  body: {
    id: `evt_${type}`,
    created: 1_764_000_000,
    data: { object: { currency: 'usd', ...object }, ...(previous && { previous_attributes: previous }) },
  },
});
const session = (fields: object): object => ({
  id: 'cs_1',
  object: 'checkout.session',
  mode: 'payment',
  payment_status: 'paid',
  amount_total: 5_000,
  payment_intent: 'pi_1',
  client_reference_id: 'buyer',
  ...fields,
});
const charge = (refunded: number, fields: object = {}): Delivery =>
  stripe(
    'charge.refunded',
    {
      id: 'ch_1',
      object: 'charge',
      payment_intent: 'pi_1',
      amount: 5_000,
      amount_refunded: refunded,
      ...fields,
    },
    { amount_refunded: 0 },
  );
const dealEvent = (type: string, at: number, fields: object = {}): Delivery => ({
  source: 'hubspot',
  type,
  body: { portalId: 1, objectId: 5, objectTypeId: '0-3', occurredAt: 1_764_000_000_000 + at, ...fields },
});
const deal = (propertyName: string, propertyValue: string, at: number): Delivery =>
  dealEvent('object.propertyChange', at, { propertyName, propertyValue });
const WON_DEAL = [deal('amount', '700', 1), deal('hs_is_closed_won', 'true', 2)];
const fixtureOf = (name: string): { topic: string; body: object } =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../fixtures', name), 'utf8'));
const sepa = fixtureOf('stripe-sepa-unpaid.json');
const paid = { financial_status: 'paid', updated_at: '2026-11-26T10:00:00-05:00' };
const subscription = { mode: 'subscription', payment_intent: null, invoice: 'in_1', customer: 'cus_1' };

const renewal = stripe('invoice.paid', {
  id: 'in_2',
  customer: 'cus_1',
  billing_reason: 'subscription_cycle',
  amount_paid: 5_000,
  payments: { data: [{ payment: { payment_intent: 'pi_2' } }] },
});

const DISPUTE = { id: 'du_1', object: 'dispute', charge: 'ch_1', payment_intent: 'pi_1', amount: 5_000 };
const REFUND_BACK = { id: 're_1', object: 'refund', payment_intent: 'pi_1', amount: 2_000, status: 'failed' };
const dispute = (type: string, fields: object): Delivery =>
  shopify(type, {
    id: 3,
    order_id: 9001,
    type: 'chargeback',
    status: 'needs_response',
    amount: '100.00',
    currency: 'USD',
    initiated_at: '2026-11-26T10:00:00-05:00',
    ...fields,
  });

const CASES: [name: string, deliveries: Delivery[], revenue: number, purchases: number][] = [
  ['an order', [shopify('orders/create', order({}))], 100, 1],
  [
    'an order that is paid at once',
    [shopify('orders/create', order(paid)), shopify('orders/paid', order(paid))],
    100,
    1,
  ],
  [
    'an order that waits for its money',
    [shopify('orders/create', order({ financial_status: 'pending' }))],
    0,
    0,
  ],
  [
    'an order of which a deposit is paid, and then the rest',
    [
      shopify('orders/create', order({ financial_status: 'partially_paid' })),
      shopify('orders/updated', order({ financial_status: 'partially_paid' })),
      shopify('orders/paid', order(paid)),
    ],
    100,
    1,
  ],
  [
    'an order of which a deposit alone is paid',
    [shopify('orders/create', order({ financial_status: 'partially_paid' }))],
    0,
    0,
  ],
  [
    'an order that is paid later',
    [shopify('orders/create', order({ financial_status: 'pending' })), shopify('orders/paid', order(paid))],
    100,
    1,
  ],
  ['a refund', [shopify('orders/create', order({})), refund(1, '100.00')], 0, 1],
  [
    'a refund as Shopify sends it',
    [shopify('orders/create', order({})), shopify('refunds/create', fixtureOf('shopify-refund.json').body)],
    0,
    1,
  ],
  [
    'two refunds in part',
    [shopify('orders/create', order({})), refund(1, '30.10'), refund(2, '20.00')],
    49.9,
    1,
  ],
  [
    'refunds of more than the order',
    [shopify('orders/create', order({})), refund(1, '80.00'), refund(2, '80.00')],
    0,
    1,
  ],
  [
    'a refund that failed',
    [shopify('orders/create', order({})), refund(1, '80.00', { status: 'failure' })],
    100,
    1,
  ],
  ['a refund of an order from before', [refund(1, '80.00')], 0, 0],
  [
    'a cancelled order',
    [
      shopify('orders/create', order({})),
      shopify('orders/cancelled', order({ cancelled_at: '2026-11-25T00:00:00Z' })),
    ],
    0,
    1,
  ],
  [
    'a cancelled order whose money goes back',
    [shopify('orders/create', order({})), shopify('orders/cancelled', order({})), refund(1, '100.00')],
    0,
    1,
  ],
  [
    'a test order',
    [shopify('orders/create', fixtureOf('shopify-test-order.json').body), refund(1, '999', { test: true })],
    0,
    0,
  ],
  [
    'a guest’s order',
    [shopify('orders/create', order({ email: '', customer: null })), refund(1, '40.00')],
    60,
    1,
  ],
  ['a paid checkout', [stripe('checkout.session.completed', session({}))], 50, 1],
  ['a debit that is not paid', [{ source: 'stripe', type: 'checkout.session.completed', body: sepa }], 0, 0],
  [
    'a debit that is paid',
    [
      stripe('checkout.session.completed', session({ payment_status: 'unpaid' })),
      stripe('checkout.session.async_payment_succeeded', session({})),
    ],
    50,
    1,
  ],
  [
    'a debit that fails',
    [
      stripe('checkout.session.completed', session({ payment_status: 'unpaid' })),
      stripe('checkout.session.async_payment_failed', session({ payment_status: 'unpaid' })),
    ],
    0,
    0,
  ],
  [
    'a card that is only saved',
    [stripe('checkout.session.completed', session({ mode: 'setup', amount_total: null }))],
    0,
    0,
  ],
  ['a refund of a payment', [stripe('checkout.session.completed', session({})), charge(2_000)], 30, 1],
  [
    'a refund of a subscription, in older versions',
    [
      stripe('checkout.session.completed', session(subscription)),
      charge(2_000, { payment_intent: 'pi_2', invoice: 'in_1', customer: 'cus_1' }),
    ],
    30,
    1,
  ],
  [
    'a refund of a subscription',
    [
      stripe('checkout.session.completed', session(subscription)),
      stripe('invoice.paid', {
        id: 'in_1',
        customer: 'cus_1',
        amount_paid: 5_000,
        payments: { data: [{ payment: { payment_intent: 'pi_2' } }] },
      }),
      charge(5_000, { payment_intent: 'pi_2' }),
    ],
    0,
    1,
  ],
  [
    'a dispute',
    [stripe('checkout.session.completed', session({})), stripe('charge.dispute.funds_withdrawn', DISPUTE)],
    0,
    1,
  ],
  [
    'a dispute that is won',
    [
      stripe('checkout.session.completed', session({})),
      stripe('charge.dispute.funds_withdrawn', DISPUTE),
      stripe('charge.dispute.funds_reinstated', DISPUTE),
    ],
    50,
    1,
  ],
  [
    'a refund that comes back, as two types report it',
    [
      stripe('checkout.session.completed', session({})),
      charge(2_000),
      stripe('refund.failed', REFUND_BACK),
      stripe('charge.refund.updated', REFUND_BACK),
    ],
    50,
    1,
  ],
  [
    'a refund that is only changed',
    [
      stripe('checkout.session.completed', session({})),
      charge(2_000),
      stripe('charge.refund.updated', { ...REFUND_BACK, status: 'succeeded' }),
    ],
    30,
    1,
  ],
  ['a renewal under both of its names', [renewal, { ...renewal, type: 'invoice.payment_succeeded' }], 50, 1],
  ['a chargeback', [shopify('orders/create', order({})), dispute('disputes/create', {})], 0, 1],
  [
    'a chargeback that is won',
    [
      shopify('orders/create', order({})),
      dispute('disputes/create', {}),
      dispute('disputes/update', { status: 'won' }),
    ],
    100,
    1,
  ],
  [
    'a chargeback that is lost',
    [
      shopify('orders/create', order({})),
      dispute('disputes/create', {}),
      dispute('disputes/update', { status: 'lost' }),
    ],
    0,
    1,
  ],
  [
    'an inquiry',
    [shopify('orders/create', order({})), dispute('disputes/create', { type: 'inquiry' })],
    100,
    1,
  ],
  ['an order of a customer without an id', [shopify('orders/create', order({ customer: {} }))], 100, 1],
  ['a renewal', [stripe('checkout.session.completed', session(subscription)), renewal], 100, 2],
  [
    'a refund of a renewal',
    [
      stripe('checkout.session.completed', session(subscription)),
      renewal,
      charge(2_000, { payment_intent: 'pi_2', customer: 'cus_1' }),
    ],
    80,
    2,
  ],
  ['a renewal of a subscription from before', [renewal, charge(5_000, { payment_intent: 'pi_2' })], 0, 1],
  ['a deal that is not won', [deal('amount', '700', 1), deal('dealstage', 'presentation', 2)], 0, 0],
  [
    'a deal',
    [deal('amount', '700', 1), deal('dealstage', 'closedwon', 2), deal('amount', '650.50', 3)],
    650.5,
    1,
  ],
  ['a deal that is lost again', [...WON_DEAL, deal('hs_is_closed_won', 'false', 3)], 0, 0],
  ['a deal in a won stage of the account', [deal('amount', '700', 1), deal('dealstage', '777', 2)], 700, 1],
  [
    'a deal that leaves the account’s won stage',
    [deal('amount', '700', 1), deal('dealstage', '777', 2), deal('dealstage', '700', 3)],
    0,
    0,
  ],
  ['a deal that is lost in a pipeline of the account', [...WON_DEAL, deal('dealstage', '666', 3)], 0, 0],
  [
    'a won deal that comes to a stage without a known meaning',
    [...WON_DEAL, deal('dealstage', '888', 3)],
    700,
    1,
  ],
  [
    'a won deal whose stage says otherwise at that moment',
    [...WON_DEAL, deal('dealstage', '700', 2)],
    700,
    1,
  ],
  ['a won deal whose outcome is emptied', [...WON_DEAL, deal('hs_is_closed_won', '', 3)], 700, 1],
  [
    'a deal in a stage without a known meaning',
    [deal('amount', '700', 1), deal('dealstage', '888', 2)],
    0,
    0,
  ],
  ['a won deal with another property', [...WON_DEAL, deal('dealname', 'New', 3)], 700, 1],
  ['a deleted deal', [...WON_DEAL, dealEvent('object.deletion', 3)], 0, 0],
  [
    'a deal that is deleted and restored',
    [...WON_DEAL, dealEvent('object.deletion', 3), dealEvent('deal.restore', 4)],
    700,
    1,
  ],
];

test('are counted alike however their deliveries arrive', async () => {
  const fixture = await openWriter();
  for (const [name, deliveries, revenue, purchases] of CASES) {
    const all = deliveries.flatMap(eventsOf);
    const twice = { minLength: 2 * all.length, maxLength: 2 * all.length };
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray([...all, ...all], twice),
        fc.integer({ min: 1, max: 4 }),
        async (events, size) => {
          await deliver(fixture, events, size);
          expect(await total(fixture), name).toEqual({ revenue, purchases });
        },
      ),
      { numRuns: 4, endOnFailure: true },
    );
  }
});

/** By two writers in turn, into an empty database. */
async function deliver(
  fixture: WriterFixture,
  events: readonly IncomingEvent[],
  size: number,
): Promise<void> {
  await fixture.owner.query(
    'TRUNCATE cdp_event, cdp_message, cdp_identity, cdp_merge, cdp_profile RESTART IDENTITY CASCADE',
  );
  for (let from = 0; from < events.length; from += size) {
    const writer = from % 2 === 0 ? fixture.writer : fixture.otherWriter;
    await writer.write(TENANT, events.slice(from, from + size));
  }
}

async function total(fixture: WriterFixture): Promise<unknown> {
  const [sum] = await fixture.query(
    `SELECT coalesce(sum(total_revenue), 0)::float8 AS revenue, coalesce(sum(total_purchases), 0)::int AS purchases
     FROM cdp_profile WHERE merged_into IS NULL`,
  );
  return sum;
}

test('till buyers without a name stay apart', async () => {
  const fixture = await openWriter();
  const { topic, body } = fixtureOf('shopify-pos-guest.json');
  const four = [1, 2, 3, 4].flatMap((id) => eventsOf(shopify(topic, { ...body, id })));
  const named = eventsOf(shopify(topic, { ...body, id: 5, customer: { id: 9, email: 'ann@example.com' } }));
  expect(named[0]?.event.context?.['traits']).toEqual({ email: 'ann@example.com' });
  await fixture.writer.write(TENANT, [...four, ...named]);
  expect(await fixture.query('SELECT total_revenue::float8 AS revenue FROM cdp_profile')).toEqual(
    Array.from({ length: 5 }, () => ({ revenue: 50 })),
  );
});

test('a sender’s own order counts once, whatever its messages are called', async () => {
  const fixture = await openWriter();
  const told = (messageId: string, timestamp: string, revenue: number): IncomingEvent => ({
    sourceId: 1,
    receivedAt,
    event: {
      type: 'track',
      event: 'Order Completed',
      userId: 'u',
      messageId,
      timestamp,
      properties: { order_id: 'o', revenue },
    },
  });
  await fixture.writer.write(TENANT, [told('server', '2026-11-20T10:00:01Z', 24)]);
  await fixture.writer.write(TENANT, [told('browser', '2026-11-20T10:00:00Z', 25)]);
  expect(
    await fixture.query(
      'SELECT total_revenue::float8 AS revenue, total_purchases::int AS n FROM cdp_profile',
    ),
  ).toEqual([{ revenue: 25, n: 1 }]);
});
