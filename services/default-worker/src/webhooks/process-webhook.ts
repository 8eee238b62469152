/**
 * `process_webhook`, for each event: claim its row → enqueue the tasks that follow → change the database and close the row.
 *
 * A worker that is lost before the claim leaves nothing; one that is lost after it leaves a row that the next delivery of this task finds
 * open, and goes on with: tasks have ids that come from the event, and the change is one transaction with the end of the row.
 */
import { TaskError, type HandlerFor, type TaskContext } from '@stratum/jobs';
import { withTenant, type KeyRing, type processWebhook } from '@stratum/shared';
import {
  carriedEvents,
  isSourceName,
  MalformedWebhookError,
  type SourceName,
} from '@stratum/shared/webhooks';
import type { Pool, PoolClient } from 'pg';
import { changePlanned, enqueuePlanned } from './carry-out.js';
import { claimDelivery, closeDelivery, failDelivery, type ClaimedEvent } from './delivery-row.js';
import { planEvent } from './plan-event.js';
import { NOTHING, type IncomingEvent, type Plan } from './plan.js';

export interface WebhookDependencies {
  /** Connected as `stratum_default_worker`. */
  pool: Pool;
  keys: KeyRing;
}

/** The failures in one run after which the others are left to the next attempt: the events are then not at fault. */
const MAX_FAILURES = 3;

type Outcome = 'processed' | 'ignored' | 'repeated' | 'failed';

export function processWebhookHandler(dependencies: WebhookDependencies): HandlerFor<typeof processWebhook> {
  const { pool, keys } = dependencies;
  return async (payload, context) => {
    const { tenant_id: tenantId, endpoint_id: endpointId, headers } = payload;
    const endpoint = await withTenant(pool, tenantId, (client) => endpointOf(client, endpointId));
    const receivedAt = new Date(payload.received_at);
    const counts: Record<Outcome, number> = { processed: 0, ignored: 0, repeated: 0, failed: 0 };
    const errors: unknown[] = [];
    for (const { key, identity, type, body } of await carriedEvents(payload.events)) {
      context.signal.throwIfAborted();
      const row = { tenantId, endpointId, key, identity, type, receivedAt, headers, body };
      const event = { ...endpoint, tenantId, endpointId, identity, type, body, receivedAt, keys };
      try {
        counts[await processEvent(dependencies, context, row, event)]++;
      } catch (error) {
        errors.push(error);
        if (errors.length >= MAX_FAILURES) break;
      }
    }
    const [error] = errors;
    if (error !== undefined) throw error;
    return counts;
  };
}

export async function endpointOf(
  client: PoolClient,
  endpointId: string,
): Promise<{ source: SourceName; settings: Record<string, unknown> }> {
  const { rows } = await client.query<{ source: string; settings: Record<string, unknown> }>(
    'SELECT source, settings FROM webhook_endpoint WHERE id = $1',
    [endpointId],
  );
  const [row] = rows;
  if (row === undefined || !isSourceName(row.source))
    throw new TaskError(`There is no webhook endpoint ${endpointId}.`, { retryable: false });
  return { source: row.source, settings: row.settings };
}

async function processEvent(
  dependencies: WebhookDependencies,
  context: TaskContext,
  row: ClaimedEvent,
  event: IncomingEvent,
): Promise<Outcome> {
  const plan = planOrReason(event);
  if (typeof plan === 'string') return noteFailure(dependencies, row, plan);
  try {
    return await carryOut(dependencies, context, row, event, plan);
  } catch (error) {
    // So that it can be seen while it waits for the next attempt. Best effort: the error that matters is the first one.
    const reason = error instanceof Error ? error.message : String(error);
    await noteFailure(dependencies, row, reason).catch(() => undefined);
    throw error;
  }
}

async function carryOut(
  { pool, keys }: WebhookDependencies,
  context: TaskContext,
  row: ClaimedEvent,
  event: IncomingEvent,
  plan: Plan,
): Promise<Outcome> {
  if (plan.tasks.length === 0) {
    // Without tasks everything is one transaction.
    return withTenant(pool, row.tenantId, async (client) => {
      const claim = await claimDelivery(client, keys, row);
      if (claim.kind === 'contradicted') return end(client, claim.id, NOTHING);
      return claim.kind === 'repeated' ? 'repeated' : end(client, claim.id, plan);
    });
  }
  const claim = await withTenant(pool, row.tenantId, async (client) => {
    const claimed = await claimDelivery(client, keys, row);
    if (claimed.kind === 'contradicted') await end(client, claimed.id, NOTHING);
    return claimed;
  });
  if (claim.kind === 'contradicted') return 'ignored';
  if (claim.kind === 'repeated') return 'repeated';
  const tasks = await enqueuePlanned(context, event, plan);
  return withTenant(pool, row.tenantId, (client) => end(client, claim.id, plan, tasks));
}

function noteFailure(
  { pool, keys }: WebhookDependencies,
  row: ClaimedEvent,
  reason: string,
): Promise<Outcome> {
  return withTenant(pool, row.tenantId, async (client) => {
    const claim = await claimDelivery(client, keys, row);
    if (claim.kind === 'repeated') return 'repeated';
    await failDelivery(client, claim.id, reason);
    return 'failed';
  });
}

/** The plan, or why there can be none: that will not change by trying again. */
function planOrReason(event: IncomingEvent): Plan | string {
  try {
    return planEvent(event);
  } catch (error) {
    if (error instanceof MalformedWebhookError) return error.message;
    throw error;
  }
}

async function end(
  client: PoolClient,
  id: number,
  plan: Plan,
  tasks: Parameters<typeof closeDelivery>[2]['tasks'] = [],
): Promise<Outcome> {
  const effect = await changePlanned(client, plan);
  const state = effect === undefined ? 'ignored' : 'processed';
  await closeDelivery(client, id, { state, effect, tasks });
  return state;
}
