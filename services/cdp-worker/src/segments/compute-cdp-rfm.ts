/** `compute_cdp_rfm`: quintiles over the profiles that have bought, in which equal values get equal scores; then the round's segments. */
import type { HandlerFor } from '@stratum/jobs';
import { computeCdpSegment, derivedTaskId, ofTick, withTenant, type computeCdpRfm } from '@stratum/shared';
import type { Pool } from 'pg';

/**
 * 1 + ⌊5 · share of the buyers strictly below⌋: ties share the lower score. By the share up to and including, all buyers would be the best
 * where most have bought once.
 */
const COMPUTE = `
  WITH scored AS MATERIALIZED (
    SELECT id AS profile_id,
      (1 + 5 * (rank() OVER (ORDER BY last_purchase_at) - 1) / count(*) OVER ())::smallint AS recency,
      (1 + 5 * (rank() OVER (ORDER BY total_purchases) - 1) / count(*) OVER ())::smallint AS frequency,
      (1 + 5 * (rank() OVER (ORDER BY total_revenue) - 1) / count(*) OVER ())::smallint AS monetary
    FROM cdp_profile
    WHERE tenant_id = $1 AND merged_into IS NULL AND total_purchases > 0 AND last_purchase_at IS NOT NULL
  ), gone AS (
    DELETE FROM cdp_rfm WHERE tenant_id = $1 AND profile_id NOT IN (SELECT profile_id FROM scored) RETURNING 1
  ), changed AS (
    INSERT INTO cdp_rfm AS r (tenant_id, profile_id, recency, frequency, monetary)
    SELECT $1, profile_id, recency, frequency, monetary FROM scored
    ON CONFLICT (tenant_id, profile_id) DO UPDATE
      SET recency = excluded.recency, frequency = excluded.frequency, monetary = excluded.monetary
      WHERE (r.recency, r.frequency, r.monetary) IS DISTINCT FROM (excluded.recency, excluded.frequency, excluded.monetary)
    RETURNING 1
  )
  SELECT (SELECT count(*)::int FROM scored) AS scored, (SELECT count(*)::int FROM changed) + (SELECT count(*)::int FROM gone) AS changed`;

export function computeCdpRfmHandler(pool: Pool): HandlerFor<typeof computeCdpRfm> {
  return async ({ tenant_id: tenantId, slot }, context) => {
    const { scores, segments } = await withTenant(pool, tenantId, async (client) => {
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('stratum.rfm'), $1::int)`, [tenantId]);
      const computed = await client.query<{ scored: number; changed: number }>(COMPUTE, [tenantId]);
      // Segments that depend only on segments set by hand wait for nothing.
      const free = await client.query<{ id: string }>(
        `SELECT s.id FROM cdp_segment s WHERE s.type = 'dynamic' AND NOT EXISTS (
           SELECT FROM cdp_segment d WHERE d.tenant_id = s.tenant_id AND d.id = ANY(s.depends_on) AND d.type = 'dynamic') ORDER BY s.id`,
      );
      return {
        scores: computed.rows[0] ?? { scored: 0, changed: 0 },
        segments: free.rows.map(({ id }) => Number(id)),
      };
    });
    if (slot === undefined) return { tenant_id: tenantId, ...scores, enqueued: 0 };
    const enqueued = await context.enqueueMany(
      computeCdpSegment,
      segments.map((id) => ({
        payload: { segment_id: id, slot, tenant_id: tenantId },
        options: { id: derivedTaskId(computeCdpSegment.name, slot, id), ...ofTick(context) },
      })),
    );
    return {
      tenant_id: tenantId,
      ...scores,
      enqueued: enqueued.filter(({ duplicate }) => !duplicate).length,
    };
  };
}
