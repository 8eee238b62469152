/** `compute_cdp_funnel`: one row for each time it is computed; the same time again replaces it. */
import type { HandlerFor } from '@stratum/jobs';
import { tickTime, withTenant, type computeCdpFunnel } from '@stratum/shared';
import { funnelSchema, type Funnel, type StepReport } from '@stratum/shared/customer-data';
import type { Pool, PoolClient } from 'pg';
import { publishedFor, tenantOf } from '../tenant-of.js';
import { compileFunnel } from './compile-funnel.js';
import { reportOf, type StepCount } from './summarise.js';

const DAY_MS = 86_400_000;
const WORK_MEMORY = '128MB';
/** The other values are reported as one. */
const MAX_BREAKDOWN = 20;

export function computeCdpFunnelHandler(pool: Pool): HandlerFor<typeof computeCdpFunnel> {
  return async ({ funnel_id: funnelId, tenant_id: asking }, context) => {
    const tenantId = await tenantOf(pool, 'funnel', funnelId, asking ?? publishedFor(context));
    const until = tickTime(context);
    return withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<{ definition: unknown }>(
        'SELECT definition FROM cdp_funnel WHERE tenant_id = $1 AND id = $2',
        [tenantId, funnelId],
      );
      const funnel = funnelSchema.parse(rows[0]?.definition);
      const since = new Date(until.getTime() - funnel.lookback_days * DAY_MS);
      const { steps, breakdown } = await count(client, funnel, { tenantId, since, until });
      await client.query(
        `INSERT INTO cdp_funnel_result (tenant_id, funnel_id, computed_at, since, until, steps, breakdown) VALUES ($1, $2, $4, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, funnel_id, computed_at) DO UPDATE SET steps = excluded.steps, breakdown = excluded.breakdown`,
        [tenantId, funnelId, since, until, JSON.stringify(steps), JSON.stringify(breakdown)],
      );
      await client.query('UPDATE cdp_funnel SET last_computed_at = $3 WHERE tenant_id = $1 AND id = $2', [
        tenantId,
        funnelId,
        until,
      ]);
      return {
        funnel_id: funnelId,
        entered: steps[0]?.profiles ?? 0,
        completed: steps.at(-1)?.profiles ?? 0,
      };
    });
  };
}

interface Result {
  steps: StepReport[];
  breakdown: { value: string; steps: StepReport[] }[];
}

async function count(
  client: PoolClient,
  funnel: Funnel,
  range: { tenantId: number; since: Date; until: Date },
): Promise<Result> {
  const { text, values } = compileFunnel(funnel, range);
  const numbers = funnel.steps.map((_, index) => index + 1);
  const reached = numbers.map((step) => `count(*) FILTER (WHERE depth >= ${step})::int AS reached_${step}`);
  const medians = numbers
    .slice(1)
    .map((step) => `percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_${step}) AS median_${step}`);
  await client.query(`SET LOCAL work_mem = '${WORK_MEMORY}'`);
  const { rows } = await client.query<Record<string, number | string | null>>(
    `WITH result AS (${text})
     SELECT grouping(value) AS whole, value, ${[...reached, ...medians].join(', ')} FROM result
     GROUP BY GROUPING SETS ((), (value)) ORDER BY whole DESC, reached_1 DESC, value LIMIT ${MAX_BREAKDOWN + 1}`,
    values,
  );
  const events = funnel.steps.map(({ event }) => event);
  const reportOfRow = (row: Record<string, number | string | null>): StepReport[] => {
    const counts: StepCount[] = numbers.map((step) => ({
      profiles: Number(row[`reached_${step}`] ?? 0),
      medianSeconds: numberOrNull(row[`median_${step}`]),
    }));
    return reportOf(events, counts);
  };
  const [whole, ...parts] = rows;
  return {
    steps: whole === undefined ? reportOf(events, []) : reportOfRow(whole),
    breakdown:
      funnel.breakdown === undefined
        ? []
        : [
            ...parts.map((row) => ({
              value: row['value'] === null ? '(none)' : String(row['value']),
              steps: reportOfRow(row),
            })),
            ...restOf(events, whole, parts),
          ],
  };
}

/** All values beyond the most frequent as one row, without a median. */
function restOf(
  events: readonly string[],
  whole: Record<string, number | string | null> | undefined,
  parts: readonly Record<string, number | string | null>[],
): { value: string; steps: StepReport[] }[] {
  if (whole === undefined || parts.length < MAX_BREAKDOWN) return [];
  const counts = events.map((_, index) => {
    const column = `reached_${index + 1}`;
    const listed = parts.reduce((sum, row) => sum + Number(row[column] ?? 0), 0);
    return { profiles: Number(whole[column] ?? 0) - listed, medianSeconds: null };
  });
  return counts[0]?.profiles ? [{ value: '(other)', steps: reportOf(events, counts) }] : [];
}

function numberOrNull(value: number | string | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
