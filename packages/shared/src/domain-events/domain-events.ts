/** Events of the platform that tenants can listen to. Written with the change they tell of, published after it. */
import type { Queryable } from '../database/database.js';

export const DOMAIN_EVENT_TYPES = [
  'campaign.updated',
  'campaign.paused',
  'alert.triggered',
  'budget.depleted',
  'sync.completed',
  'anomaly.detected',
  'segment.entered',
  'segment.exited',
] as const;
export type DomainEventType = (typeof DOMAIN_EVENT_TYPES)[number];

/** Inside the caller's transaction, as the tenant. */
export async function recordDomainEvent(
  client: Queryable,
  event: { type: DomainEventType; data: Record<string, unknown>; at: Date },
): Promise<void> {
  await client.query(
    'INSERT INTO domain_event (tenant_id, type, data, occurred_at) VALUES (current_tenant(), $1, $2, $3)',
    [event.type, JSON.stringify(event.data), event.at],
  );
}
