/** `preview_cdp_segment`: what a segment would hold, before anybody saves it. Nothing is written. */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import { tickTime, withTenant, type previewCdpSegment } from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import { isTooMuch } from '../ingest/write-faults.js';
import { compileSegment } from './compile.js';
import { unreadableValues } from './unreadable-values.js';

/** Somebody waits for the answer. */
const LONGEST_SECONDS = 25;

interface Counts {
  profile_count: number;
  all_profiles: number;
}

export function previewCdpSegmentHandler(pool: Pool): HandlerFor<typeof previewCdpSegment> {
  return async ({ tenant_id: tenantId, definition }, context) => {
    const scope = { tenantId, now: tickTime(context) };
    const end = performance.now() + LONGEST_SECONDS * 1_000;
    try {
      return await withTenant(pool, tenantId, async (client) => {
        const { condition, values } = compileSegment(definition, scope);
        const [counts = { profile_count: 0, all_profiles: 0 }] = await within(client, end, {
          sql: `SELECT count(*) FILTER (WHERE ${condition})::int AS profile_count, count(*)::int AS all_profiles
                FROM cdp_profile p WHERE p.tenant_id = $1::bigint AND p.merged_into IS NULL AND $2::timestamptz IS NOT NULL`,
          values,
        });
        const unreadable = [];
        for (const { field, as, ...statement } of unreadableValues(definition, scope)) {
          context.signal.throwIfAborted();
          const [row] = await within<{ values: number }>(client, end, statement);
          if (row !== undefined && row.values > 0) unreadable.push({ field, as, values: row.values });
        }
        return { ...counts, unreadable };
      });
    } catch (cause) {
      if (!isTooMuch(cause)) throw cause;
      throw new TaskError(
        `The preview took longer than ${LONGEST_SECONDS} seconds. Save the segment: its computation has more time.`,
        { retryable: false, cause },
      );
    }
  };
}

/** Runs a statement in what is left of the time. */
async function within<Row extends object = Counts>(
  client: PoolClient,
  end: number,
  { sql, values }: { sql: string; values: unknown[] },
): Promise<Row[]> {
  const left = Math.max(1, Math.round(end - performance.now()));
  await client.query(`SET LOCAL statement_timeout = ${left}`);
  return (await client.query<Row>(sql, values)).rows;
}
