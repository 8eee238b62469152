/** Hands events over to the ingestion of customer events, which puts them into the customer's profile. */
import { ingestCustomerEvents, type CustomerEvent } from '@stratum/shared';
import type { PlannedTask } from '../plan.js';

export function recordCustomerEvents(tenantId: number, events: readonly CustomerEvent[]): PlannedTask {
  return { contract: ingestCustomerEvents, payload: { tenant_id: tenantId, events } };
}
