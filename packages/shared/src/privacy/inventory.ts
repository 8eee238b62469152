/**
 * Every table with rows of tenants, and what it keeps of people. A test compares it with the schema: a new table has to be named here, and the
 * same test looks for an erased person in all of them.
 */
export type PersonalData =
  /** Nothing of people, or only of those who work for the tenant. */
  | 'none'
  /** Rows of a person are exported and removed with the profile or the contact that they belong to. */
  | 'by_profile'
  | 'by_contact'
  /** Rows that name a person in a text: they are removed, or what they say is. */
  | 'by_mention'
  /** Numbers and keyed hashes that lead to nobody once the rest is gone; what they are needed for. */
  | { kept: string };

export const PERSONAL_DATA: Readonly<Record<string, PersonalData>> = {
  alert: 'none',
  anomaly: 'none',
  api_key: 'none',
  audit_chain: 'none',
  audit_event: { kept: 'proof of what was done; names profiles by number' },
  campaign: 'none',
  campaign_change: 'none',
  campaign_metric_daily: 'none',
  campaign_metric_intraday: 'none',
  cdp_event: 'by_profile',
  cdp_funnel: 'none',
  cdp_funnel_result: 'none',
  cdp_identity: 'by_profile',
  cdp_merge: 'by_profile',
  cdp_message: { kept: 'ids of events, by which repeated ones are known' },
  cdp_profile: 'by_profile',
  cdp_rejected_event: 'by_mention',
  cdp_rfm: 'by_profile',
  cdp_segment: 'none',
  cdp_segment_membership: 'by_profile',
  cms_post: 'none',
  cms_post_version: 'none',
  cms_site: 'none',
  competitor: 'none',
  competitor_ad: 'none',
  competitor_snapshot: 'none',
  cost_allocation: 'none',
  creative: 'none',
  creative_fatigue: 'none',
  creative_metric_daily: 'none',
  daily_score: 'none',
  dashboard_user: 'none',
  domain_event: 'by_mention',
  erased_person: { kept: 'keyed hashes, so that repeated events do not bring the person back' },
  event_source: 'none',
  event_source_note: 'none',
  forecast: 'none',
  forecast_accuracy: 'none',
  inbound_webhook_delivery: 'by_mention',
  operation: 'by_mention',
  operation_item: 'by_mention',
  outbound_webhook_attempt: 'by_mention',
  outbound_webhook_message: 'by_mention',
  pipeline_check: 'none',
  platform_account: 'none',
  platform_action: 'none',
  prediction: 'none',
  privacy_request: { kept: 'proof that the request was carried out; who it was about is removed' },
  processed_key: { kept: 'keys of work that was done once' },
  rule: 'none',
  rule_execution: 'none',
  saved_view: 'by_mention',
  shared_cost: 'none',
  subscription: 'none',
  sync_run: 'none',
  task_open: 'by_mention',
  task_run: 'by_mention',
  tenant_quota: 'none',
  tenant_use: 'none',
  usage_rollup: 'none',
  webhook_endpoint: 'none',
  whatsapp_account: 'none',
  whatsapp_contact: 'by_contact',
  whatsapp_identity: { kept: 'goes with its contact; keyed hashes of ids, and the ids encrypted' },
  whatsapp_message: 'by_contact',
  whatsapp_template: 'none',
};
