import { expect, test } from 'vitest';
import { TEST } from './reading.js';
import { readStripe } from './stripe.js';

/** A charge of 20.00 of which 10.00 were given back, then 5.50 more: Stripe reports 10.00 and 15.50. */
test.each([
  [{ amount_refunded: 1_000 }, { amount_refunded: 0 }, 10],
  [{ amount_refunded: 1_550 }, { amount_refunded: 1_000 }, 5.5],
  // Versions of the API without the previous amount.
  [{ amount_refunded: 1_000 }, undefined, 10],
])('a refund is the amount refunded this time: %j after %j', (now, before, total) => {
  const body = JSON.stringify({
    created: 1_700_000_000,
    data: {
      object: {
        id: 'ch_1',
        object: 'charge',
        customer: 'cus_1',
        currency: 'usd',
        payment_intent: 'pi_1',
        ...now,
      },
      ...(before === undefined ? {} : { previous_attributes: before }),
    },
  });
  expect(readStripe({ type: 'charge.refunded', body })).toMatchObject({
    name: 'Order Refunded',
    anonymousId: 'stripe-cus_1',
    properties: { total, payment_intent: 'pi_1', currency: 'USD' },
  });
});

const invoice = (fields: object) =>
  readStripe({
    type: 'invoice.paid',
    body: JSON.stringify({
      created: 1_700_000_000,
      data: {
        object: {
          id: 'in_2',
          object: 'invoice',
          customer: 'cus_1',
          currency: 'usd',
          amount_paid: 2_500,
          payments: { data: [{ payment: { payment_intent: 'pi_2' } }] },
          ...fields,
        },
      },
    }),
  });

test.each(['subscription_cycle', 'subscription_update', 'subscription_threshold'])(
  'the payment of a renewal (%s) is an order of its own',
  (reason) => {
    expect(invoice({ billing_reason: reason })).toMatchObject([
      { name: 'Invoice Paid', properties: { invoice_id: 'in_2', total: 25 } },
      {
        name: 'Order Completed',
        subject: 'order/in_2',
        anonymousId: 'stripe-cus_1',
        properties: { order_id: 'in_2', invoice_id: 'in_2', payment_intent: 'pi_2', revenue: 25 },
      },
    ]);
  },
);

test.each([
  ['the first one, which its checkout has counted', { billing_reason: 'subscription_create' }],
  ['one made by hand, which may be of a checkout', { billing_reason: 'manual' }],
  ['one of nothing', { billing_reason: 'subscription_cycle', amount_paid: 0 }],
  ['one without a reason', {}],
])('an invoice is no revenue: %s', (_which, fields) => {
  expect(invoice(fields)).toMatchObject({ name: 'Invoice Paid' });
  expect(JSON.stringify(invoice(fields))).not.toContain('revenue');
});

test.each([
  'checkout.session.completed',
  'payment_intent.succeeded',
  'charge.refunded',
  'charge.dispute.funds_withdrawn',
  'invoice.paid',
  'customer.created',
])('an event of the test mode (%s) counts where the endpoint says so, and nowhere else', (type) => {
  const event = (livemode: boolean | undefined) => ({
    type,
    body: JSON.stringify({
      created: 1_700_000_000,
      livemode,
      data: { object: { id: 'x_1', customer: 'cus_1', currency: 'usd', amount: 100, amount_paid: 100 } },
    }),
  });
  const real = readStripe(event(true));
  expect(real).not.toBe(TEST);
  expect(readStripe(event(undefined))).toEqual(real);
  expect(readStripe(event(false))).toBe(TEST);
  expect(readStripe({ ...event(false), settings: { test_events: 'ignored' } })).toBe(TEST);
  expect(readStripe({ ...event(false), settings: { test_events: 'counted' } })).toEqual(real);
});
