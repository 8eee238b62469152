/** `run_predictions`: each active campaign's month-end forecast, its response to other budgets, and its anomalies. */
import { openAlert, recordDomainEvent, withTenant } from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import { readHistories, type CampaignHistory } from '../history.js';
import { isStopped, onPresentTerms } from '../campaign-changes.js';
import { controlled, suspected, testsOfLastDay, type Anomaly, type AnomalyMetric } from './anomalies.js';
import { pacingOf } from './pacing.js';
import { bestBudgets, fitResponses, roasAt, type ResponseCurve } from './response.js';

export interface PredictionJob {
  tenantId: number;
  at: Date;
  signal: AbortSignal;
}

export interface PredictionSummary {
  tenant_id: number;
  predicted: number;
  anomalies: number;
  shifted: number;
}

const BUDGET_STEPS = [0.5, 0.8, 1, 1.2, 1.5, 2] as const;
/** Smaller shifts are not worth a change. */
const WORTH_SHIFTING = 0.05;

/** Conversions are reported for some days after the click: a day's return is known only then. */
const UNSETTLED_DAYS = 2;

interface FoundAnomaly extends Anomaly {
  date: string;
  campaign: CampaignHistory;
}

export async function predictTenant(
  pool: Pool,
  { tenantId, at, signal }: PredictionJob,
): Promise<PredictionSummary> {
  const known = await readHistories(pool, { tenantId, at });
  const campaigns = known.filter(({ status }) => !isStopped(status));
  const curves = new Map(fitResponses(campaigns).map((curve) => [curve.campaignId, curve]));
  const budgets = suggestedBudgets(campaigns, curves);
  const rows = known.map((campaign) => {
    signal.throwIfAborted();
    return predictionOf(campaign, at, curves.get(campaign.campaignId), budgets.get(campaign.campaignId));
  });
  const tests = campaigns.flatMap(testsOf);
  const found = controlled(tests);
  const noted = suspected(tests).filter((test) => !found.includes(test));
  await withTenant(pool, tenantId, async (client) => {
    await writePredictions(client, at, rows);
    await writeAnomalies(client, { tenantId, at, found, noted });
  });
  return {
    tenant_id: tenantId,
    predicted: rows.length,
    anomalies: found.length,
    shifted: rows.filter(({ suggested_budget: budget }) => budget !== null).length,
  };
}

function suggestedBudgets(
  campaigns: readonly CampaignHistory[],
  curves: ReadonlyMap<number, ResponseCurve>,
): Map<number, number> {
  const suggestions = new Map<number, number>();
  for (const currency of new Set(campaigns.map((campaign) => campaign.currency))) {
    const own = campaigns
      .filter((campaign) => campaign.currency === currency)
      .flatMap(({ campaignId }) => curves.get(campaignId) ?? []);
    for (const [campaignId, budget] of bestBudgets(own)) suggestions.set(campaignId, budget);
  }
  return suggestions;
}

function predictionOf(
  campaign: CampaignHistory,
  at: Date,
  curve: ResponseCurve | undefined,
  suggested: number | undefined,
) {
  const { spent, end, lower, upper, budget, missProbability } = pacingOf(campaign, at);
  const isWorth =
    curve !== undefined &&
    suggested !== undefined &&
    Math.abs(suggested / curve.current - 1) >= WORTH_SHIFTING;
  return {
    campaign_id: campaign.campaignId,
    currency: campaign.currency,
    spent: spent.toFixed(6),
    month_end_spend: end,
    month_end_lower: lower,
    month_end_upper: upper,
    month_budget: budget === null ? null : budget.toFixed(6),
    pacing: budget === null || budget === 0 ? null : end / budget,
    miss_probability: missProbability,
    elasticity: curve?.elasticity ?? null,
    roas_at:
      curve === undefined || curve.current === 0
        ? {}
        : Object.fromEntries(BUDGET_STEPS.map((step) => [String(step), roasAt(curve, curve.current * step)])),
    suggested_budget: isWorth ? suggested : null,
    explanation: explain(end, budget, isWorth ? { now: curve.current, suggested } : undefined),
  };
}

type PredictionRow = ReturnType<typeof predictionOf>;

function explain(
  end: number,
  budget: number | null,
  shift: { now: number; suggested: number } | undefined,
): string {
  const parts = [
    budget === null || budget === 0
      ? `The month is expected to end at ${end.toFixed(2)}; the campaign has no daily budget to compare with.`
      : `The month is expected to end at ${end.toFixed(2)}, ${Math.round((end / budget) * 100)} % of its budget.`,
  ];
  if (shift !== undefined) {
    parts.push(
      `Moving its daily spend from ${shift.now.toFixed(2)} to ${shift.suggested.toFixed(2)} is part of the split that brings the most revenue.`,
    );
  }
  return parts.join(' ');
}

/** Known steps of the budget are no anomalies, so spend is tested on present terms. */
function testsOf(campaign: CampaignHistory): FoundAnomaly[] {
  const { spend } = onPresentTerms(campaign, campaign.changes);
  const settled = {
    spend: campaign.spend.slice(0, -UNSETTLED_DAYS),
    conversions: campaign.conversions?.slice(0, -UNSETTLED_DAYS) ?? null,
    revenue: campaign.revenue?.slice(0, -UNSETTLED_DAYS) ?? null,
  };
  const ofSpend = testsOfLastDay({ spend, conversions: null, revenue: null });
  const ofReturns = testsOfLastDay(settled).filter(({ metric }) => metric !== 'spend');
  return [...ofSpend, ...ofReturns].map((test) => {
    const days = test.metric === 'spend' ? spend.length : settled.spend.length;
    return { ...test, campaign, date: campaign.dates[days - 1] ?? '' };
  });
}

async function writePredictions(client: PoolClient, at: Date, rows: readonly PredictionRow[]): Promise<void> {
  await client.query(
    `INSERT INTO prediction AS p (tenant_id, made_at, campaign_id, currency, spent, month_end_spend, month_end_lower, month_end_upper, month_budget,
       pacing, miss_probability, elasticity, roas_at, suggested_budget, explanation)
     SELECT current_tenant(), $1, row.* FROM jsonb_to_recordset($2::jsonb) AS row (campaign_id bigint, currency text, spent numeric,
       month_end_spend float8, month_end_lower float8, month_end_upper float8, month_budget numeric, pacing float8, miss_probability float8,
       elasticity float8, roas_at jsonb, suggested_budget float8, explanation text)
     ON CONFLICT (tenant_id, campaign_id) DO UPDATE SET made_at = excluded.made_at, currency = excluded.currency, spent = excluded.spent,
       month_end_spend = excluded.month_end_spend, month_end_lower = excluded.month_end_lower, month_end_upper = excluded.month_end_upper,
       month_budget = excluded.month_budget, pacing = excluded.pacing, miss_probability = excluded.miss_probability,
       elasticity = excluded.elasticity, roas_at = excluded.roas_at, suggested_budget = excluded.suggested_budget, explanation = excluded.explanation
     WHERE p.made_at <= excluded.made_at`,
    [at, JSON.stringify(rows)],
  );
}

async function writeAnomalies(
  client: PoolClient,
  {
    tenantId,
    at,
    found,
    noted,
  }: { tenantId: number; at: Date; found: readonly FoundAnomaly[]; noted: readonly FoundAnomaly[] },
): Promise<void> {
  for (const anomaly of noted) await writeAnomaly(client, anomaly);
  const open: string[] = [];
  for (const anomaly of found) {
    const { campaign, metric, date, value, expected, probability } = anomaly;
    const key = `anomaly/${metric}/${campaign.campaignId}`;
    open.push(key);
    const explanation = await writeAnomaly(client, anomaly);
    const isNew = await openAlert(client, {
      tenantId,
      key,
      kind: 'anomaly',
      severity: 'warning',
      title: `Unusual ${WORDS[metric]} of “${campaign.name}”`,
      message: explanation,
      details: { campaign_id: campaign.campaignId, metric, date },
      at,
    });
    if (isNew) {
      await recordDomainEvent(client, {
        type: 'anomaly.detected',
        data: {
          campaign_id: campaign.campaignId,
          name: campaign.name,
          metric,
          date,
          value,
          expected,
          confidence: 1 - probability,
          explanation,
        },
        at,
      });
    }
  }
  await client.query(
    `UPDATE alert SET closed_at = $2, close_reason = 'back to usual' WHERE kind = 'anomaly' AND closed_at IS NULL AND NOT key = ANY($1)`,
    [open, at],
  );
}

/** Returns its explanation. */
async function writeAnomaly(client: PoolClient, anomaly: FoundAnomaly): Promise<string> {
  const { campaign, metric, date, value, expected, robustZ, probability } = anomaly;
  const explanation = anomaly.withoutConversion
    ? `“${campaign.name}” spent ${value.toFixed(2)} on ${date} without a conversion; about ${(value / expected).toFixed(1)} were to be expected.`
    : `The ${WORDS[metric]} of “${campaign.name}” on ${date} was ${value.toFixed(2)}; about ${expected.toFixed(2)} was to be expected.`;
  await client.query(
    `INSERT INTO anomaly (tenant_id, campaign_id, metric, date, value, expected, robust_z, confidence, explanation)
     VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant_id, campaign_id, metric, date) DO UPDATE SET value = excluded.value, expected = excluded.expected,
       robust_z = excluded.robust_z, confidence = excluded.confidence, explanation = excluded.explanation`,
    [campaign.campaignId, metric, date, value, expected, robustZ, 1 - probability, explanation],
  );
  return explanation;
}

const WORDS: Readonly<Record<AnomalyMetric, string>> = {
  spend: 'spend',
  cpa: 'cost per conversion',
  roas: 'return on ad spend',
};
