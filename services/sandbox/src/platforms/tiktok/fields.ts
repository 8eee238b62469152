/** Fields of TikTok's nodes in version 1.3, by its pages on /campaign/get/, /ad/get/ and /advertiser/info/. Every other one is refused. */
import { z } from 'zod';

export const CAMPAIGN_FIELDS = [
  'advertiser_id',
  'campaign_id',
  'campaign_system_origin',
  'create_time',
  'modify_time',
  'objective_type',
  'app_promotion_type',
  'virtual_objective_type',
  'sales_destination',
  'is_search_campaign',
  'is_smart_performance_campaign',
  'campaign_type',
  'app_id',
  'is_advanced_dedicated_campaign',
  'disable_skan_campaign',
  'bid_align_type',
  'campaign_app_profile_page_state',
  'rf_campaign_type',
  'campaign_product_source',
  'catalog_enabled',
  'campaign_name',
  'special_industries',
  'budget_optimize_on',
  'bid_type',
  'deep_bid_type',
  'roas_bid',
  'optimization_goal',
  'budget_mode',
  'budget',
  'rta_id',
  'rta_bid_enabled',
  'rta_product_selection_enabled',
  'operation_status',
  'secondary_status',
  'postback_window_mode',
  'is_new_structure',
  'objective',
] as const;

export const AD_FIELDS = [
  'advertiser_id',
  'campaign_id',
  'campaign_name',
  'adgroup_id',
  'adgroup_name',
  'ad_id',
  'ad_name',
  'ad_format',
  'ad_text',
  'call_to_action',
  'create_time',
  'modify_time',
  'image_ids',
  'video_id',
  'landing_page_url',
  'operation_status',
  'secondary_status',
] as const;

export const ADVERTISER_FIELDS = [
  'advertiser_id',
  'owner_bc_id',
  'status',
  'role',
  'name',
  'timezone',
  'display_timezone',
  'company',
  'industry',
  'address',
  'country',
  'advertiser_account_type',
  'currency',
  'language',
  'balance',
  'create_time',
] as const;

/** The list of fields that a request wants, as JSON; all of them without it. */
export const fieldsOf = (known: readonly string[]): z.ZodType<string[]> => z.array(z.enum(known));

/** Of a node, the fields that were asked for. */
export function chosen(
  node: Readonly<Record<string, unknown>>,
  fields: readonly string[] | undefined,
): object {
  if (fields === undefined) return node;
  return Object.fromEntries(Object.entries(node).filter(([name]) => fields.includes(name)));
}
