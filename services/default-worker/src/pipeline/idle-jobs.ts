/** Jobs that have nothing to read for a tenant. They are no fault: a tenant need not use them all. */
import type { Queryable } from '@stratum/shared';

interface IdleJob {
  job: string;
  /** What it has no source for, and where one is made. */
  reason: string;
}

/** Each job, what it reads in words, and SQL that finds some of it. */
const SOURCES: readonly (readonly [job: string, reason: string, source: string])[] = [
  [
    'sync_all_campaigns',
    'no ad account is connected: /v1/accounts, stratum accounts connect',
    "platform_account WHERE status = 'connected'",
  ],
  [
    'calculate_fatigue_scores',
    'no metrics of creatives within 8 days: connected accounts bring them',
    'creative_metric_daily WHERE date >= $1::date - 8',
  ],
  ['evaluate_all_rules', 'no rule is active: /v1/rules, stratum rules save', "rule WHERE status = 'active'"],
  [
    'refresh_all_competitors',
    'no competitor is active: /v1/competitors, stratum competitors add',
    "competitor WHERE status = 'active'",
  ],
  [
    'compute_all_cdp_segments',
    'there is no segment: /v1/segments, stratum segments save',
    'cdp_segment WHERE true',
  ],
  [
    'compute_all_cdp_funnels',
    'there is no funnel: /v1/funnels, stratum funnels save',
    'cdp_funnel WHERE true',
  ],
  [
    'process_scheduled_whatsapp',
    'no WhatsApp number is active: /v1/whatsapp/accounts, stratum whatsapp add-account',
    "whatsapp_account WHERE status = 'active'",
  ],
  [
    'publish_scheduled_cms_posts',
    'there is no post: /v1/cms/posts, stratum cms add-post',
    'cms_post WHERE true',
  ],
];

/** Inside the caller's transaction, as the tenant, connected as the default worker. */
export async function readIdleJobs(client: Queryable, at: Date): Promise<IdleJob[]> {
  const columns = SOURCES.map(
    ([job, , source]) => `EXISTS (SELECT FROM ${source} AND tenant_id = current_tenant()) AS ${job}`,
  );
  const { rows } = await client.query<Record<string, boolean>>(
    `SELECT $1::date AS at, ${columns.join(', ')}`,
    [at],
  );
  return SOURCES.filter(([job]) => rows[0]?.[job] === false).map(([job, reason]) => ({ job, reason }));
}
