/** `dry_run_rule`: on which of the last days which campaigns a rule would have acted. Nothing is written. */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import { tickTime, withTenant, type dryRunRule } from '@stratum/shared';
import { ruleDefinitionSchema } from '@stratum/shared/rules';
import type { Pool, PoolClient } from 'pg';
import { decide, type Rule } from '../evaluate/decide.js';
import { readCampaigns, readFigures, type Campaign } from '../evaluate/figures.js';

const DAY_MS = 86_400_000;
const NOON_MS = DAY_MS / 2;
/** A result stays readable. */
const MAX_SHOWN = 1_000;

export function dryRunRuleHandler({ pool }: { pool: Pool }): HandlerFor<typeof dryRunRule> {
  return async ({ tenant_id: tenantId, rule_id: ruleId, days }, context) => {
    const today = Math.floor(tickTime(context).getTime() / DAY_MS) * DAY_MS;
    return withTenant(pool, tenantId, async (client) => {
      const rule = await readRule(client, ruleId);
      const campaigns = await readCampaigns(client);
      const changes = await readChanges(client, new Date(today - days * DAY_MS));
      const lastFired = new Map<string, number>();
      const shown: { date: string; campaigns: { campaign_id: number; name: string; done: string[] }[] }[] =
        [];
      let fired = 0;
      for (let back = days; back >= 1; back--) {
        context.signal.throwIfAborted();
        // At noon in UTC it is the same day almost everywhere.
        const at = new Date(today - back * DAY_MS + NOON_MS);
        const figures = await readFigures(client, [rule.definition], at, { wholeDays: true });
        const decisions = decide(
          [rule],
          campaigns.map((campaign) => asOf(campaign, at, changes)),
          figures,
          { now: at, gate: undefined, lastFired, budgetDayAgo: new Map(), claims: new Map() },
        ).filter(({ outcome }) => outcome === 'fired');
        for (const { campaign } of decisions) lastFired.set(`${rule.id}/${campaign.id}`, at.getTime());
        const room = Math.max(0, MAX_SHOWN - fired);
        fired += decisions.length;
        shown.push({
          date: at.toISOString().slice(0, 10),
          campaigns: decisions
            .slice(0, room)
            .map(({ campaign: { id, name }, done }) => ({ campaign_id: id, name, done })),
        });
      }
      return { rule_id: ruleId, fired, truncated: fired > MAX_SHOWN, days: shown };
    });
  };
}

async function readRule(client: PoolClient, id: number): Promise<Rule> {
  const { rows } = await client.query<{ name: string; priority: number; definition: unknown }>(
    `SELECT name, priority, definition FROM rule WHERE id = $1 AND status <> 'removed'`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new TaskError(`There is no rule ${id}.`, { retryable: false });
  const definition = ruleDefinitionSchema.parse(row.definition);
  return { id, name: row.name, priority: row.priority, definition: { ...definition, dry_run: false } };
}

interface Change {
  at: number;
  status: string;
  budget: string | null;
}

/** By campaign, the oldest first: what it was before each change. */
async function readChanges(client: PoolClient, since: Date): Promise<Map<number, Change[]>> {
  const { rows } = await client.query<{
    campaign_id: string;
    changed_at: Date;
    status_before: string;
    budget_before: string | null;
  }>(
    `SELECT campaign_id, changed_at, status_before, trim_scale(budget_before)::text AS budget_before
     FROM campaign_change WHERE changed_at > $1 ORDER BY changed_at, id`,
    [since],
  );
  const changes = new Map<number, Change[]>();
  for (const row of rows) {
    const id = Number(row.campaign_id);
    const change = { at: row.changed_at.getTime(), status: row.status_before, budget: row.budget_before };
    changes.set(id, [...(changes.get(id) ?? []), change]);
  }
  return changes;
}

/** The campaign with the status and budget that it had then. */
function asOf(campaign: Campaign, at: Date, changes: ReadonlyMap<number, readonly Change[]>): Campaign {
  const next = changes.get(campaign.id)?.find((change) => change.at > at.getTime());
  const then = next === undefined ? {} : { status: next.status, dailyBudget: next.budget };
  return { ...campaign, ...then, lastSyncedAt: at };
}
