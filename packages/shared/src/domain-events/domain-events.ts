/** Events of the platform that tenants can listen to. Written in the transaction of the change, published after it. */
import type { Queryable } from '../database/database.js';
import { DOMAIN_EVENT_DATA, type DomainEventData, type DomainEventType } from './payloads.js';

/** An event of one type, with what such an event says. */
export type DomainEvent<Type extends DomainEventType = DomainEventType> = {
  [Each in Type]: { type: Each; data: DomainEventData<Each>; at: Date };
}[Type];

/** Inside the caller's transaction, as the tenant. @throws ZodError for data that are not as the type's schema says */
export function recordDomainEvent(client: Queryable, event: DomainEvent): Promise<void> {
  return recordDomainEvents(client, [event]);
}

/** Many in one statement. Inside the caller's transaction, as the tenant. */
export async function recordDomainEvents(client: Queryable, events: readonly DomainEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ type, data, at }) => ({
    type,
    data: DOMAIN_EVENT_DATA[type].parse(data),
    occurred_at: at,
  }));
  await client.query(
    `INSERT INTO domain_event (tenant_id, type, data, occurred_at)
     SELECT current_tenant(), type, data, occurred_at
     FROM jsonb_to_recordset($1::jsonb) AS row (type text, data jsonb, occurred_at timestamptz)`,
    [JSON.stringify(rows)],
  );
}
