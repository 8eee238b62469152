/** The tasks that carry messages out. */
import type { BatchItem } from '@stratum/jobs';
import { randomUUID } from 'node:crypto';
import type { PayloadOf } from '@stratum/jobs';
import type { deliverWebhook } from '../tasks/default.js';

export interface MessageKey {
  tenantId: number;
  subscriptionId: string;
  eventId: number;
}

type DeliveryItem = BatchItem<PayloadOf<typeof deliverWebhook>>;

/** The first task of a message: the same however often it is asked for. */
export function firstDelivery(key: MessageKey): DeliveryItem {
  return delivery(key, `deliver-${key.subscriptionId}-${key.eventId}`);
}

/** A further one. @param claim what the message is claimed with for this task; default: it is not claimed yet */
export function nextDelivery(key: MessageKey, claim: string = newClaim()): DeliveryItem {
  return delivery(key, claim);
}

/** A claim is the id of the task that has the message. */
export function newClaim(): string {
  return `deliver-${randomUUID()}`;
}

function delivery({ tenantId, subscriptionId, eventId }: MessageKey, id: string): DeliveryItem {
  return {
    payload: { tenant_id: tenantId, subscription_id: subscriptionId, event_id: eventId },
    options: { id },
  };
}
