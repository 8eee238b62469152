/** `calculate_tenant_fatigue`: one row for each active creative that ran on the day. Run again, it writes the same rows. */
import type { HandlerFor } from '@stratum/jobs';
import { closeAlert, knownSum, openAlert, withTenant, type calculateTenantFatigue } from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import { fatigueOf, type Fatigue } from './fatigue.js';

interface CreativeRow {
  id: string;
  name: string;
  impressions: string;
  clicks: string;
  spend: string;
  conversions: string | null;
  revenue: string | null;
  frequency: string | null;
  base_impressions: string;
  base_clicks: string;
  base_spend: string;
  base_conversions: string | null;
  base_revenue: string | null;
  previous: number | null;
}

const READ = `
  SELECT c.id, c.name, day.impressions, day.clicks, day.spend, day.conversions, day.revenue, day.frequency,
    base.*, previous.score AS previous
  FROM creative c
  JOIN creative_metric_daily day ON day.tenant_id = c.tenant_id AND day.creative_id = c.id AND day.date = $1
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(impressions), 0) AS base_impressions, coalesce(sum(clicks), 0) AS base_clicks,
      coalesce(sum(spend), 0) AS base_spend, ${knownSum('conversions')} AS base_conversions,
      ${knownSum('revenue')} AS base_revenue
    FROM creative_metric_daily b
    WHERE b.tenant_id = c.tenant_id AND b.creative_id = c.id AND b.date >= $1::date - 7 AND b.date < $1
  ) base
  LEFT JOIN LATERAL (
    SELECT score FROM creative_fatigue f
    WHERE f.tenant_id = c.tenant_id AND f.creative_id = c.id AND f.date < $1 AND f.date >= $1::date - 7 AND score IS NOT NULL
    ORDER BY date DESC LIMIT 1
  ) previous ON true
  WHERE c.status = 'active'
  ORDER BY c.id`;

const WRITE = `
  INSERT INTO creative_fatigue (tenant_id, creative_id, date, status, raw_score, score, evidence)
  SELECT current_tenant(), creative_id, $1, status, raw_score, score, evidence
  FROM jsonb_to_recordset($2::jsonb) AS row (creative_id bigint, status text, raw_score float8, score float8, evidence jsonb)
  ON CONFLICT (tenant_id, creative_id, date) DO UPDATE SET status = excluded.status, raw_score = excluded.raw_score,
    score = excluded.score, evidence = excluded.evidence, computed_at = now()`;

/** A creative that is no longer shown needs no replacement. */
const CLOSE_ENDED = `
  UPDATE alert SET closed_at = $1, close_reason = 'the creative is no longer shown'
  WHERE kind = 'creative_fatigue' AND closed_at IS NULL AND NOT EXISTS (SELECT FROM creative c WHERE c.status = 'active' AND alert.key = 'fatigue/' || c.id)`;

export function calculateTenantFatigueHandler({
  pool,
}: {
  pool: Pool;
}): HandlerFor<typeof calculateTenantFatigue> {
  return ({ tenant_id: tenantId, date }) =>
    withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<CreativeRow>(READ, [date]);
      const results = rows.map((row) => ({ row, fatigue: fatigueOf(inputOf(row)) }));
      const written = results.map(({ row, fatigue: { status, raw, score, evidence } }) => ({
        creative_id: row.id,
        status,
        raw_score: raw,
        score,
        evidence: {
          ...evidence,
          impressions: Number(row.impressions),
          baseline_impressions: Number(row.base_impressions),
        },
      }));
      await client.query(WRITE, [date, JSON.stringify(written)]);
      for (const { row, fatigue } of results) await tell(client, tenantId, date, row, fatigue);
      await client.query(CLOSE_ENDED, [endOf(date)]);
      const count = (status: Fatigue['status']): number =>
        results.filter(({ fatigue }) => fatigue.status === status).length;
      return {
        tenant_id: tenantId,
        date,
        scored: results.length - count('not_enough_data'),
        refresh: count('refresh'),
        watch: count('watch'),
        not_enough_data: count('not_enough_data'),
      };
    });
}

function inputOf(row: CreativeRow): Parameters<typeof fatigueOf>[0] {
  return {
    day: {
      impressions: Number(row.impressions),
      clicks: Number(row.clicks),
      spend: Number(row.spend),
      conversions: numberOrNull(row.conversions),
      revenue: numberOrNull(row.revenue),
    },
    baseline: {
      impressions: Number(row.base_impressions),
      clicks: Number(row.base_clicks),
      spend: Number(row.base_spend),
      conversions: numberOrNull(row.base_conversions),
      revenue: numberOrNull(row.base_revenue),
    },
    frequency: numberOrNull(row.frequency),
    previous: row.previous,
  };
}

function numberOrNull(value: string | null): number | null {
  return value === null ? null : Number(value);
}

function endOf(date: string): Date {
  return new Date(`${date}T23:59:59Z`);
}

async function tell(
  client: PoolClient,
  tenantId: number,
  date: string,
  { id, name }: CreativeRow,
  fatigue: Fatigue,
): Promise<void> {
  const key = `fatigue/${id}`;
  const at = endOf(date);
  if (fatigue.status !== 'refresh') {
    if (fatigue.score !== null) await closeAlert(client, key, 'the creative has recovered', at);
    return;
  }
  await openAlert(client, {
    tenantId,
    key,
    kind: 'creative_fatigue',
    severity: 'warning',
    title: `The creative “${name}” is worn out`,
    message: `Its fatigue score on ${date} is ${fatigue.score?.toFixed(2)}. Replace or refresh it.`,
    details: { creative_id: Number(id), date, ...fatigue.evidence },
    at,
  });
}
