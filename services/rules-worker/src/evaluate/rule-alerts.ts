/** Alerts of rules: raised once in a cooldown, closed when the rule no longer holds. */
import { closeAlert, openAlert } from '@stratum/shared';
import type { PoolClient } from 'pg';
import { cooldownSlot, isCoolingDown, type Circumstances, type Decision, type Rule } from './decide.js';

/** Opens the alert of a decision that has one, with its message. Inside the caller's transaction, as the tenant. */
export async function tellOfRule(
  client: PoolClient,
  tenantId: number,
  now: Date,
  decision: Decision,
): Promise<void> {
  const { rule, campaign, alert, done } = decision;
  if (alert === undefined) return;
  const key = keyOf(rule, campaign.id, now);
  const title = `${rule.name}: ${campaign.name}`;
  const message = alert.message ?? `${valuesOf(decision)}.`;
  const messageId =
    alert.whatsapp === undefined
      ? undefined
      : await queueMessage(client, { key, title, message, now, to: alert.whatsapp });
  await openAlert(client, {
    tenantId,
    key,
    kind: 'rule',
    severity: alert.severity,
    title,
    message,
    // `null`: the account, contact or template that the rule names is not there.
    details: {
      rule_id: rule.id,
      rule: rule.name,
      campaign_id: campaign.id,
      campaign: campaign.name,
      done,
      ...(messageId === undefined ? {} : { whatsapp_message_id: messageId }),
    },
    at: now,
  });
}

function valuesOf({ seen }: Decision): string {
  return seen
    .filter(({ holds }) => holds)
    .map(({ what, value }) => `${what} is ${Array.isArray(value) ? value.join(', ') : (value ?? 'unknown')}`)
    .join('; ');
}

/** Once for each alert: one that is open already has its message. Whether the contact may be written to is asked when it is sent. */
async function queueMessage(
  client: PoolClient,
  {
    key,
    title,
    message,
    now,
    to,
  }: {
    key: string;
    title: string;
    message: string;
    now: Date;
    to: { account_id: number; contact_id: number; template_id: number };
  },
): Promise<number | null> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, template_id, parameters, scheduled_at)
     SELECT current_tenant(), a.id, c.id, t.id,
       CASE t.parameters WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[$5 || '. ' || $6] ELSE ARRAY[$5, $6] END, $7
     FROM whatsapp_account a, whatsapp_contact c, whatsapp_template t
     WHERE a.id = $1 AND c.id = $2 AND t.id = $3 AND NOT EXISTS (SELECT FROM alert WHERE key = $4 AND closed_at IS NULL)
     RETURNING id`,
    [to.account_id, to.contact_id, to.template_id, key, title, message, now],
  );
  return rows[0] === undefined ? null : Number(rows[0].id);
}

/** Closes alerts of rules that no longer hold, that are no longer active, or that have raised a new one. */
export async function closeRuleAlerts(
  client: PoolClient,
  {
    rules,
    decisions,
    ...circumstances
  }: { rules: readonly Rule[]; decisions: readonly Decision[] } & Pick<Circumstances, 'now' | 'lastFired'>,
): Promise<void> {
  const { rows } = await client.query<{ key: string; rule_id: number; campaign_id: number }>(
    `SELECT key, (details ->> 'rule_id')::float8 AS rule_id, (details ->> 'campaign_id')::float8 AS campaign_id
     FROM alert WHERE kind = 'rule' AND closed_at IS NULL`,
  );
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const matched = new Map(decisions.map((each) => [`${each.rule.id}/${each.campaign.id}`, each]));
  const { now } = circumstances;
  for (const { key, rule_id: ruleId, campaign_id: campaignId } of rows) {
    const rule = byId.get(ruleId);
    const decision = matched.get(`${ruleId}/${campaignId}`);
    if (rule === undefined) await closeAlert(client, key, 'the rule is not active', now);
    else if (decision !== undefined) {
      const isOld = key !== keyOf(rule, campaignId, now);
      const reason = decision.alert === undefined ? 'the campaign is as the rule wants it' : 'raised again';
      if (isOld) await closeAlert(client, key, reason, now);
    } else if (!isCoolingDown(rule, { id: campaignId }, circumstances))
      await closeAlert(client, key, 'the rule no longer holds', now);
  }
}

/** The same for a whole cooldown, also while the rule's changes are held and tried again. */
function keyOf(rule: Rule, campaignId: number, now: Date): string {
  return `rule/${rule.id}/${campaignId}/${cooldownSlot(rule, now)}`;
}
