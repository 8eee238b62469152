import {
  addTestEvent,
  enqueueDeliveries,
  findSubscription,
  formatEventId,
  listDeliveries,
  parseEventId,
  replayDelivery,
  type OutboundDelivery,
  type MessageState,
} from '@stratum/shared/subscriptions';
import type { TaskRecord } from '@stratum/jobs';
import { typed } from '../frame/invocation.js';
import { ago, wrapped, printJson, printTable } from '../output.js';
import { asTenant, type TenantOptions } from '../tenant-session.js';
import { subject, unknownSubscription } from './subscription-lookup.js';

/** Time for an attempt, unless the queue is long. */
const TEST_TIMEOUT_MS = 30_000;

export async function list(
  id: string,
  options: TenantOptions & { state?: MessageState; limit: number },
): Promise<void> {
  const { tenant, limit, state, json } = options;
  const { deliveries } = await asTenant({ tenant, subject }, async ({ client }) => {
    if ((await findSubscription(client, id)) === undefined) throw unknownSubscription(id, tenant);
    return listDeliveries(client, id, { limit, ...(state === undefined ? {} : { state }) });
  });
  if (json) printJson(deliveries.map(toJson));
  else if (deliveries.length === 0) console.log('No deliveries match.');
  else
    printTable(
      ['event', 'type', 'occurred', 'state', 'attempts', wrapped('last response'), 'next attempt'],
      deliveries.map((each) => [
        formatEventId(each.eventId),
        each.type,
        ago(each.occurredAt),
        each.state,
        each.attempts[0]?.attempt ?? 0,
        lastResponse(each),
        ago(each.nextAttemptAt),
      ]),
    );
}

export async function test(id: string, { tenant, json }: TenantOptions): Promise<void> {
  let record: TaskRecord | undefined;
  const eventId = await asTenant({ tenant, subject }, async ({ client, audit, afterCommit }) => {
    if ((await findSubscription(client, id)) === undefined) throw unknownSubscription(id, tenant);
    await audit('subscription.tested', id);
    const event = await addTestEvent(client, id);
    afterCommit(async (tasks) => {
      const [taskId = ''] = await enqueueDeliveries(tasks, { tenantId: tenant, subscriptionId: id }, [event]);
      record = await tasks.result(taskId, { timeoutMs: TEST_TIMEOUT_MS });
    });
    return event;
  });
  const { deliveries } = await asTenant({ tenant, subject }, ({ client }) =>
    listDeliveries(client, id, { limit: 100 }),
  );
  const sent = deliveries.find((each) => each.eventId === eventId);
  const isDelivered = sent?.state === 'delivered';
  if (!isDelivered) process.exitCode = 1;
  if (json)
    printJson(sent === undefined ? { event_id: formatEventId(eventId), state: 'unknown' } : toJson(sent));
  else if (isDelivered) console.log(`Delivered: ${lastResponse(sent)}.`);
  else
    console.log(
      `Not delivered: ${sent === undefined ? 'no attempt is recorded' : lastResponse(sent)}. The task ended with ${record?.state}.`,
    );
}

export async function replay(id: string, event: string, { tenant, json }: TenantOptions): Promise<void> {
  const eventId = parseEventId(event);
  if (eventId === undefined) throw new Error(`"${event}" is not the id of an event; it begins with evt_.`);
  let taskIds: string[] = [];
  await asTenant({ tenant, subject }, async ({ client, audit, afterCommit }) => {
    const subscription = await findSubscription(client, id);
    if (subscription === undefined) throw unknownSubscription(id, tenant);
    await audit('subscription.delivery_replayed', id, { event_id: event });
    if (!(await replayDelivery(client, subscription, eventId)))
      throw new Error(`The subscription has no event "${event}" of the last 30 days.`);
    afterCommit(async (tasks) => {
      taskIds = await enqueueDeliveries(tasks, { tenantId: tenant, subscriptionId: id }, [eventId]);
    });
  });
  if (json) printJson({ event_id: event, task_id: taskIds[0] });
  else
    console.log(
      `Enqueued. See its attempts with: ${typed(`subscriptions deliveries ${id} --tenant ${tenant}`)}`,
    );
}

function lastResponse({ attempts: [last] }: OutboundDelivery): string {
  if (last === undefined) return 'no attempt yet';
  return last.error ?? `HTTP ${last.status_code} in ${last.duration_ms} ms`;
}

function toJson(delivery: OutboundDelivery): Record<string, unknown> {
  return {
    event_id: formatEventId(delivery.eventId),
    type: delivery.type,
    occurred_at: delivery.occurredAt,
    state: delivery.state,
    next_attempt_at: delivery.nextAttemptAt,
    finished_at: delivery.finishedAt,
    attempts: delivery.attempts,
  };
}
