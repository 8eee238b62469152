/** Stripe's payments and subscriptions. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import { firstOf, guestId, NOBODY, TEST, type Reading, type ReadingResult } from './reading.js';

/** An id, or the whole object where the account asks Stripe for it. */
const reference = z.union([idSchema, z.looseObject({ id: idSchema }).transform(({ id }) => id)]);
const email = z.string().nullish();

const eventSchema = z.looseObject({
  created: z.int(),
  livemode: z.boolean().nullish(),
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
      mode: z.string().nullish(),
      /** Of an invoice. */
      billing_reason: z.string().nullish(),
      payment_intent: reference.nullish(),
      /** Of a checkout, and of payments and charges in older versions of the API. */
      invoice: reference.nullish(),
      /** Of an invoice, in newer versions. */
      payments: z
        .looseObject({
          data: z.array(
            z.looseObject({ payment: z.looseObject({ payment_intent: reference.nullish() }).nullish() }),
          ),
        })
        .nullish(),
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
interface Type {
  name: string;
  amount: AmountOf;
  revenue?: true;
  /** What it happens to once, whichever of several types reports it. */
  once?: string;
  /** The amount was taken back before, and has come again. */
  returns?: true;
}
/** A purchase is revenue once: at the checkout, never again at the payment or the invoice behind it. */
const COMPLETED: Type = { name: 'Order Completed', amount: (object) => object.amount_total, revenue: true };
/** Checkouts of other modes only save a way to pay. */
const ORDER_MODES: ReadonlySet<string> = new Set(['payment', 'subscription']);
/**
 * Invoices of a running subscription, which no checkout stands behind. The first one, and one made by hand, may be of a checkout, which
 * has counted it.
 */
const RENEWALS: ReadonlySet<string> = new Set([
  'subscription_cycle',
  'subscription_update',
  'subscription_threshold',
]);
const PAID_INVOICE: Type = {
  name: 'Invoice Paid',
  amount: (object) => object.amount_paid,
  once: 'invoice',
};
/** The refunded money could not be delivered, and is the shop's again. */
const FAILED_REFUND: Type = {
  name: 'Payment Succeeded',
  amount: (object) => object.amount,
  once: 'failed-refund',
  returns: true,
};
const CHECKOUT = 'checkout.session.';
const TYPES: Readonly<Record<string, Type>> = {
  'checkout.session.completed': COMPLETED,
  // The money of a bank debit comes days after the checkout, or not at all.
  'checkout.session.async_payment_succeeded': COMPLETED,
  'checkout.session.async_payment_failed': {
    name: 'Payment Failed',
    amount: (object) => object.amount_total,
  },
  'payment_intent.succeeded': { name: 'Payment Succeeded', amount: (object) => object.amount_received },
  'payment_intent.payment_failed': { name: 'Payment Failed', amount: (object) => object.amount },
  // A charge carries the sum of its refunds so far.
  'charge.refunded': {
    name: 'Order Refunded',
    amount: (object, previous) => (object.amount_refunded ?? 0) - (previous?.amount_refunded ?? 0),
  },
  // The bank takes the money of a disputed payment at once, and gives it back when the dispute is won.
  'charge.dispute.funds_withdrawn': {
    name: 'Order Refunded',
    amount: (object) => object.amount,
    once: 'dispute',
  },
  'charge.dispute.funds_reinstated': {
    name: 'Payment Succeeded',
    amount: (object) => object.amount,
    once: 'won-dispute',
    returns: true,
  },
  'refund.failed': FAILED_REFUND,
  'charge.refund.updated': FAILED_REFUND,
  'invoice.paid': PAID_INVOICE,
  // What the same payment is called in older versions; accounts may send both.
  'invoice.payment_succeeded': PAID_INVOICE,
  'invoice.payment_failed': { name: 'Invoice Payment Failed', amount: (object) => object.amount_due },
  'customer.created': { name: 'Customer Created', amount: () => undefined },
  'customer.subscription.created': { name: 'Subscription Started', amount: () => undefined },
  'customer.subscription.updated': { name: 'Subscription Updated', amount: () => undefined },
  'customer.subscription.deleted': { name: 'Subscription Cancelled', amount: () => undefined },
};

export function readStripe({
  type,
  body,
  settings = {},
}: Pick<IncomingEvent, 'type' | 'body'> & Partial<Pick<IncomingEvent, 'settings'>>): ReadingResult {
  const known = TYPES[type];
  if (known === undefined) return undefined;
  const { created, livemode, data } = parseJson(body, eventSchema);
  // An endpoint of a platform (Stripe Connect) gets those of both modes.
  if (livemode === false && settings['test_events'] !== 'counted') return TEST;
  const { mode, payment_status: paid, status } = data.object;
  if (known === FAILED_REFUND && status !== 'failed' && status !== 'canceled') return undefined;
  if (known === PAID_INVOICE) return readPaidInvoice(type, known, data, created);
  if (!type.startsWith(CHECKOUT)) return readObject(type, known, data, created);
  if (mode !== undefined && mode !== null && !ORDER_MODES.has(mode)) return undefined;
  if (type === `${CHECKOUT}completed` && paid === 'unpaid')
    return readObject(type, { ...known, name: 'Order Placed', revenue: undefined }, data, created);
  const reading = readObject(type, known, data, created);
  if (known === COMPLETED || reading === NOBODY) return reading;
  // Versions before counted an order at its checkout, paid or not.
  return [reading, { ...reading, name: 'Order Cancelled', subject: `order/${data.object.id}` }];
}

/** The payment of a renewal is an order of its own; an invoice of nothing, as in a trial, is none. */
function readPaidInvoice(type: string, known: Type, data: StripeData, created: number): ReadingResult {
  const invoice = readObject(type, known, data, created);
  const { billing_reason: reason, amount_paid: paid, id } = data.object;
  if (invoice === NOBODY || !RENEWALS.has(reason ?? '') || !((paid ?? 0) > 0)) return invoice;
  const { total } = invoice.properties;
  return [
    invoice,
    {
      ...invoice,
      name: COMPLETED.name,
      subject: `order/${id}`,
      properties: { ...invoice.properties, order_id: id, revenue: total, value: total },
    },
  ];
}

function readObject(
  type: string,
  known: Omit<Type, 'revenue'> & { revenue?: true | undefined },
  data: StripeData,
  created: number,
): Reading | typeof NOBODY {
  const { object } = data;
  const address = firstOf(
    object.customer_details?.email,
    object.customer_email,
    object.receipt_email,
    object.billing_details?.email,
    object.email,
  );
  const customer = firstOf(object.object === 'customer' ? object.id : object.customer);
  const userId = firstOf(object.client_reference_id);
  const isCheckout = type.startsWith(CHECKOUT);
  const isInvoice = type.startsWith('invoice.');
  const payment = firstOf(
    type.startsWith('payment_intent.') ? object.id : object.payment_intent,
    object.payments?.data.find((each) => each.payment?.payment_intent)?.payment?.payment_intent,
  );
  const invoice = firstOf(isInvoice ? object.id : object.invoice);
  const ofPayment = payment && `stripe-${payment}`;
  const ofInvoice = invoice && `stripe-${invoice}`;
  const anonymousId = firstOf(customer && `stripe-${customer}`, guestId(address), ofPayment, ofInvoice);
  if (userId === undefined && anonymousId === undefined) return NOBODY;
  const amount = inMajorUnits(known.amount(object, data.previous_attributes), object.currency);
  return {
    name: known.name,
    at: new Date(created * 1000).toISOString(),
    // Both events of a checkout that end in its money are one order.
    subject: known.revenue ? `order/${object.id}` : known.once && `${known.once}/${object.id}`,
    userId,
    anonymousId,
    alsoKnownAs: [ofPayment, ofInvoice],
    email: address,
    properties: {
      stripe_id: object.id,
      order_id: isCheckout ? object.id : undefined,
      payment_intent: payment,
      invoice_id: invoice,
      total: amount,
      ...(known.revenue ? { revenue: amount, value: amount } : {}),
      ...(known.returns ? { returned: amount } : {}),
      currency: object.currency?.toUpperCase(),
      status: object.payment_status ?? object.status,
    },
  };
}

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
