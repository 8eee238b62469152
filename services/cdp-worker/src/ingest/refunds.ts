/**
 * The revenue that a refund takes back: its stated amount, but of a known order at most the revenue left; all of that
 * when it states no amount. A refund that names only its payment counts when the order of that payment is known: a payment alone was no revenue.
 */
import type { PoolClient } from 'pg';
import type { EventRow } from './event-row.js';
import { rootOf, type Person } from './resolve.js';
import { isOfOrder, PURCHASE, REFUND, refundOf, revenueOf, type Fields, type Revenue } from './revenue.js';

interface Told {
  name: string;
  properties: Fields;
}

/** The rows with what refunds take back as revenue below zero, in the same order. Inside the writer's transaction. */
export async function settleRefunds(
  client: PoolClient,
  { tenantId, currency }: { tenantId: number; currency: string },
  rows: readonly EventRow[],
  people: readonly Person[],
): Promise<readonly EventRow[]> {
  if (!rows.some(({ refund }) => refund !== undefined)) return rows;
  const earlier = await readOrders(client, tenantId, rows, people);
  const inBatch = new Map<Person, Told[]>();
  return rows.map((row, index) => {
    const person = people[index];
    if (person === undefined || (!row.isPurchase && row.refund === undefined)) return row;
    const root = rootOf(person);
    const before = inBatch.get(root) ?? [];
    const known = [...root.profiles.flatMap(({ profile }) => earlier.get(profile.id) ?? []), ...before];
    inBatch.set(root, [...before, { name: row.name, properties: row.event.properties ?? {} }]);
    return row.refund === undefined ? row : { ...row, revenue: takenBack(row, known, currency) };
  });
}

function takenBack({ refund }: EventRow, known: readonly Told[], currency: string): Revenue | undefined {
  if (refund === undefined) return undefined;
  const { amount, order, payment } = refund;
  const orders = known.filter((each) => each.name === PURCHASE && isOfOrder(each.properties, refund));
  const [first] = orders;
  if (first === undefined) {
    const namesPaymentOnly = order === undefined && payment !== undefined;
    return amount === undefined || namesPaymentOnly ? undefined : negative(amount);
  }
  const ordered = revenueOf(first.properties)?.currency ?? currency;
  // Money of different currencies is no common measure.
  if (amount !== undefined && (amount.currency ?? currency) !== ordered) return negative(amount);
  const brought = sum(
    orders.map(({ properties }) => revenueOf(properties)),
    ordered,
    currency,
  );
  let left = brought;
  for (const { name, properties } of known) {
    if (name !== REFUND || !isOfOrder(properties, refund)) continue;
    const other = refundOf(properties).amount;
    if (other === undefined) left = 0n;
    else if ((other.currency ?? currency) === ordered) left -= other.micros;
  }
  if (left < 0n) left = 0n;
  const micros = amount === undefined || amount.micros > left ? left : amount.micros;
  return negative({ micros, currency: ordered });
}

function sum(amounts: readonly (Revenue | undefined)[], of: string, tenants: string): bigint {
  let micros = 0n;
  for (const amount of amounts)
    if (amount !== undefined && (amount.currency ?? tenants) === of) micros += amount.micros;
  return micros;
}

function negative({ micros, currency }: Revenue): Revenue {
  return { micros: -micros, currency };
}

/** Orders of the people whose refunds a batch brings, and earlier refunds of them, by profile. */
async function readOrders(
  client: PoolClient,
  tenantId: number,
  rows: readonly EventRow[],
  people: readonly Person[],
): Promise<Map<number, Told[]>> {
  const ids = new Set<number>();
  const names: Record<'order' | 'payment', string[]> = { order: [], payment: [] };
  for (const [index, { refund }] of rows.entries()) {
    const person = people[index];
    if (person === undefined || refund === undefined) continue;
    const { order, payment } = refund;
    if (order !== undefined) names.order.push(order);
    else if (payment !== undefined) names.payment.push(payment);
    else continue;
    for (const { profile } of rootOf(person).profiles) ids.add(profile.id);
  }
  const orders = new Map<number, Told[]>();
  if (ids.size === 0) return orders;
  const { rows: found } = await client.query<Told & { profile_id: string }>({
    name: 'ingest-orders',
    text: `SELECT profile_id, name, properties FROM cdp_event
      WHERE tenant_id = $1 AND name IN ('${PURCHASE}', '${REFUND}') AND profile_id = ANY($2::bigint[])
        AND (properties ->> 'order_id' = ANY($3::text[]) OR properties ->> 'payment_intent' = ANY($4::text[]))`,
    values: [tenantId, [...ids], names.order, names.payment],
  });
  for (const { profile_id: id, name, properties } of found)
    orders.set(Number(id), [...(orders.get(Number(id)) ?? []), { name, properties }]);
  return orders;
}
