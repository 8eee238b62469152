/** A tenant's rules and what they did. All of it inside the caller's transaction, as the tenant. */
import type { PoolClient } from 'pg';
import { DefinitionError } from '../definition-error.js';
import { ruleDefinitionSchema, type RuleDefinition } from './rule.js';

export const RULE_STATUSES = ['draft', 'active', 'paused'] as const;
/** Only active rules are evaluated. */
export type RuleStatus = (typeof RULE_STATUSES)[number];

export interface Rule {
  id: number;
  name: string;
  status: RuleStatus;
  /** Of two rules that want opposite things of a campaign the higher one decides. */
  priority: number;
  definition: RuleDefinition;
  lastEvaluatedAt: Date | null;
  /** Campaigns for which it held at the last look. */
  lastMatched: number | null;
}

interface RuleRow {
  id: string;
  name: string;
  status: RuleStatus;
  priority: number;
  definition: RuleDefinition;
  last_evaluated_at: Date | null;
  last_matched: number | null;
}

export async function listRules(client: PoolClient): Promise<Rule[]> {
  const { rows } = await client.query<RuleRow>(
    `SELECT id, name, status, priority, definition, last_evaluated_at, last_matched FROM rule WHERE status <> 'removed' ORDER BY priority DESC, id`,
  );
  return rows.map(({ last_evaluated_at: lastEvaluatedAt, last_matched: lastMatched, id, ...rule }) => ({
    id: Number(id),
    ...rule,
    lastEvaluatedAt,
    lastMatched,
  }));
}

export interface RuleToSave {
  name: string;
  definition: unknown;
  /** Default: draft for a new rule; an existing rule keeps fields that are not given. */
  status?: RuleStatus | undefined;
  priority?: number | undefined;
}

/**
 * Creates the rule, or replaces the definition of the one of that name.
 * @throws DefinitionError
 */
export async function saveRule(
  client: PoolClient,
  { name, definition, status, priority }: RuleToSave,
): Promise<Pick<Rule, 'id' | 'name' | 'status' | 'priority'>> {
  const parsed = ruleDefinitionSchema.safeParse(definition);
  if (!parsed.success) throw new DefinitionError('rule', parsed.error);
  const { rows } = await client.query<{ id: string; status: RuleStatus; priority: number }>(
    `INSERT INTO rule AS r (tenant_id, name, definition, status, priority)
     VALUES (current_tenant(), $1, $2, coalesce($3, 'draft'), coalesce($4, 0))
     ON CONFLICT (tenant_id, name) DO UPDATE SET definition = $2, status = coalesce($3, r.status), priority = coalesce($4, r.priority)
     RETURNING id, status, priority`,
    [name, JSON.stringify(parsed.data), status ?? null, priority ?? null],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`The rule "${name}" was not stored.`);
  return { id: Number(row.id), name, status: row.status, priority: row.priority };
}

/** Returns whether there is such a rule. */
export async function setRuleStatus(client: PoolClient, name: string, status: RuleStatus): Promise<boolean> {
  const { rowCount } = await client.query('UPDATE rule SET status = $2 WHERE name = $1', [name, status]);
  return rowCount === 1;
}

export interface RuleExecution {
  evaluatedAt: Date;
  campaignId: number;
  campaign: string;
  outcome: 'fired' | 'dry_run' | 'held' | 'conflict' | 'nothing_to_do';
  /** The value of each condition. */
  seen: { what: string; value: number | string | string[] | null; holds: boolean | null }[];
  /** The action, or the reason for none, in words. */
  done: string[];
}

/** The latest first. */
export async function ruleExecutions(
  client: PoolClient,
  ruleId: number,
  most: number,
): Promise<RuleExecution[]> {
  const { rows } = await client.query<Omit<RuleExecution, 'campaignId'> & { campaignId: string }>(
    `SELECT e.evaluated_at AS "evaluatedAt", e.campaign_id AS "campaignId", c.name AS campaign, e.outcome, e.seen, e.done
     FROM rule_execution e JOIN campaign c ON c.tenant_id = e.tenant_id AND c.id = e.campaign_id
     WHERE e.rule_id = $1 ORDER BY e.evaluated_at DESC, e.campaign_id LIMIT $2`,
    [ruleId, most],
  );
  return rows.map(({ campaignId, ...row }) => ({ ...row, campaignId: Number(campaignId) }));
}
