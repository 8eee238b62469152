/**
 * `evaluate_rules`: reads what all rules look at, decides, and writes decisions and wished changes in one transaction; then one
 * task for each change. A run that dies before its tasks are enqueued leaves the wishes to the next one.
 */
import type { HandlerFor } from '@stratum/jobs';
import { applyPlatformAction, tickTime, withTenant, type evaluateRules } from '@stratum/shared';
import type { PlatformName } from '@stratum/connectors/ad-platforms';
import { ruleDefinitionSchema, type RuleDefinition } from '@stratum/shared/rules';
import type { PoolClient } from 'pg';
import type { RulesDependencies } from '../dependencies.js';
import { decide, type Claim, type Decision, type Rule } from './decide.js';
import { readCampaigns, readFigures } from './figures.js';
import { closeRuleAlerts } from './rule-alerts.js';
import { writeDecisions } from './write-decisions.js';

export function evaluateRulesHandler({
  pool,
}: Pick<RulesDependencies, 'pool'>): HandlerFor<typeof evaluateRules> {
  return async ({ tenant_id: tenantId }, context) => {
    const now = tickTime(context);
    const { open, ...summary } = await withTenant(pool, tenantId, async (client) => {
      // Of two evaluations of a tenant the second waits, and sees the first one's decisions.
      await client.query(`SELECT pg_advisory_xact_lock(hashtext('stratum.rules'), $1::int)`, [tenantId]);
      const { rules, invalid } = await readRules(client);
      for (const name of invalid)
        context.logger.error({ rule: name }, 'a rule has a definition that cannot be read');
      const campaigns = await readCampaigns(client);
      const figures = await readFigures(
        client,
        rules.map(({ definition }) => definition),
        now,
      );
      const history = await readHistory(client, now);
      const decisions = decide(rules, campaigns, figures, {
        now,
        gate: await readGate(client, now),
        ...history,
      });
      const actions = await writeDecisions(client, { tenantId, now, rules, decisions });
      await closeRuleAlerts(client, { rules, decisions, now, lastFired: history.lastFired });
      const { rows } = await client.query<{ id: string; platform: PlatformName }>(
        `SELECT p.id, a.platform FROM platform_action p
         JOIN campaign c ON c.tenant_id = p.tenant_id AND c.id = p.campaign_id
         JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
         WHERE p.state = 'proposed' OR (p.state = 'applying' AND p.claimed_at < now() - interval '15 minutes') ORDER BY p.id`,
      );
      const count = (outcome: Decision['outcome']): number =>
        decisions.filter((decision) => decision.outcome === outcome).length;
      return {
        tenant_id: tenantId,
        rules: rules.length,
        campaigns: campaigns.length,
        matched: decisions.length,
        fired: count('fired'),
        held: count('held'),
        conflicts: count('conflict'),
        actions,
        invalid: invalid.length,
        results: rules.map((rule) => resultOf(rule, decisions)),
        open: rows.map(({ id, platform }) => ({ id: Number(id), platform })),
      };
    });
    await context.enqueueMany(
      applyPlatformAction,
      open.map(({ id, platform }) => ({
        payload: { tenant_id: tenantId, action_id: id, platform },
        options: { id: `apply-${tenantId}-${id}` },
      })),
    );
    return summary;
  };
}

function resultOf(
  { id }: Rule,
  decisions: readonly Decision[],
): { rule_id: number; triggered: boolean; matched: number; fired: number } {
  const own = decisions.filter(({ rule }) => rule.id === id);
  const fired = own.filter(({ outcome }) => outcome === 'fired').length;
  return { rule_id: id, triggered: fired > 0, matched: own.length, fired };
}

async function readRules(client: PoolClient): Promise<{ rules: Rule[]; invalid: string[] }> {
  const { rows } = await client.query<{ id: string; name: string; priority: number; definition: unknown }>(
    `SELECT id, name, priority, definition FROM rule WHERE status = 'active' ORDER BY priority DESC, id`,
  );
  const rules: Rule[] = [];
  const invalid: string[] = [];
  for (const { id, name, priority, definition } of rows) {
    const parsed: RuleDefinition | undefined = ruleDefinitionSchema.safeParse(definition).data;
    if (parsed === undefined) invalid.push(name);
    else rules.push({ id: Number(id), name, priority, definition: parsed });
  }
  return { rules, invalid };
}

const CHECK_VALID_MS = 3 * 3_600_000;

/** Why nothing is to be changed now; `undefined` when the data can be trusted. Data never measured are not trusted. */
async function readGate(client: PoolClient, now: Date): Promise<string | undefined> {
  const { rows } = await client.query<{ status: string; checked_at: Date }>(
    'SELECT status, checked_at FROM pipeline_check WHERE checked_at <= $1 ORDER BY checked_at DESC LIMIT 1',
    [now],
  );
  const [check] = rows;
  if (check === undefined || now.getTime() - check.checked_at.getTime() > CHECK_VALID_MS) {
    return 'the health of the data pipeline was not checked within three hours';
  }
  return check.status === 'critical' ? 'the data pipeline is critical' : undefined;
}

interface History {
  /** When a rule last did something to a campaign, by `<rule>/<campaign>`; milliseconds since 1970. */
  lastFired: Map<string, number>;
  /** A campaign's budget a day ago, for campaigns whose budget a rule has changed since. */
  budgetDayAgo: Map<number, string>;
  claims: Map<string, Claim>;
}

async function readHistory(client: PoolClient, now: Date): Promise<History> {
  const fired = await client.query<{ rule_id: string; campaign_id: string; at: Date }>(
    `SELECT rule_id, campaign_id, max(evaluated_at) AS at FROM rule_execution
     WHERE outcome IN ('fired', 'dry_run') AND evaluated_at > $1::timestamptz - interval '168 hours' AND evaluated_at <= $1 GROUP BY rule_id, campaign_id`,
    [now],
  );
  const budgets = await client.query<{ campaign_id: string; before: string }>(
    `SELECT DISTINCT ON (campaign_id) campaign_id, before FROM platform_action
     WHERE kind = 'daily_budget' AND state <> 'failed' AND before IS NOT NULL AND proposed_at > $1::timestamptz - interval '1 day' AND proposed_at <= $1
     ORDER BY campaign_id, proposed_at, id`,
    [now],
  );
  const claims = await client.query<{ key: string; rule_id: string; name: string; priority: number }>(
    `SELECT DISTINCT ON (p.campaign_id, p.kind) p.campaign_id || '/' || p.kind AS key, p.rule_id, r.name, r.priority
     FROM platform_action p JOIN rule r ON r.tenant_id = p.tenant_id AND r.id = p.rule_id
     WHERE p.state <> 'failed' AND r.status = 'active' AND p.proposed_at <= $1
       AND p.proposed_at > $1::timestamptz - coalesce((r.definition ->> 'cooldown_hours')::int, 24) * interval '1 hour'
     ORDER BY p.campaign_id, p.kind, r.priority DESC, r.id`,
    [now],
  );
  return {
    claims: new Map(
      claims.rows.map((row) => [
        row.key,
        { ruleId: Number(row.rule_id), ruleName: row.name, priority: row.priority },
      ]),
    ),
    lastFired: new Map(fired.rows.map((row) => [`${row.rule_id}/${row.campaign_id}`, row.at.getTime()])),
    budgetDayAgo: new Map(budgets.rows.map((row) => [Number(row.campaign_id), row.before])),
  };
}
