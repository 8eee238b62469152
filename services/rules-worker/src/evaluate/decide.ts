/** The rules' wishes, weighed against each other and against the conditions of any change. Decisions only: nothing is written here. */
import type { RuleAction, RuleDefinition } from '@stratum/shared/rules';
import { isCurrency } from '@stratum/connectors/values';
import { targetBudget } from './budget.js';
import { evaluateTree, treeHolds, type Seen } from './conditions.js';
import type { Campaign, Figures } from './figures.js';

export interface Rule {
  id: number;
  name: string;
  priority: number;
  definition: RuleDefinition;
}

export interface WishedChange {
  kind: 'status' | 'daily_budget';
  target: string;
  before: string | null;
}

export interface Decision {
  rule: Rule;
  campaign: Campaign;
  outcome: 'fired' | 'dry_run' | 'held' | 'conflict' | 'nothing_to_do';
  seen: Seen[];
  /** In words. */
  done: string[];
  changes: WishedChange[];
  labels: { add: string[]; remove: string[] };
  alert: Extract<RuleAction, { kind: 'send_alert' }> | undefined;
}

export interface Circumstances {
  now: Date;
  /** Why nothing may be changed for this tenant now. */
  gate: string | undefined;
  lastFired: ReadonlyMap<string, number>;
  budgetDayAgo: ReadonlyMap<number, string>;
  /** Changes whose rules are still cooling down, by `<campaign>/<kind>`. */
  claims: ReadonlyMap<string, Claim>;
}

/** For its rule's cooldown a change keeps out rules that come after it: otherwise they would undo it at the next look. */
export interface Claim {
  ruleId: number;
  ruleName: string;
  priority: number;
}

const HOUR_MS = 3_600_000;

/** The cooldown that contains a time: a rule acts on a campaign once in it. */
export function cooldownSlot({ definition }: Rule, now: Date): number {
  return Math.floor(now.getTime() / (definition.cooldown_hours * HOUR_MS));
}

const STALE_MS = 2 * HOUR_MS;

/** @param rules the one that decides first: by priority, then by age */
export function decide(
  rules: readonly Rule[],
  campaigns: readonly Campaign[],
  figures: Figures,
  circumstances: Circumstances,
): Decision[] {
  const decisions: Decision[] = [];
  const taken = new Map<string, Rule>();
  for (const rule of rules) {
    for (const campaign of campaigns) {
      if (!inScope(rule.definition, campaign) || isCoolingDown(rule, campaign, circumstances)) continue;
      if (!treeHolds(rule.definition.when, campaign, figures, circumstances.now)) continue;
      const seen: Seen[] = [];
      evaluateTree(rule.definition.when, campaign, figures, circumstances.now, seen);
      decisions.push(decideOne(rule, campaign, seen, circumstances, taken));
    }
  }
  return decisions;
}

function inScope({ scope }: RuleDefinition, campaign: Campaign): boolean {
  const { platforms, labels, campaign_ids: ids } = scope;
  return (
    (platforms === undefined || platforms.some((platform) => platform === campaign.platform)) &&
    (labels === undefined || labels.some((label) => campaign.labels.includes(label))) &&
    (ids === undefined || ids.includes(campaign.id))
  );
}

export function isCoolingDown(
  rule: Rule,
  campaign: Pick<Campaign, 'id'>,
  { now, lastFired }: Pick<Circumstances, 'now' | 'lastFired'>,
): boolean {
  const last = lastFired.get(`${rule.id}/${campaign.id}`);
  return last !== undefined && now.getTime() - last < rule.definition.cooldown_hours * HOUR_MS;
}

function decideOne(
  rule: Rule,
  campaign: Campaign,
  seen: Seen[],
  circumstances: Circumstances,
  taken: Map<string, Rule>,
): Decision {
  const { actions, dry_run: dryRun } = rule.definition;
  const decision: Decision = {
    rule,
    campaign,
    outcome: 'nothing_to_do',
    seen,
    done: [],
    changes: [],
    labels: { add: [], remove: [] },
    alert: undefined,
  };
  const barrier = circumstances.gate ?? staleness(campaign, circumstances.now);
  let held = false;
  let conflict = false;
  for (const action of actions) {
    if (action.kind === 'send_alert') {
      decision.alert = dryRun ? undefined : action;
      decision.done.push('alert');
      continue;
    }
    if (action.kind === 'add_label' || action.kind === 'remove_label') {
      applyLabel(decision, action, dryRun);
      continue;
    }
    const change = wishedChange(action, campaign, circumstances);
    if (change === undefined) continue;
    const key = `${campaign.id}/${change.kind}`;
    const claim = circumstances.claims.get(key);
    const winner = taken.get(key)?.name ?? (claim && holds(claim, rule) ? claim.ruleName : undefined);
    if (winner !== undefined) {
      conflict = true;
      decision.done.push(`${change.kind} left to the rule “${winner}”, which comes first`);
    } else if (barrier !== undefined) {
      held = true;
      decision.done.push(`${change.kind} → ${change.target} held: ${barrier}`);
    } else {
      if (!dryRun) taken.set(key, rule);
      decision.changes.push(change);
      decision.done.push(`${change.kind} ${change.before ?? 'unknown'} → ${change.target}`);
    }
  }
  // A campaign that already is paused, or active, as the rule wants it is no news.
  const isSettled = decision.changes.length === 0 && !held && !conflict;
  if (isSettled && actions.some(({ kind }) => kind === 'pause' || kind === 'enable')) {
    decision.alert = undefined;
    decision.done = decision.done.filter((each) => each !== 'alert');
  }
  decision.outcome = outcomeOf(decision, { dryRun, held, conflict });
  if (dryRun) decision.changes = [];
  return decision;
}

/** Rules come by priority, then by age. */
function holds(claim: Claim, rule: Rule): boolean {
  if (claim.ruleId === rule.id) return false;
  return claim.priority === rule.priority ? claim.ruleId < rule.id : claim.priority > rule.priority;
}

function outcomeOf(
  { changes, done }: Decision,
  { dryRun, held, conflict }: { dryRun: boolean; held: boolean; conflict: boolean },
): Decision['outcome'] {
  const acted = changes.length > 0 || done.some((each) => each === 'alert' || each.startsWith('label'));
  if (dryRun) return done.length > 0 ? 'dry_run' : 'nothing_to_do';
  // A held action is tried again at the next evaluation, so it starts no cooldown. Its alerts are raised once, by their key.
  if (held) return 'held';
  if (acted) return 'fired';
  return conflict ? 'conflict' : 'nothing_to_do';
}

function staleness({ lastSyncedAt, platform }: Campaign, now: Date): string | undefined {
  if (lastSyncedAt === null) return `its ${platform} account has never been synced`;
  return now.getTime() - lastSyncedAt.getTime() > STALE_MS
    ? `its ${platform} data are older than two hours`
    : undefined;
}

function applyLabel(
  decision: Decision,
  action: Extract<RuleAction, { label: string }>,
  dryRun: boolean,
): void {
  const { labels } = decision.campaign;
  const has = labels.includes(action.label);
  if (has === (action.kind === 'add_label')) return;
  decision.done.push(`label ${action.kind === 'add_label' ? '+' : '−'}${action.label}`);
  if (!dryRun) decision.labels[action.kind === 'add_label' ? 'add' : 'remove'].push(action.label);
}

/** `undefined` when the campaign is already as the rule wants it. */
function wishedChange(
  action: Extract<RuleAction, { kind: 'pause' | 'enable' | 'adjust_budget' }>,
  campaign: Campaign,
  { budgetDayAgo }: Circumstances,
): WishedChange | undefined {
  if (action.kind !== 'adjust_budget') {
    const target = action.kind === 'pause' ? 'paused' : 'active';
    return campaign.status === target ? undefined : { kind: 'status', target, before: campaign.status };
  }
  const { dailyBudget: now, currency, platform } = campaign;
  if (now === null || !isCurrency(currency)) return undefined;
  const target = targetBudget(action, {
    currency,
    platform,
    now,
    dayAgo: budgetDayAgo.get(campaign.id) ?? now,
  });
  return Number(target) === Number(now) ? undefined : { kind: 'daily_budget', target, before: now };
}
