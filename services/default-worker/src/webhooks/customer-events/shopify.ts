/** Shopify's orders, in the words of Segment's e-commerce specification. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import { firstOf, guestId, NOBODY, TEST, type Reading, type ReadingResult } from './reading.js';

const time = z.iso.datetime({ offset: true });
const amount = z.union([z.string().regex(/^-?\d+(\.\d+)?$/), z.number()]).transform(Number);

const customerSchema = z.looseObject({ id: idSchema.nullish(), email: z.string().nullish() });
const lineSchema = z.looseObject({
  product_id: idSchema.nullish(),
  variant_id: idSchema.nullish(),
  sku: z.string().nullish(),
  title: z.string().nullish(),
  price: amount.nullish(),
  quantity: z.number().nullish(),
});

const orderSchema = z.looseObject({
  id: idSchema,
  test: z.boolean().nullish(),
  name: z.string().nullish(),
  email: z.string().nullish(),
  created_at: time.nullish(),
  updated_at: time.nullish(),
  cancelled_at: time.nullish(),
  currency: z.string().nullish(),
  total_price: amount.nullish(),
  subtotal_price: amount.nullish(),
  total_tax: amount.nullish(),
  total_discounts: amount.nullish(),
  financial_status: z.string().nullish(),
  discount_codes: z.array(z.looseObject({ code: z.string() })).nullish(),
  customer: customerSchema.nullish(),
  line_items: z.array(lineSchema).nullish(),
});
type Order = z.output<typeof orderSchema>;

interface Topic {
  name: string;
  at: (order: Order) => string | null | undefined;
}

const COMPLETED: Topic = { name: 'Order Completed', at: (order) => order.created_at };
/** States of an order whose money has not come, or not all of it. A shop that sends none has no such orders. */
const UNPAID: ReadonlySet<string> = new Set(['pending', 'authorized', 'partially_paid', 'voided', 'expired']);

const TOPICS: Readonly<Record<string, Topic>> = {
  'orders/create': COMPLETED,
  'orders/paid': { name: 'Payment Succeeded', at: (order) => order.updated_at },
  'orders/updated': { name: 'Order Updated', at: (order) => order.updated_at },
  'orders/fulfilled': { name: 'Order Fulfilled', at: (order) => order.updated_at },
  'orders/cancelled': { name: 'Order Cancelled', at: (order) => order.cancelled_at },
  'checkouts/create': { name: 'Checkout Started', at: (order) => order.created_at },
};

export function readShopify({ type, body, receivedAt }: IncomingEvent): ReadingResult {
  if (type === 'customers/create') return readCustomer(body, receivedAt);
  if (type === 'refunds/create') return readRefund(body, receivedAt);
  if (type === 'disputes/create' || type === 'disputes/update') return readDispute(body, receivedAt);
  const topic = TOPICS[type];
  if (topic === undefined) return undefined;
  const order = parseJson(body, orderSchema);
  // A payment that was only tried out is no order.
  if (order.test === true) return TEST;
  if (type !== 'orders/create') {
    const event = readOrder(type, order, topic, receivedAt);
    // An order that was not paid when it was made counts now; another one is the same event as at its creation.
    if (type !== 'orders/paid' || event === NOBODY) return event;
    const completed = readOrder('orders/create', order, COMPLETED, receivedAt);
    return completed === NOBODY ? event : [event, completed];
  }
  const isPaid = !UNPAID.has(order.financial_status?.toLowerCase() ?? '');
  return readOrder(type, order, isPaid ? topic : { ...topic, name: 'Order Placed' }, receivedAt);
}

function readOrder(type: string, order: Order, topic: Topic, receivedAt: Date): Reading | typeof NOBODY {
  const email = firstOf(order.email, order.customer?.email);
  const ofOrder = type.startsWith('orders/') ? orderName(order.id) : undefined;
  const customerId = order.customer?.id ?? undefined;
  // A guest without an address is somebody of his own in each order.
  const anonymousId = (customerId === undefined ? guestId(email) : `shopify-${customerId}`) ?? ofOrder;
  if (anonymousId === undefined) return NOBODY;
  const isRevenue = topic === COMPLETED;
  return {
    name: topic.name,
    at: topic.at(order) ?? order.updated_at ?? receivedAt.toISOString(),
    ...(type.endsWith('/create') ? { subject: `${type}/${order.id}` } : {}),
    anonymousId,
    alsoKnownAs: [ofOrder],
    email,
    properties: {
      order_id: order.id,
      order_name: order.name,
      total: order.total_price,
      ...(isRevenue ? { revenue: order.total_price, value: order.total_price } : {}),
      subtotal: order.subtotal_price,
      tax: order.total_tax,
      discount: order.total_discounts,
      coupon: order.discount_codes?.[0]?.code,
      currency: order.currency,
      financial_status: order.financial_status,
      products: order.line_items?.map((line) => ({
        product_id: line.product_id ?? undefined,
        variant: line.variant_id ?? undefined,
        sku: line.sku ?? undefined,
        name: line.title ?? undefined,
        price: line.price ?? undefined,
        quantity: line.quantity ?? undefined,
      })),
    },
  };
}

const newCustomerSchema = customerSchema.extend({ id: idSchema, created_at: time.nullish() });

function readCustomer(body: string, receivedAt: Date): ReadingResult {
  const { id, email, created_at: at } = parseJson(body, newCustomerSchema);
  return {
    name: 'Customer Created',
    at: at ?? receivedAt.toISOString(),
    subject: `customers/create/${id}`,
    anonymousId: `shopify-${id}`,
    email: firstOf(email),
    properties: { customer_id: id },
  };
}

const refundSchema = z.looseObject({
  id: idSchema,
  order_id: idSchema,
  created_at: time.nullish(),
  transactions: z
    .array(
      z.looseObject({
        kind: z.string().nullish(),
        status: z.string().nullish(),
        test: z.boolean().nullish(),
        amount: amount.nullish(),
        currency: z.string().nullish(),
      }),
    )
    .nullish(),
});

/** Money that goes back. A refund names its order and nobody else. */
function readRefund(body: string, receivedAt: Date): ReadingResult {
  const { id, order_id: orderId, created_at: at, transactions } = parseJson(body, refundSchema);
  const real = (transactions ?? []).filter(({ test }) => test !== true);
  if (real.length === 0 && (transactions ?? []).length > 0) return TEST;
  const back = real.filter(
    ({ kind, status }) => kind === 'refund' && status !== 'failure' && status !== 'error',
  );
  const micros = back.reduce((sum, each) => sum + Math.round((each.amount ?? 0) * 1e6), 0);
  return {
    name: 'Order Refunded',
    at: at ?? receivedAt.toISOString(),
    subject: `refunds/create/${id}`,
    anonymousId: orderName(orderId),
    properties: {
      order_id: orderId,
      refund_id: id,
      total: micros / 1e6,
      currency: back.find(({ currency }) => currency)?.currency,
    },
  };
}

const disputeSchema = z.looseObject({
  id: idSchema,
  order_id: idSchema.nullish(),
  type: z.string().nullish(),
  status: z.string().nullish(),
  amount: amount.nullish(),
  currency: z.string().nullish(),
  initiated_at: time.nullish(),
});

/** A chargeback takes the money at once, and a won one brings it back. An inquiry only asks. https://shopify.dev/docs/api/admin-rest/latest/resources/dispute */
function readDispute(body: string, receivedAt: Date): ReadingResult {
  const dispute = parseJson(body, disputeSchema);
  const { id, order_id: orderId, type, status, amount: total, currency } = dispute;
  if (type === 'inquiry' || orderId === null || orderId === undefined) return undefined;
  const taken: Reading = {
    name: 'Order Refunded',
    at: dispute.initiated_at ?? receivedAt.toISOString(),
    subject: `disputes/${id}`,
    anonymousId: orderName(orderId),
    properties: { order_id: orderId, dispute_id: id, total, currency },
  };
  if (status !== 'won') return taken;
  const returned: Reading = {
    ...taken,
    name: 'Payment Succeeded',
    at: receivedAt.toISOString(),
    properties: { ...taken.properties, returned: total },
  };
  return [taken, returned];
}

function orderName(id: string): string {
  return `shopify-order-${id}`;
}
