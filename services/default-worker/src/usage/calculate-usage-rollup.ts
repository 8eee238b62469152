/** `calculate_usage_rollup`: counts the day's task runs of all tenants in one pass over the events, then one task per tenant. */
import { DeliverPolicy, jetstream, ReplayPolicy } from '@nats-io/jetstream';
import { taskEventSchema, type HandlerFor } from '@stratum/jobs';
import {
  activeTenants,
  fanOut,
  rollUpTenantUsage,
  tickTime,
  type calculateUsageRollup,
} from '@stratum/shared';
import { addDays } from '@stratum/connectors/values';
import type { DefaultDependencies } from '../dependencies.js';

interface QueueUse {
  runs: number;
  failures: number;
  seconds: number;
}

type UseByQueue = Record<string, QueueUse>;

const DAY_MS = 86_400_000;
const PAGE = 5_000;
const PAGE_EXPIRES_MS = 2_000;

export function calculateUsageRollupHandler(
  dependencies: Pick<DefaultDependencies, 'pool' | 'connection' | 'topology'>,
): HandlerFor<typeof calculateUsageRollup> {
  return async (_payload, context) => {
    // A tenant's usage of the platform is counted by UTC day.
    const date = addDays(tickTime(context).toISOString().slice(0, 10), -1);
    const [tenants, use] = await Promise.all([
      activeTenants(dependencies.pool),
      countRuns(dependencies, date, context.signal),
    ]);
    const items = tenants.map((tenantId) => ({
      scope: tenantId,
      payload: { tenant_id: tenantId, date, task_runs: use.get(String(tenantId)) ?? {} },
    }));
    return { enqueued: await fanOut(context, rollUpTenantUsage, items) };
  };
}

/** Runs that ended on the day, by tenant and queue. Events are kept for a week: an older day has none. */
async function countRuns(
  { connection, topology }: Pick<DefaultDependencies, 'connection' | 'topology'>,
  date: string,
  signal: AbortSignal,
): Promise<Map<string, UseByQueue>> {
  const start = new Date(`${date}T00:00:00Z`);
  const end = start.getTime() + DAY_MS;
  const { names } = topology;
  const consumer = await jetstream(connection).consumers.get(names.eventStream, {
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: start.toISOString(),
    replay_policy: ReplayPolicy.Instant,
    filter_subjects: [names.eventSubject('*', '*', 'SUCCESS'), names.eventSubject('*', '*', 'FAILURE')],
  });
  const use = new Map<string, UseByQueue>();
  let left = (await consumer.info()).num_pending;
  while (left > 0) {
    signal.throwIfAborted();
    const page = await consumer.fetch({ max_messages: Math.min(PAGE, left), expires: PAGE_EXPIRES_MS });
    let count = 0;
    for await (const message of page) {
      count++;
      if (message.time.getTime() >= end) return use;
      const event = taskEventSchema.safeParse(message.json()).data;
      if (event !== undefined && event.tenant !== null) note(use, { ...event, tenant: event.tenant });
    }
    if (count === 0) break;
    left -= count;
  }
  return use;
}

function note(
  use: Map<string, UseByQueue>,
  event: { tenant: string; queue: string; state: string; runtime_ms: number | null },
): void {
  const queues = use.get(event.tenant) ?? {};
  const sum = (queues[event.queue] ??= { runs: 0, failures: 0, seconds: 0 });
  sum.runs++;
  if (event.state === 'FAILURE') sum.failures++;
  sum.seconds = Math.round((sum.seconds + (event.runtime_ms ?? 0) / 1000) * 1000) / 1000;
  use.set(event.tenant, queues);
}
