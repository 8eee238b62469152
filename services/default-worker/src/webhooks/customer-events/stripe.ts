/** Stripe's payments and subscriptions. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import { NOBODY, type ReadingResult } from './reading.js';

/** An id, or the whole object where the account asks Stripe for it. */
const reference = z.union([idSchema, z.looseObject({ id: idSchema }).transform(({ id }) => id)]);
const email = z.string().nullish();

const eventSchema = z.looseObject({
  created: z.int(),
  data: z.looseObject({
    /** Fields that the event has changed, as they were. */
    previous_attributes: z.looseObject({ amount_refunded: z.int().nullish() }).nullish(),
    object: z.looseObject({
      id: idSchema,
      object: z.string().optional(),
      customer: reference.nullish(),
      client_reference_id: z.string().nullish(),
      customer_email: email,
      receipt_email: email,
      email,
      customer_details: z.looseObject({ email }).nullish(),
      billing_details: z.looseObject({ email }).nullish(),
      currency: z.string().nullish(),
      status: z.string().nullish(),
      payment_status: z.string().nullish(),
      payment_intent: reference.nullish(),
      amount_total: z.int().nullish(),
      amount_received: z.int().nullish(),
      amount_refunded: z.int().nullish(),
      amount_paid: z.int().nullish(),
      amount_due: z.int().nullish(),
      amount: z.int().nullish(),
    }),
  }),
});
type StripeData = z.output<typeof eventSchema>['data'];
type StripeObject = StripeData['object'];

type AmountOf = (
  object: StripeObject,
  previous: StripeData['previous_attributes'],
) => number | null | undefined;
/** A purchase is revenue once: at the checkout, never again at the payment or the invoice behind it. */
const TYPES: Readonly<Record<string, { name: string; amount: AmountOf; revenue?: true }>> = {
  'checkout.session.completed': {
    name: 'Order Completed',
    amount: (object) => object.amount_total,
    revenue: true,
  },
  'payment_intent.succeeded': { name: 'Payment Succeeded', amount: (object) => object.amount_received },
  'payment_intent.payment_failed': { name: 'Payment Failed', amount: (object) => object.amount },
  // A charge carries the sum of its refunds so far.
  'charge.refunded': {
    name: 'Order Refunded',
    amount: (object, previous) => (object.amount_refunded ?? 0) - (previous?.amount_refunded ?? 0),
  },
  'invoice.paid': { name: 'Invoice Paid', amount: (object) => object.amount_paid },
  'invoice.payment_failed': { name: 'Invoice Payment Failed', amount: (object) => object.amount_due },
  'customer.created': { name: 'Customer Created', amount: () => undefined },
  'customer.subscription.created': { name: 'Subscription Started', amount: () => undefined },
  'customer.subscription.updated': { name: 'Subscription Updated', amount: () => undefined },
  'customer.subscription.deleted': { name: 'Subscription Cancelled', amount: () => undefined },
};

export function readStripe({ type, body }: Pick<IncomingEvent, 'type' | 'body'>): ReadingResult {
  const known = TYPES[type];
  if (known === undefined) return undefined;
  const { created, data } = parseJson(body, eventSchema);
  const { object } = data;
  const address =
    object.customer_details?.email ??
    object.customer_email ??
    object.receipt_email ??
    object.billing_details?.email ??
    object.email ??
    undefined;
  const customer = object.object === 'customer' ? object.id : object.customer;
  const userId = object.client_reference_id ?? undefined;
  const anonymousId = anonymousIdOf(customer, address);
  if (userId === undefined && anonymousId === undefined) return NOBODY;
  const amount = inMajorUnits(known.amount(object, data.previous_attributes), object.currency);
  return {
    name: known.name,
    at: new Date(created * 1000).toISOString(),
    userId,
    anonymousId,
    email: address,
    properties: {
      stripe_id: object.id,
      order_id: known.revenue ? object.id : undefined,
      payment_intent: object.payment_intent,
      total: amount,
      ...(known.revenue ? { revenue: amount, value: amount } : {}),
      currency: object.currency?.toUpperCase(),
      status: object.payment_status ?? object.status,
    },
  };
}

function anonymousIdOf(customer: string | null | undefined, address: string | undefined): string | undefined {
  if (typeof customer === 'string') return `stripe-${customer}`;
  return address === undefined ? undefined : `email-${address.toLowerCase()}`.slice(0, MAX_ID);
}
const MAX_ID = 200;

/** Stripe's own lists, which differ from ISO 4217 in a few places. */
const NO_DECIMALS = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' '));
const THREE_DECIMALS = new Set('BHD JOD KWD OMR TND'.split(' '));

function inMajorUnits(
  minor: number | null | undefined,
  currency: string | null | undefined,
): number | undefined {
  if (typeof minor !== 'number' || typeof currency !== 'string') return undefined;
  const code = currency.toUpperCase();
  if (NO_DECIMALS.has(code)) return minor;
  return minor / (THREE_DECIMALS.has(code) ? 1000 : 100);
}
