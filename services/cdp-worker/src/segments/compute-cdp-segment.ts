/**
 * `compute_cdp_segment`: one statement finds the members, closes the memberships of profiles that left and opens those of new
 * ones, and writes the events of the change. A run that dies leaves the membership as it was; one that is repeated changes nothing.
 */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import { derivedTaskId, ofTick, tickTime, withTenant, computeCdpSegment } from '@stratum/shared';
import { segmentTreeSchema } from '@stratum/shared/customer-data';
import type { Pool, PoolClient } from 'pg';
import { publishedFor, tenantOf } from '../tenant-of.js';
import { compileSegment } from './compile.js';

/** Sets of profiles are held in memory while the statement runs. */
const WORK_MEMORY = '128MB';
/** Profiles named in one event. */
const PROFILES_PER_EVENT = 1_000;

interface Outcome {
  profile_count: number;
  entered: number;
  exited: number;
}

export function computeCdpSegmentHandler(pool: Pool): HandlerFor<typeof computeCdpSegment> {
  return async ({ segment_id: segmentId, slot, tenant_id: asking }, context) => {
    const tenantId = await tenantOf(pool, 'segment', segmentId, asking ?? publishedFor(context));
    const now = tickTime(context);
    const outcome = await withTenant(pool, tenantId, (client) =>
      replaceMembers(client, { tenantId, segmentId, now, slot }),
    );
    if (slot !== undefined) {
      // Asked after the commit: of two that end at the same time the later one sees that both are done.
      const dependents = await withTenant(pool, tenantId, (client) =>
        readyDependents(client, segmentId, slot),
      );
      const items = dependents.map((id) => ({
        payload: { segment_id: id, slot, tenant_id: tenantId },
        options: { id: derivedTaskId(computeCdpSegment.name, slot, id), ...ofTick(context) },
      }));
      await context.enqueueMany(computeCdpSegment, items);
    }
    return { segment_id: segmentId, ...outcome };
  };
}

async function replaceMembers(
  client: PoolClient,
  job: { tenantId: number; segmentId: number; now: Date; slot: string | undefined },
): Promise<Outcome> {
  const { tenantId, segmentId, now } = job;
  // Of two runs of one segment the second waits, and sees the first one's changes.
  const { rows } = await client.query<{ definition: unknown; type: string }>(
    'SELECT definition, type FROM cdp_segment WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
    [tenantId, segmentId],
  );
  if (rows[0]?.type === 'static')
    throw new TaskError(`The segment ${segmentId} is static: its members are set by hand.`, {
      retryable: false,
    });
  const tree = segmentTreeSchema.parse(rows[0]?.definition);
  const { condition, values } = compileSegment(tree, { tenantId, now });
  const segment = `$${values.length + 1}::bigint`;
  await client.query(`SET LOCAL work_mem = '${WORK_MEMORY}'`);
  const result = await client.query<Outcome>(
    `WITH wanted AS MATERIALIZED (
       SELECT p.id FROM cdp_profile p WHERE p.tenant_id = $1::bigint AND p.merged_into IS NULL AND (${condition})
     ), present AS MATERIALIZED (
       SELECT profile_id FROM cdp_segment_membership WHERE tenant_id = $1::bigint AND segment_id = ${segment} AND exited_at IS NULL
     ), exited AS (
       UPDATE cdp_segment_membership m SET exited_at = $2::timestamptz
       WHERE m.tenant_id = $1::bigint AND m.segment_id = ${segment} AND m.exited_at IS NULL
         AND m.profile_id NOT IN (SELECT id FROM wanted)
       RETURNING m.profile_id
     ), entered AS (
       INSERT INTO cdp_segment_membership (tenant_id, segment_id, profile_id, entered_at)
       SELECT $1::bigint, ${segment}, id, $2::timestamptz FROM wanted WHERE id NOT IN (SELECT profile_id FROM present)
       -- Left and came back at the very same time, because the definition has changed: it never left.
       ON CONFLICT (tenant_id, segment_id, profile_id, entered_at) DO UPDATE SET exited_at = NULL
       RETURNING profile_id
     ), changes AS (
       SELECT 'segment.entered' AS type, profile_id, row_number() OVER (ORDER BY profile_id) AS place FROM entered
       UNION ALL
       SELECT 'segment.exited', profile_id, row_number() OVER (ORDER BY profile_id) FROM exited
     ), logged AS (
       INSERT INTO domain_event (tenant_id, type, data, occurred_at)
       SELECT $1::bigint, type, jsonb_build_object('segment_id', ${segment}, 'profile_ids', jsonb_agg(profile_id ORDER BY profile_id),
         'external_ids', jsonb_agg(p.external_id ORDER BY profile_id)), $2::timestamptz
       FROM changes JOIN cdp_profile p ON p.tenant_id = $1::bigint AND p.id = profile_id GROUP BY type, (place - 1) / ${PROFILES_PER_EVENT}
     )
     SELECT (SELECT count(*)::int FROM wanted) AS profile_count, (SELECT count(*)::int FROM entered) AS entered,
       (SELECT count(*)::int FROM exited) AS exited`,
    [...values, segmentId],
  );
  const outcome = result.rows[0] ?? { profile_count: 0, entered: 0, exited: 0 };
  await client.query(
    `UPDATE cdp_segment SET profile_count = $3, last_computed_at = $4, last_slot = coalesce($5, last_slot) WHERE tenant_id = $1 AND id = $2`,
    [tenantId, segmentId, outcome.profile_count, now, job.slot ?? null],
  );
  return outcome;
}

/** Segments that name this one, and for which all others they name are done in this round. */
async function readyDependents(client: PoolClient, segmentId: number, slot: string): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT s.id FROM cdp_segment s WHERE $1 = ANY(s.depends_on) AND s.type = 'dynamic' AND NOT EXISTS (
       SELECT FROM cdp_segment d WHERE d.tenant_id = s.tenant_id AND d.id = ANY(s.depends_on) AND d.type = 'dynamic' AND d.last_slot IS DISTINCT FROM $2)`,
    [segmentId, slot],
  );
  return rows.map(({ id }) => Number(id));
}
