/**
 * What the events of a batch change in the revenue of their people: the money of each order with the new event, less its money without it. So the
 * order in which events arrive does not matter, and an order that arrives twice counts once.
 */
import type { PoolClient } from 'pg';
import type { EventRow } from './event-row.js';
import {
  connected,
  isKeyed,
  keysOf,
  moneyOf,
  MONEY_EVENTS,
  type MoneyEvent,
  type OrderKeys,
} from './order-money.js';
import { rootOf, type Person } from './resolve.js';
import type { Fields } from './revenue.js';

/** Rounds in which keys lead to further keys: a refund to its payment's invoice, the invoice to its order, the order to its other refunds. */
const MAX_ROUNDS = 4;

/** The rows with what they change in revenue and purchases, in the same order. Inside the writer's transaction. */
export async function settleOrders(
  client: PoolClient,
  { tenantId, currency }: { tenantId: number; currency: string },
  rows: readonly EventRow[],
  people: readonly Person[],
): Promise<readonly EventRow[]> {
  if (!rows.some(isMoneyRow)) return rows;
  const earlier = await readMoney(client, tenantId, rows, people);
  const inBatch = new Map<Person, MoneyEvent[]>();
  return rows.map((row, index) => {
    const person = people[index];
    if (person === undefined || !isMoneyRow(row)) return row;
    const event = toMoneyEvent(row);
    const root = rootOf(person);
    const before = inBatch.get(root) ?? [];
    const known = [...root.profiles.flatMap(({ profile }) => earlier.get(profile.id) ?? []), ...before];
    inBatch.set(root, [...before, event]);
    const related = isKeyed(event) ? connected(known, event) : [];
    const without = moneyOf(related, currency);
    const withIt = moneyOf([...related, event], currency);
    return {
      ...row,
      purchases: withIt.purchases - without.purchases,
      revenue: { micros: withIt.micros - without.micros, currency },
    };
  });
}

function isMoneyRow({ name }: EventRow): boolean {
  return MONEY_EVENTS.has(name);
}

function toMoneyEvent(row: EventRow): MoneyEvent {
  const { id, name, occurredAt, sourceId } = row;
  return { id, name, occurredAt, sourceId, properties: row.event.properties ?? {} };
}

interface Found {
  id: string;
  name: string;
  occurred_at: Date;
  source_id: string | null;
  profile_id: string;
  properties: Fields;
}

const NAMES = [...MONEY_EVENTS].map((name) => `'${name}'`).join(', ');

/** Earlier events of the same orders, by profile. */
async function readMoney(
  client: PoolClient,
  tenantId: number,
  rows: readonly EventRow[],
  people: readonly Person[],
): Promise<Map<number, MoneyEvent[]>> {
  const ids = new Set<number>();
  const asked: OrderKeys = { order: new Set(), payment: new Set(), invoice: new Set() };
  const add = (keys: OrderKeys): boolean => {
    let isNew = false;
    for (const kind of ['order', 'payment', 'invoice'] as const)
      for (const key of keys[kind]) {
        isNew ||= !asked[kind].has(key);
        asked[kind].add(key);
      }
    return isNew;
  };
  for (const [index, row] of rows.entries()) {
    const person = people[index];
    if (person === undefined || !isMoneyRow(row) || !add(keysOf(row.event.properties ?? {}))) continue;
    for (const { profile } of rootOf(person).profiles) ids.add(profile.id);
  }
  const events = new Map<number, MoneyEvent[]>();
  for (let round = 0, isMore = ids.size > 0; isMore && round < MAX_ROUNDS; round++) {
    events.clear();
    isMore = false;
    const { rows: found } = await client.query<Found>({
      name: 'ingest-orders',
      // The index `cdp_event_money` has these names.
      text: `SELECT id, name, occurred_at, source_id, profile_id, properties FROM cdp_event
        WHERE tenant_id = $1 AND name IN (${NAMES}) AND profile_id = ANY($2::bigint[])
          AND (properties ->> 'order_id' = ANY($3::text[]) OR properties ->> 'payment_intent' = ANY($4::text[])
            OR properties ->> 'invoice_id' = ANY($5::text[]))`,
      values: [tenantId, [...ids], [...asked.order], [...asked.payment], [...asked.invoice]],
    });
    for (const { id, name, occurred_at: at, source_id: source, profile_id: profile, properties } of found) {
      const event = {
        id: id.replaceAll('-', ''),
        name,
        occurredAt: at.toISOString(),
        sourceId: source === null ? null : Number(source),
        properties,
      };
      events.set(Number(profile), [...(events.get(Number(profile)) ?? []), event]);
      isMore = add(keysOf(properties)) || isMore;
    }
  }
  return events;
}
