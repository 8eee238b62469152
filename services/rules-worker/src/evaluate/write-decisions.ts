/** Writes the decisions: the log, the wished changes, labels and alerts. */
import type { PoolClient } from 'pg';
import { tellOfRule } from './rule-alerts.js';
import { cooldownSlot, type Decision, type Rule } from './decide.js';

/** Inside the caller's transaction, as the tenant. Returns how many changes are new. */
export async function writeDecisions(
  client: PoolClient,
  {
    tenantId,
    now,
    rules,
    decisions,
  }: { tenantId: number; now: Date; rules: readonly Rule[]; decisions: readonly Decision[] },
): Promise<number> {
  await client.query(
    `INSERT INTO rule_execution (tenant_id, rule_id, campaign_id, evaluated_at, outcome, seen, done)
     SELECT current_tenant(), rule_id, campaign_id, $1, outcome, seen, done
     FROM jsonb_to_recordset($2::jsonb) AS row (rule_id bigint, campaign_id bigint, outcome text, seen jsonb, done text[])
     ON CONFLICT DO NOTHING`,
    [
      now,
      JSON.stringify(
        decisions.map(({ rule, campaign, outcome, seen, done }) => ({
          rule_id: rule.id,
          campaign_id: campaign.id,
          outcome,
          seen,
          done,
        })),
      ),
    ],
  );
  const changes = decisions.flatMap(({ rule, campaign, changes: wished }) =>
    wished.map((change) => ({
      rule_id: rule.id,
      campaign_id: campaign.id,
      ...change,
      cooldown_slot: cooldownSlot(rule, now),
    })),
  );
  const { rowCount } = await client.query(
    `INSERT INTO platform_action (tenant_id, rule_id, campaign_id, kind, target, before, cooldown_slot, proposed_at)
     SELECT current_tenant(), rule_id, campaign_id, kind, target, before, cooldown_slot, $1
     FROM jsonb_to_recordset($2::jsonb) AS row (rule_id bigint, campaign_id bigint, kind text, target text, before text, cooldown_slot bigint)
     ON CONFLICT DO NOTHING`,
    [now, JSON.stringify(changes)],
  );
  for (const { campaign, labels } of decisions) {
    if (labels.add.length === 0 && labels.remove.length === 0) continue;
    await client.query(
      `UPDATE campaign SET labels = ARRAY(SELECT DISTINCT label FROM unnest(labels || $2::text[]) label WHERE NOT label = ANY($3::text[]) ORDER BY label)
       WHERE id = $1`,
      [campaign.id, labels.add, labels.remove],
    );
  }
  for (const decision of decisions) await tellOfRule(client, tenantId, now, decision);
  await client.query(
    `UPDATE rule SET last_evaluated_at = $1, last_matched = row.matched
     FROM jsonb_to_recordset($2::jsonb) AS row (id bigint, matched int) WHERE rule.tenant_id = current_tenant() AND rule.id = row.id`,
    [now, JSON.stringify(matchesOf(rules, decisions))],
  );
  return rowCount ?? 0;
}

function matchesOf(
  rules: readonly Rule[],
  decisions: readonly Decision[],
): { id: number; matched: number }[] {
  const counts = new Map<number, number>();
  for (const { rule } of decisions) counts.set(rule.id, (counts.get(rule.id) ?? 0) + 1);
  return rules.map(({ id }) => ({ id, matched: counts.get(id) ?? 0 }));
}
