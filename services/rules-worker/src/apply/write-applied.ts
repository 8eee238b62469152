/** Records a change that a platform has accepted: the action's end, the campaign, and the events that report it. */
import { recordDomainEvents, type CampaignChanges } from '@stratum/shared';
import type { PoolClient } from 'pg';

export interface AppliedAction {
  actionId: number;
  claim: string;
  kind: 'status' | 'daily_budget';
  target: string;
  campaignId: string;
  ruleId: string;
  campaign: { name: string; externalId: string; platform: string; currency: string };
}

/** Inside the caller's transaction, as the tenant. A task whose claim has been taken over writes nothing. */
export async function writeApplied(client: PoolClient, action: AppliedAction, at: Date): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE platform_action SET state = 'applied', applied_at = $3, error = NULL WHERE id = $1 AND claim = $2`,
    [action.actionId, action.claim, at],
  );
  if (rowCount === 0) return;
  const changes = await changeCampaign(client, action);
  // A sync may have seen the change on the platform first, and reported it.
  if (changes === undefined) return;
  const { externalId, ...campaign } = action.campaign;
  const { currency, ...named } = campaign;
  const about = {
    campaign_id: Number(action.campaignId),
    external_id: externalId,
    ...named,
    cause: 'rule' as const,
    rule_id: Number(action.ruleId),
  };
  await recordDomainEvents(client, [
    { type: 'campaign.updated', data: { ...about, currency, changes }, at },
    ...(changes.status?.from === 'active' && changes.status.to === 'paused'
      ? [{ type: 'campaign.paused' as const, data: about, at }]
      : []),
  ]);
}

/** `undefined`: it was so before. */
async function changeCampaign(
  client: PoolClient,
  { kind, target, campaignId }: AppliedAction,
): Promise<CampaignChanges | undefined> {
  if (kind === 'status') {
    const { rows } = await client.query<{ before: string }>(
      `UPDATE campaign c SET status = $2 FROM (SELECT tenant_id, id, status FROM campaign WHERE id = $1 FOR UPDATE) old
       WHERE c.tenant_id = old.tenant_id AND c.id = old.id AND old.status <> $2 RETURNING old.status AS before`,
      [campaignId, target],
    );
    return rows[0] && { status: { from: rows[0].before, to: target } };
  }
  const { rows } = await client.query<{ before: string | null; after: string }>(
    `UPDATE campaign c SET daily_budget = $2::numeric FROM (SELECT tenant_id, id, daily_budget FROM campaign WHERE id = $1 FOR UPDATE) old
     WHERE c.tenant_id = old.tenant_id AND c.id = old.id AND old.daily_budget IS DISTINCT FROM $2::numeric
     RETURNING trim_scale(old.daily_budget) AS before, trim_scale(c.daily_budget) AS after`,
    [campaignId, target],
  );
  return rows[0] && { daily_budget: { from: rows[0].before, to: rows[0].after } };
}
