/** The changes of campaigns that become events: only of known campaigns, so that a first sync reports none. */
import type { CampaignChanges, DomainEvent } from '@stratum/shared';

/** Fields of a campaign whose changes are events; budgets as decimals. */
export interface CampaignFields {
  name: string;
  status: string;
  daily_budget: string | null;
  lifetime_budget: string | null;
}

export interface CampaignChange {
  id: string;
  externalId: string;
  platform: string;
  currency: string;
  before: CampaignFields;
  after: CampaignFields;
}

export function campaignEvents({ before, after, ...campaign }: CampaignChange, at: Date): DomainEvent[] {
  const changes: CampaignChanges = {
    ...differing(before, after, 'name'),
    ...differing(before, after, 'status'),
    ...differing(before, after, 'daily_budget'),
    ...differing(before, after, 'lifetime_budget'),
  };
  if (Object.keys(changes).length === 0) return [];
  const about = {
    campaign_id: Number(campaign.id),
    external_id: campaign.externalId,
    name: after.name,
    platform: campaign.platform,
    cause: 'sync' as const,
    rule_id: null,
  };
  const updated: DomainEvent = {
    type: 'campaign.updated',
    data: { ...about, currency: campaign.currency, changes },
    at,
  };
  const isPause = before.status === 'active' && after.status === 'paused';
  return isPause ? [updated, { type: 'campaign.paused', data: about, at }] : [updated];
}

function differing<Field extends keyof CampaignFields>(
  before: CampaignFields,
  after: CampaignFields,
  field: Field,
): Partial<Record<Field, { from: CampaignFields[Field]; to: CampaignFields[Field] }>> {
  if (before[field] === after[field]) return {};
  const change: Partial<Record<Field, { from: CampaignFields[Field]; to: CampaignFields[Field] }>> = {};
  change[field] = { from: before[field], to: after[field] };
  return change;
}
