/** What happened at a moment and may explain a bend in a chart: a version of workers began, somebody changed a queue or a worker. */
import { PLATFORM_TENANT_ID, withTenant, type Queryable } from '@stratum/shared';
import type { WorkerView } from '@stratum/jobs';
import type { Pool } from 'pg';
import { z } from 'zod';

export const mark = z
  .object({
    at: z.iso.datetime(),
    kind: z.enum(['deployment', 'action']),
    text: z.string().describe('What happened, such as `1.4.0 on sync`.'),
  })
  .meta({ id: 'Mark' });
export type Mark = z.output<typeof mark>;

/** A version that no live worker has had for so long begins anew, unless it was the last to begin: then its workers have restarted. */
const FORGOTTEN = '10 minutes';
const MAX_MARKS = 50;
const MAX_VERSION = 64;

/** Of each queue: a mark for each version that its live workers have and had not before. */
export async function noteVersions(client: Queryable, workers: readonly WorkerView[]): Promise<void> {
  const pairs = workers.flatMap(({ queues, version }) =>
    version === undefined ? [] : queues.map((queue) => [queue, version.slice(0, MAX_VERSION)] as const),
  );
  if (pairs.length === 0) return;
  await client.query(
    `WITH seen AS (SELECT DISTINCT queue, version FROM unnest($1::text[], $2::text[]) AS s (queue, version)),
     begun AS (
       INSERT INTO deployment_mark (at, queue, version)
       SELECT now(), queue, version FROM seen LEFT JOIN worker_version AS known USING (queue, version)
       WHERE (known.seen_at IS NULL OR known.seen_at < now() - $3::interval)
         AND version IS DISTINCT FROM (SELECT m.version FROM deployment_mark AS m WHERE m.queue = seen.queue ORDER BY m.at DESC LIMIT 1))
     INSERT INTO worker_version AS known (queue, version, seen_at) SELECT queue, version, now() FROM seen
     ON CONFLICT (queue, version) DO UPDATE SET seen_at = now()`,
    [pairs.map(([queue]) => queue), pairs.map(([, version]) => version), FORGOTTEN],
  );
}

/** The newest 50 of the last hours, the oldest first. @param queue `undefined`: of all queues */
export async function readMarks(
  pool: Pool,
  { queue, hours }: { queue?: string | undefined; hours: number },
): Promise<Mark[]> {
  const [deployments, actions] = await Promise.all([
    pool.query<{ at: Date; version: string; queues: string[] }>(
      `SELECT at, version, array_agg(queue ORDER BY queue) AS queues FROM deployment_mark
       WHERE at > now() - $1 * interval '1 hour' AND ($2::text IS NULL OR queue = $2) GROUP BY at, version ORDER BY at DESC LIMIT $3`,
      [hours, queue ?? null, MAX_MARKS],
    ),
    withTenant(pool, PLATFORM_TENANT_ID, (client) =>
      client.query<{ at: Date; action: keyof typeof ACTIONS; subject: string }>(
        `SELECT occurred_at AS at, action, subject FROM audit_event
         WHERE tenant_id = current_tenant() AND occurred_at > now() - $1 * interval '1 hour'
           AND action IN ('queue.paused', 'queue.resumed', 'queue.purged', 'task.rate_limited', 'task.key_limited', 'worker.concurrency_changed', 'worker.shut_down')
           AND ($2::text IS NULL OR subject = 'queue/' || $2) ORDER BY occurred_at DESC LIMIT $3`,
        [hours, queue ?? null, MAX_MARKS],
      ),
    ),
  ]);
  const marks = [
    ...deployments.rows.map(({ at, version, queues }): Mark => ({
      at: at.toISOString(),
      kind: 'deployment',
      text: `${version} on ${queues.join(', ')}`,
    })),
    ...actions.rows.map(({ at, action, subject }): Mark => ({
      at: at.toISOString(),
      kind: 'action',
      text: `${nameOf(subject)} ${ACTIONS[action]}`,
    })),
  ];
  return marks.toSorted((a, b) => a.at.localeCompare(b.at)).slice(-MAX_MARKS);
}

const ACTIONS = {
  'queue.paused': 'paused',
  'queue.resumed': 'resumed',
  'queue.purged': 'purged',
  'task.rate_limited': 'limited in rate',
  'task.key_limited': 'limited by key',
  'worker.concurrency_changed': 'given another concurrency',
  'worker.shut_down': 'shut down',
} as const;

/** `queue/sync` is `sync`. */
function nameOf(subject: string): string {
  return subject.slice(subject.indexOf('/') + 1);
}
