/** `calculate_tenant_scores`: one row for each active campaign that ran on the day. Run again, it writes the same rows. */
import type { HandlerFor } from '@stratum/jobs';
import { knownSum, withTenant, type calculateTenantScores } from '@stratum/shared';
import type { Pool } from 'pg';
import { dailyScoreOf, type CampaignDay, type Verdict } from './daily-score.js';

interface CampaignRow {
  id: string;
  /** Sums as JSON numbers: they only go into ratios. */
  day: CampaignDay;
  base: CampaignDay;
  base_days: number;
  previous: number | null;
}

const SUMS = `jsonb_build_object('impressions', coalesce(sum(impressions), 0), 'clicks', coalesce(sum(clicks), 0),
  'spend', coalesce(sum(spend), 0), 'conversions', ${knownSum('conversions')}, 'revenue', ${knownSum('revenue')}, 'reach', sum(reach))`;

const READ = `
  SELECT c.id, day.figures AS day, base.figures AS base, base.days AS base_days, previous.score AS previous
  FROM campaign c
  CROSS JOIN LATERAL (
    SELECT ${SUMS} AS figures, count(*) AS days FROM campaign_metric_daily m
    WHERE m.tenant_id = c.tenant_id AND m.campaign_id = c.id AND m.date = $1
  ) day
  CROSS JOIN LATERAL (
    SELECT ${SUMS} AS figures, count(*)::int AS days FROM campaign_metric_daily m
    WHERE m.tenant_id = c.tenant_id AND m.campaign_id = c.id AND m.date >= $1::date - 7 AND m.date < $1
  ) base
  LEFT JOIN LATERAL (
    SELECT score FROM daily_score s
    WHERE s.tenant_id = c.tenant_id AND s.campaign_id = c.id AND s.date < $1 AND s.date >= $1::date - 7 AND score IS NOT NULL
    ORDER BY date DESC LIMIT 1
  ) previous ON true
  WHERE c.status = 'active' AND day.days > 0
  ORDER BY c.id`;

const WRITE = `
  INSERT INTO daily_score (tenant_id, campaign_id, date, verdict, raw_score, score, health, reasons, evidence)
  SELECT current_tenant(), campaign_id, $1, verdict, raw_score, score, health, reasons, evidence
  FROM jsonb_to_recordset($2::jsonb)
    AS row (campaign_id bigint, verdict text, raw_score float8, score float8, health int, reasons text[], evidence jsonb)
  ON CONFLICT (tenant_id, campaign_id, date) DO UPDATE SET verdict = excluded.verdict, raw_score = excluded.raw_score,
    score = excluded.score, health = excluded.health, reasons = excluded.reasons, evidence = excluded.evidence, computed_at = now()`;

/** The campaign shows its latest day: an earlier one that is worked out again changes nothing there. */
const SHOW = `
  UPDATE campaign c SET scaling_score = s.score, health_score = s.health, scored_on = s.date
  FROM daily_score s
  WHERE s.date = $1 AND s.score IS NOT NULL AND c.tenant_id = s.tenant_id AND c.id = s.campaign_id
    AND (c.scored_on IS NULL OR c.scored_on <= s.date)`;

export function calculateTenantScoresHandler({
  pool,
}: {
  pool: Pool;
}): HandlerFor<typeof calculateTenantScores> {
  return ({ tenant_id: tenantId, date }) =>
    withTenant(pool, tenantId, async (client) => {
      const { rows } = await client.query<CampaignRow>(READ, [date]);
      const scores = rows.map(({ id, day, base, base_days: baselineDays, previous }) => {
        const { raw, ...score } = dailyScoreOf({ day, baseline: base, baselineDays, previous });
        return { campaign_id: id, raw_score: raw, ...score };
      });
      await client.query(WRITE, [date, JSON.stringify(scores)]);
      await client.query(SHOW, [date]);
      const count = (verdict: Verdict): number => scores.filter((score) => score.verdict === verdict).length;
      return {
        tenant_id: tenantId,
        date,
        scored: scores.length - count('not_enough_data'),
        scale: count('scale'),
        watch: count('watch'),
        fix: count('fix'),
        not_enough_data: count('not_enough_data'),
      };
    });
}
