/** `replay_webhook_delivery`: reads an event as it came in, and does what follows from it once more. */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import { once, withTenant, type replayWebhookDelivery } from '@stratum/shared';
import { digestOf, findWebhookDelivery, MalformedWebhookError } from '@stratum/shared/webhooks';
import type { PoolClient } from 'pg';
import { changePlanned, enqueuePlanned } from './carry-out.js';
import { planEvent } from './plan-event.js';
import type { IncomingEvent } from './plan.js';
import { endpointOf, type WebhookDependencies } from './process-webhook.js';

export function replayWebhookDeliveryHandler({
  pool,
  keys,
}: WebhookDependencies): HandlerFor<typeof replayWebhookDelivery> {
  return async ({ tenant_id: tenantId, delivery_id: id }, context) => {
    const event = await withTenant(pool, tenantId, async (client): Promise<IncomingEvent> => {
      const delivery = await findWebhookDelivery(client, keys, tenantId, id);
      if (delivery === undefined) throw new TaskError(`There is no delivery ${id}.`, { retryable: false });
      const { endpointId, type, body, receivedAt } = delivery;
      const endpoint = await endpointOf(client, endpointId);
      return { ...endpoint, tenantId, endpointId, identity: delivery.identity, type, body, receivedAt, keys };
    });
    const plan = planOrFail(event);
    const tasks = await enqueuePlanned(context, event, plan, context.id);
    await once(pool, { tenantId, key: `webhook-replay/${digestOf(context.id)}` }, async (client) => {
      const effect = await changePlanned(client, plan);
      await noteReplay(client, id, { state: effect === undefined ? 'ignored' : 'processed', effect, tasks });
    });
    return withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<{ state: string; effect: string | null }>(
        'SELECT state, effect FROM inbound_webhook_delivery WHERE id = $1',
        [id],
      );
      return { delivery_id: id, state: rows[0]?.state ?? 'gone', effect: rows[0]?.effect ?? null };
    });
  };
}

function planOrFail(event: IncomingEvent): ReturnType<typeof planEvent> {
  try {
    return planEvent(event);
  } catch (error) {
    if (error instanceof MalformedWebhookError)
      throw new TaskError(error.message, { retryable: false, cause: error });
    throw error;
  }
}

async function noteReplay(
  client: PoolClient,
  id: number,
  { state, effect, tasks }: { state: string; effect: string | undefined; tasks: readonly unknown[] },
): Promise<void> {
  await client.query(
    `UPDATE inbound_webhook_delivery SET state = $2, effect = $3, tasks = tasks || $4::jsonb, error = NULL, processed_at = coalesce(processed_at, now()),
       replays = replays + 1, last_replayed_at = now() WHERE id = $1`,
    [id, state, effect ?? null, JSON.stringify(tasks)],
  );
}
