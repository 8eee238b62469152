/**
 * `apply_platform_action`: claim → ask the platform → note its answer → write the audit log. The claim is a token, so only its holder
 * writes the end. The wish is a target, so a task that died in the middle, or does not know whether the platform heard it, asks again
 * without harm. It succeeds only once the action has come to its end: a task that has succeeded is not run again.
 */
import { randomUUID } from 'node:crypto';
import { TaskError, type HandlerFor } from '@stratum/jobs';
import {
  openConnector,
  withTenant,
  type applyPlatformAction,
  type NewAuditEvent,
  type StoredAccount,
} from '@stratum/shared';
import { PlatformError, type CampaignChange } from '@stratum/connectors/ad-platforms';
import type { Pool } from 'pg';
import type { RulesDependencies } from '../dependencies.js';
import { writeApplied, type AppliedAction } from './write-applied.js';

/** The entry of the audit log. */
interface ActionFacts {
  kind: 'status' | 'daily_budget';
  target: string;
  before: string | null;
  rule_id: string;
  campaign_id: string;
  platform: string;
}

interface ClaimedAction extends ActionFacts {
  campaign: string;
  campaign_external_id: string;
  campaign_currency: string;
  account_id: string;
  external_id: string;
  currency: string;
  time_zone: string;
  credentials_ciphertext: Buffer;
  credentials_key_id: string;
}

export function applyPlatformActionHandler(
  dependencies: RulesDependencies,
): HandlerFor<typeof applyPlatformAction> {
  const { pool, audit } = dependencies;
  return async ({ tenant_id: tenantId, action_id: actionId }, context) => {
    const claim = randomUUID();
    await giveUpWhatIsOver(pool, tenantId, actionId);
    const action = await claimAction(dependencies, {
      tenantId,
      actionId,
      claim,
      // The worker that had this task was lost, and its claim with it.
      takeOver: context.deliveries > 1,
    });
    if (action === undefined) {
      const settled = await readSettled(pool, tenantId, actionId);
      if (settled === undefined) return context.snooze(BUSY_MS);
      // An attempt that died, or found no broker, before it wrote the log: the event's id makes a second entry harmless.
      if (settled.applied_at !== null)
        await audit(auditEvent(tenantId, actionId, settled, settled.applied_at));
      return { action_id: actionId, outcome: settled.applied_at === null ? 'given_up' : 'already_done' };
    }
    const at = new Date();
    try {
      const connector = openConnector(dependencies, tenantId, accountOf(action));
      const { signal } = context;
      await connector.updateCampaign(action.campaign_external_id, changeOf(action), { signal });
      await withTenant(pool, tenantId, (client) =>
        writeApplied(client, appliedOf(actionId, claim, action), at),
      );
    } catch (error) {
      await release(dependencies, { tenantId, actionId, claim, error });
      throw error;
    }
    await audit(auditEvent(tenantId, actionId, action, at));
    return { action_id: actionId, outcome: 'applied' };
  };
}

/** While another task is at it. */
const BUSY_MS = 60_000;

/**
 * A wish is good for its cooldown, and while its rule is active: afterwards the rule has been evaluated again, with a new wish.
 */
async function giveUpWhatIsOver(pool: Pool, tenantId: number, actionId: number): Promise<void> {
  await withTenant(pool, tenantId, (client) =>
    client.query(
      `UPDATE platform_action p SET state = 'failed',
         error = CASE WHEN r.status = 'active' THEN 'it could not be applied within its cooldown' ELSE 'the rule is not active any more' END
       FROM rule r
       WHERE p.id = $1 AND p.state = 'proposed' AND r.tenant_id = p.tenant_id AND r.id = p.rule_id AND (r.status <> 'active'
         OR p.created_at < now() - coalesce((r.definition ->> 'cooldown_hours')::int, 24) * interval '1 hour')`,
      [actionId],
    ),
  );
}

/** An action that has come to its end; `undefined` while another task is at it. @throws TaskError when there is none of that id */
async function readSettled(
  pool: Pool,
  tenantId: number,
  actionId: number,
): Promise<(ActionFacts & { applied_at: Date | null }) | undefined> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<ActionFacts & { state: string; applied_at: Date | null }>(
      `SELECT p.kind, p.target, p.before, p.rule_id, p.campaign_id, p.state, p.applied_at, a.platform
       FROM platform_action p JOIN campaign c ON c.tenant_id = p.tenant_id AND c.id = p.campaign_id
       JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id WHERE p.id = $1`,
      [actionId],
    );
    const [row] = rows;
    if (row === undefined)
      throw new TaskError(`There is no platform action ${actionId}.`, { retryable: false });
    return row.state === 'applied' || row.state === 'failed' ? row : undefined;
  });
}

function appliedOf(actionId: number, claim: string, action: ClaimedAction): AppliedAction {
  return {
    actionId,
    claim,
    kind: action.kind,
    target: action.target,
    campaignId: action.campaign_id,
    ruleId: action.rule_id,
    campaign: {
      name: action.campaign,
      externalId: action.campaign_external_id,
      platform: action.platform,
      currency: action.campaign_currency,
    },
  };
}

/** `undefined` when it is at its end, or another task is at it. A claim is good for as long as a task may run. */
async function claimAction(
  { pool }: RulesDependencies,
  {
    tenantId,
    actionId,
    claim,
    takeOver,
  }: { tenantId: number; actionId: number; claim: string; takeOver: boolean },
): Promise<ClaimedAction | undefined> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<ClaimedAction>(
      `UPDATE platform_action p SET state = 'applying', claim = $2, claimed_at = now()
       FROM campaign c JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id
       WHERE p.id = $1 AND c.tenant_id = p.tenant_id AND c.id = p.campaign_id
         AND (p.state = 'proposed' OR (p.state = 'applying' AND (p.claimed_at < now() - interval '15 minutes' OR $3)))
       RETURNING p.kind, p.target, p.before, p.rule_id, p.campaign_id, c.name AS campaign, c.external_id AS campaign_external_id, c.currency AS campaign_currency, a.id AS account_id,
         a.platform, a.external_id, a.currency, a.time_zone, a.credentials_ciphertext, a.credentials_key_id`,
      [actionId, claim, takeOver],
    );
    return rows[0];
  });
}

/** Back to the queue, or given up. */
async function release(
  { pool }: RulesDependencies,
  { tenantId, actionId, claim, error }: { tenantId: number; actionId: number; claim: string; error: unknown },
): Promise<void> {
  const isFinal = error instanceof PlatformError && !error.retryable;
  const reason = error instanceof Error ? error.message : 'unknown';
  await withTenant(pool, tenantId, (client) =>
    client.query('UPDATE platform_action SET state = $3, error = $4 WHERE id = $1 AND claim = $2', [
      actionId,
      claim,
      isFinal ? 'failed' : 'proposed',
      reason,
    ]),
  );
}

function accountOf(action: ClaimedAction): StoredAccount {
  return {
    id: action.account_id,
    platform: action.platform,
    externalId: action.external_id,
    currency: action.currency,
    timeZone: action.time_zone,
    ciphertext: action.credentials_ciphertext,
    keyId: action.credentials_key_id,
  };
}

function changeOf({ kind, target }: ClaimedAction): CampaignChange {
  if (kind === 'daily_budget') return { dailyBudget: target };
  return { status: target === 'paused' ? 'paused' : 'active' };
}

function auditEvent(tenantId: number, actionId: number, action: ActionFacts, at: Date): NewAuditEvent {
  return {
    id: `platform-action-${tenantId}-${actionId}`,
    tenant_id: tenantId,
    actor: `rule/${action.rule_id}`,
    action: `campaign.${action.kind}`,
    subject: `campaign/${action.campaign_id}`,
    details: { before: action.before, after: action.target, platform: action.platform },
    occurred_at: at.toISOString(),
  };
}
