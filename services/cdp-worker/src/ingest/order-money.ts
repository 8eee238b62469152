/** The money of an order: what its purchase brought, less what was taken back. */
import { PURCHASE, REFUND, refundOf, revenueOf, textOf, type Fields, type Revenue } from './revenue.js';

const CANCELLED = 'Order Cancelled';
/** They say only which payment is of which invoice. */
const LINKS = ['Invoice Paid', 'Payment Succeeded'] as const;
const DEAL_CHANGED = 'Deal Updated';
const DEAL_DELETED = 'Deal Deleted';

export const MONEY_EVENTS: ReadonlySet<string> = new Set([
  PURCHASE,
  REFUND,
  CANCELLED,
  ...LINKS,
  DEAL_CHANGED,
  DEAL_DELETED,
]);

export interface MoneyEvent {
  id: string;
  name: string;
  /** ISO 8601, UTC. */
  occurredAt: string;
  /** `null`: a service of the platform, such as webhooks. */
  sourceId: number | null;
  properties: Fields;
}

/** What an event calls its order by. */
export interface OrderKeys {
  order: Set<string>;
  payment: Set<string>;
  invoice: Set<string>;
}

export function keysOf(properties: Fields): OrderKeys {
  const one = (field: string): Set<string> => {
    const key = textOf(properties[field]);
    return new Set(key === undefined ? [] : [key]);
  };
  return { order: one('order_id'), payment: one('payment_intent'), invoice: one('invoice_id') };
}

export function isKeyed({ properties }: MoneyEvent): boolean {
  return flat(properties).length > 0;
}

function flat(properties: Fields): string[] {
  return Object.entries(keysOf(properties)).flatMap(([kind, keys]: [string, Set<string>]) =>
    [...keys].map((key) => `${kind} ${key}`),
  );
}

/** Those of the events that have a key in common with one, or with another of them. */
export function connected(events: readonly MoneyEvent[], one: Pick<MoneyEvent, 'properties'>): MoneyEvent[] {
  const keys = new Set(flat(one.properties));
  const found = new Set<MoneyEvent>();
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const event of events) {
      const own = flat(event.properties);
      if (found.has(event) || !own.some((key) => keys.has(key))) continue;
      found.add(event);
      for (const key of own) keys.add(key);
    }
  }
  return [...found];
}

export interface Money {
  /** In millionths of the tenant's currency; amounts in others are not added up. */
  micros: bigint;
  purchases: number;
}

/** Of any number of orders. */
export function moneyOf(events: readonly MoneyEvent[], currency: string): Money {
  const sum: Money = { micros: 0n, purchases: 0 };
  const left = new Set(events);
  for (const event of events) {
    if (!left.has(event)) continue;
    const order = isKeyed(event) ? connected([...left], event) : [event];
    for (const each of order) left.delete(each);
    const { micros, purchases } = moneyOfOrder(order, currency);
    sum.micros += micros;
    sum.purchases += purchases;
  }
  return sum;
}

function moneyOfOrder(events: readonly MoneyEvent[], currency: string): Money {
  if (events.some(({ name }) => name === DEAL_CHANGED || name === DEAL_DELETED))
    return moneyOfDeal(events, currency);
  const refunds = events.filter(({ name }) => name === REFUND);
  const purchase = purchaseOf(events);
  if (purchase === undefined) return { micros: -unknownOrders(refunds, currency), purchases: 0 };
  if (events.some(({ name }) => name === CANCELLED)) return { micros: 0n, purchases: 1 };
  const brought = revenueOf(purchase.properties);
  const ordered = brought?.currency ?? currency;
  const all = brought?.micros ?? 0n;
  let left = all;
  let apart = 0n;
  for (const { properties } of refunds) {
    const { amount } = refundOf(properties);
    if (amount === undefined) left -= all;
    else if ((amount.currency ?? currency) === ordered) left -= amount.micros;
    // Money of different currencies is no common measure.
    else apart += inCurrency(amount, currency);
  }
  for (const { properties } of events) {
    const returned = returnedOf(properties);
    if ((returned?.currency ?? currency) === ordered) left += returned?.micros ?? 0n;
  }
  if (all >= 0n) left = left < 0n ? 0n : left > all ? all : left;
  return { micros: inCurrency({ micros: left, currency: ordered }, currency) - apart, purchases: 1 };
}

/** What was taken back by a refund that failed, or by a dispute that was won, and has come again. */
function returnedOf({ returned, currency }: Fields): Revenue | undefined {
  return returned === undefined ? undefined : revenueOf({ revenue: returned, currency });
}

/** The first that has an amount, whichever arrived first: the others tell the same order again. */
function purchaseOf(events: readonly MoneyEvent[]): MoneyEvent | undefined {
  const purchases = events.filter(({ name }) => name === PURCHASE).toSorted(byTime);
  return purchases.find(({ properties }) => revenueOf(properties) !== undefined) ?? purchases[0];
}

/**
 * A tenant's own source may refund an order that it never sent; the refund then counts in full. The order of a webhook's refund is still to
 * come, or is from before the connection and never counted. A payment alone was no revenue.
 */
function unknownOrders(refunds: readonly MoneyEvent[], currency: string): bigint {
  let sum = 0n;
  for (const { properties, sourceId } of refunds) {
    const { amount, order, payment } = refundOf(properties);
    const waits =
      (order === undefined && payment !== undefined) || (order !== undefined && sourceId === null);
    if (amount !== undefined && !waits) sum += inCurrency(amount, currency);
  }
  return sum;
}

/** Of each property the newest counts. Between two of one moment, HubSpot's own word counts before what a stage says. */
function moneyOfDeal(events: readonly MoneyEvent[], currency: string): Money {
  const newest = (field: string): unknown =>
    events
      .filter(({ properties }) => properties[field] !== undefined)
      .toSorted(
        (one, other) => compareMoments(one, other) || isStage(other) - isStage(one) || byTime(one, other),
      )
      .at(-1)?.properties[field];
  const isWon = newest('deal_won') === true && !isDeleted(events);
  if (!isWon) return { micros: 0n, purchases: 0 };
  const amount = revenueOf({ revenue: newest('deal_amount'), currency: newest('deal_currency') });
  return { micros: amount === undefined ? 0n : inCurrency(amount, currency), purchases: 1 };
}

/** A deleted deal can be restored. */
function isDeleted(events: readonly MoneyEvent[]): boolean {
  const last = events
    .filter(({ name, properties }) => name === DEAL_DELETED || properties['deal_deleted'] === false)
    .toSorted(byTime)
    .at(-1);
  return last?.name === DEAL_DELETED;
}

function isStage({ properties }: MoneyEvent): number {
  return Number(properties['property'] === 'dealstage');
}

function compareMoments({ occurredAt: one }: MoneyEvent, { occurredAt: other }: MoneyEvent): number {
  return one < other ? -1 : Number(one > other);
}

function byTime(one: MoneyEvent, other: MoneyEvent): number {
  const [a, b] = [`${one.occurredAt} ${one.id}`, `${other.occurredAt} ${other.id}`];
  return a < b ? -1 : a > b ? 1 : 0;
}

function inCurrency(amount: Revenue, currency: string): bigint {
  return (amount.currency ?? currency) === currency ? amount.micros : 0n;
}
