/** Shopify's orders, in the words of Segment's e-commerce specification. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import { NOBODY, type ReadingResult } from './reading.js';

const time = z.iso.datetime({ offset: true });
const amount = z.union([z.string().regex(/^-?\d+(\.\d+)?$/), z.number()]).transform(Number);

const customerSchema = z.looseObject({ id: idSchema, email: z.string().nullish() });
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

/** Only what customers do first-hand is revenue: `orders/create`. A payment of the same order must not count again. */
const TOPICS: Readonly<
  Record<string, { name: string; at: (order: Order) => string | null | undefined; revenue?: true }>
> = {
  'orders/create': { name: 'Order Completed', at: (order) => order.created_at, revenue: true },
  'orders/paid': { name: 'Payment Succeeded', at: (order) => order.updated_at },
  'orders/updated': { name: 'Order Updated', at: (order) => order.updated_at },
  'orders/fulfilled': { name: 'Order Fulfilled', at: (order) => order.updated_at },
  'orders/cancelled': { name: 'Order Cancelled', at: (order) => order.cancelled_at },
  'checkouts/create': { name: 'Checkout Started', at: (order) => order.created_at },
};

export function readShopify({ type, body, receivedAt }: IncomingEvent): ReadingResult {
  if (type === 'customers/create') return readCustomer(body, receivedAt);
  const topic = TOPICS[type];
  if (topic === undefined) return undefined;
  const order = parseJson(body, orderSchema);
  const email = order.email ?? order.customer?.email ?? undefined;
  const anonymousId = anonymousIdOf(order.customer?.id, email);
  if (anonymousId === undefined) return NOBODY;
  return {
    name: topic.name,
    at: topic.at(order) ?? order.updated_at ?? receivedAt.toISOString(),
    ...(type.endsWith('/create') ? { subject: `${type}/${order.id}` } : {}),
    anonymousId,
    email,
    properties: {
      order_id: order.id,
      order_name: order.name,
      total: order.total_price,
      ...(topic.revenue ? { revenue: order.total_price, value: order.total_price } : {}),
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

const newCustomerSchema = customerSchema.extend({ created_at: time.nullish() });

function readCustomer(body: string, receivedAt: Date): ReadingResult {
  const { id, email, created_at: at } = parseJson(body, newCustomerSchema);
  return {
    name: 'Customer Created',
    at: at ?? receivedAt.toISOString(),
    subject: `customers/create/${id}`,
    anonymousId: `shopify-${id}`,
    email: email ?? undefined,
    properties: { customer_id: id },
  };
}

/** The shop's own number of the customer; a guest is known by the e-mail address alone. */
function anonymousIdOf(id: string | undefined, email: string | undefined): string | undefined {
  if (id !== undefined) return `shopify-${id}`;
  return email === undefined ? undefined : `email-${email.toLowerCase()}`.slice(0, MAX_ID);
}
const MAX_ID = 200;
