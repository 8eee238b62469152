/** Hands an event over to the ingestion of customer events, which puts it into the customer's profile. */
import { ingestCustomerEvents, type CustomerEvent } from '@stratum/shared';
import type { PlannedTask } from '../plan.js';

export function recordCustomerEvent(tenantId: number, event: CustomerEvent): PlannedTask {
  return { contract: ingestCustomerEvents, payload: { tenant_id: tenantId, events: [event] } };
}
