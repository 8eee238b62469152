/** `ingest_customer_events`: events that a service of the platform brings in itself. */
import type { HandlerFor } from '@stratum/jobs';
import type { ingestCustomerEvents } from '@stratum/shared';
import type { EventWriter } from './event-writer.js';

export function ingestCustomerEventsHandler(writer: EventWriter): HandlerFor<typeof ingestCustomerEvents> {
  return async ({ tenant_id: tenantId, events }) => {
    const receivedAt = new Date().toISOString();
    const incoming = events.map((event) => ({ sourceId: null, receivedAt, event }));
    const { stored, repeated, rejected } = await writer.write(tenantId, incoming);
    return { stored, repeated, rejected };
  };
}
