import { expect, test } from 'vitest';
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
