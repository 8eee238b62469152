/** The tasks that carry messages out. */
import { randomUUID } from 'node:crypto';
import type { BatchItem, JobsClient, PayloadOf } from '@stratum/jobs';
import { deliverWebhook } from '../tasks/default.js';

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

/** A further one. @param claim the message's claim for this task; default: it is not claimed yet */
export function nextDelivery(key: MessageKey, claim: string = newClaim()): DeliveryItem {
  return delivery(key, claim);
}

/** A claim is the id of the task that has the message. */
export function newClaim(): string {
  return `deliver-${randomUUID()}`;
}

/**
 * Of messages that were made to wait by a transaction that is committed by now: where this fails, they are found in half a minute.
 * Returns the tasks' ids.
 */
export async function enqueueDeliveries(
  client: Pick<JobsClient, 'enqueueMany'>,
  owner: Omit<MessageKey, 'eventId'>,
  events: readonly number[],
): Promise<string[]> {
  const tasks = events.map((eventId) => nextDelivery({ ...owner, eventId }));
  return (await client.enqueueMany(deliverWebhook, tasks)).map(({ id }) => id);
}

function delivery({ tenantId, subscriptionId, eventId }: MessageKey, id: string): DeliveryItem {
  return {
    payload: { tenant_id: tenantId, subscription_id: subscriptionId, event_id: eventId },
    options: { id },
  };
}
