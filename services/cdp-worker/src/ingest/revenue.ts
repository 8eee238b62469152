/** An event's money fields, by Segment's e-commerce specification. */
import type { EventNote } from '@stratum/shared/customer-events';
import { readAmount } from './amount.js';

export type Fields = Record<string, unknown>;

export interface Revenue {
  /** In millionths; below zero when it is given back. */
  micros: bigint;
  /** `undefined`: the tenant's own. */
  currency: string | undefined;
}

export interface Refund {
  /** `undefined`: it does not say, so it is all that the order brought. */
  amount: Revenue | undefined;
  order: string | undefined;
  /** From senders that know the payment, and not its order. */
  payment: string | undefined;
}

export const PURCHASE = 'Order Completed';
export const REFUND = 'Order Refunded';

/** Segment's order of fields: the shop's revenue, else the customer's payment. */
const AMOUNTS = ['revenue', 'total', 'value'] as const;

/** Sums stay far inside numeric(20,6). */
const MAX_REVENUE = 1e9;
const MICROS = 1_000_000;

export function revenueOf(properties: Fields): Revenue | undefined {
  for (const field of AMOUNTS) {
    const micros = microsOf(properties[field]);
    if (micros !== undefined) return { micros, currency: currencyOf(properties) };
  }
  return undefined;
}

export function isMoney(name: string): boolean {
  return name === PURCHASE || name === REFUND;
}

/** Amounts that are no plain numbers, and those that cannot be read at all. */
export function moneyNotes(properties: Fields): EventNote[] {
  const notes: EventNote[] = [];
  for (const field of AMOUNTS) {
    const amount = properties[field];
    if (amount === undefined || amount === null || amount === '') continue;
    const read = readAmount(amount);
    const name = `properties.${field}`;
    if (read === undefined || Math.abs(read.number) >= MAX_REVENUE)
      notes.push({ field: name, message: 'is no amount that can be read and was not counted' });
    else if (read.guess !== undefined) notes.push({ field: name, message: read.guess });
  }
  return notes;
}

/** Some senders write refunds as negative amounts. Without an amount, the returned products' prices count. */
export function refundOf(properties: Fields): Refund {
  const stated = revenueOf(properties) ?? productsOf(properties);
  return {
    amount: stated && { ...stated, micros: stated.micros < 0n ? -stated.micros : stated.micros },
    order: textOf(properties['order_id']),
    payment: textOf(properties['payment_intent']),
  };
}

function productsOf(properties: Fields): Revenue | undefined {
  const { products } = properties;
  if (!Array.isArray(products) || products.length === 0) return undefined;
  let sum = 0n;
  for (const product of products as unknown[]) {
    if (typeof product !== 'object' || product === null) return undefined;
    const { price, quantity = 1 }: Fields = { ...product };
    const micros = microsOf(price);
    const pieces = Number(quantity);
    if (micros === undefined || !Number.isInteger(pieces) || pieces < 0 || pieces > MAX_REVENUE)
      return undefined;
    sum += micros * BigInt(pieces);
  }
  return sum < BigInt(MAX_REVENUE * MICROS) ? { micros: sum, currency: currencyOf(properties) } : undefined;
}

function microsOf(amount: unknown): bigint | undefined {
  const number = readAmount(amount)?.number;
  if (number === undefined || Math.abs(number) >= MAX_REVENUE) return undefined;
  return BigInt(Math.round(number * MICROS));
}

function currencyOf({ currency }: Fields): string | undefined {
  return typeof currency === 'string' && currency !== '' ? currency.toUpperCase() : undefined;
}

export function textOf(id: unknown): string | undefined {
  if (typeof id === 'number') return String(id);
  return typeof id === 'string' && id !== '' ? id : undefined;
}
