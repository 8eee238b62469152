/** Carries out what follows from an event. Tasks get ids that come from the event, so a repetition enqueues nothing new. */
import type { TaskContext } from '@stratum/jobs';
import { digestOf } from '@stratum/shared/webhooks';
import type { PoolClient } from 'pg';
import type { EnqueuedTask } from './delivery-row.js';
import type { IncomingEvent, Plan } from './plan.js';

/** @param occasion distinguishes a replay from the first run, and replays from each other */
export async function enqueuePlanned(
  context: Pick<TaskContext, 'enqueue'>,
  event: IncomingEvent,
  { tasks }: Plan,
  occasion = '',
): Promise<EnqueuedTask[]> {
  const enqueued: EnqueuedTask[] = [];
  for (const [index, { contract, payload, shared }] of tasks.entries()) {
    const { tenantId, endpointId, type, identity } = event;
    const seed =
      shared === undefined || occasion !== ''
        ? [endpointId, type, identity, index, occasion]
        : [tenantId, contract.name, shared.key];
    const { id } = await context.enqueue(contract, payload, {
      id: `whk-${digestOf(JSON.stringify(seed))}`,
      // A replay wants it now.
      ...(shared === undefined || occasion !== '' ? {} : { eta: shared.at }),
    });
    enqueued.push({ id, task: contract.name });
  }
  return enqueued;
}

/** Inside the caller's transaction, as the tenant. Returns a description of the effect; `undefined` where nothing follows. */
export async function changePlanned(client: PoolClient, plan: Plan): Promise<string | undefined> {
  if (plan.change === undefined) return plan.effect;
  const done = await plan.change(client);
  const names = plan.tasks.map(({ contract }) => contract.name);
  return names.length === 0 ? done : `${done}; starts ${names.join(', ')}`;
}
