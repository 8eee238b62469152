/** Writes pages of campaigns and metrics, each in one statement and one short transaction. */
import { recordDomainEvents, withTenant } from '@stratum/shared';
import type { CampaignRecord, DailyMetricRecord } from '@stratum/connectors/ad-platforms';
import type { Pool, PoolClient } from 'pg';
import type { SyncAccount } from './accounts.js';
import { campaignEvents, type CampaignFields } from './campaign-events.js';

/** Rows in one statement: few round trips, and a lock held for tens of milliseconds. */
const BATCH_ROWS = 5_000;

export class CampaignWriter {
  /** Database ids by the platform's. */
  private readonly ids = new Map<string, string>();
  private readonly months = new Set<string>();
  /** Days of campaigns that this sync has figures of. */
  private readonly reported = new Map<string, Set<string>>();
  /** Known campaigns whose daily budget has changed. */
  readonly rebudgeted: string[] = [];

  constructor(
    private readonly pool: Pool,
    private readonly tenantId: number,
    private readonly account: Pick<SyncAccount, 'id' | 'currency' | 'platform'>,
    /** Marks what this sync has seen. */
    private readonly startedAt: Date,
  ) {}

  /** Returns how many campaigns are new or changed. Changes of known ones become events in the same transaction. */
  async writeCampaigns(campaigns: readonly CampaignRecord[]): Promise<number> {
    if (campaigns.length === 0) return 0;
    const rows = await withTenant(this.pool, this.tenantId, async (client) => {
      const written = await this.upsertCampaigns(client, campaigns);
      await this.tell(client, written);
      return written;
    });
    for (const { id, external_id: externalId, before, after } of rows) {
      this.ids.set(externalId, id);
      if (before !== null && before.daily_budget !== after.daily_budget) this.rebudgeted.push(id);
    }
    return rows.filter(({ changed }) => changed).length;
  }

  /** Marks campaigns that a complete listing did not show. Returns how many. */
  async markRemoved(): Promise<number> {
    return withTenant(this.pool, this.tenantId, async (client) => {
      const { rows } = await client.query<WrittenCampaign>(MARK_REMOVED, [
        this.tenantId,
        this.account.id,
        this.startedAt,
      ]);
      await this.tell(client, rows);
      return rows.length;
    });
  }

  private async tell(client: PoolClient, campaigns: readonly WrittenCampaign[]): Promise<void> {
    const { platform, currency } = this.account;
    const events = campaigns.flatMap(({ id, external_id: externalId, before, after }) =>
      before === null
        ? []
        : campaignEvents({ id, externalId, platform, currency, before, after }, this.startedAt),
    );
    await recordDomainEvents(client, events);
  }

  /** Returns how many rows are new or changed. A campaign that was not listed, because it was deleted, gets a place for its figures. */
  async writeMetrics(metrics: readonly DailyMetricRecord[]): Promise<number> {
    await this.findUnlisted(metrics);
    await this.ensurePartitions(metrics);
    for (const { campaignExternalId: id, date } of metrics) {
      const campaigns = this.reported.get(date);
      if (campaigns === undefined) this.reported.set(date, new Set([id]));
      else campaigns.add(id);
    }
    let written = 0;
    for (let first = 0; first < metrics.length; first += BATCH_ROWS) {
      const batch = metrics.slice(first, first + BATCH_ROWS);
      written += await withTenant(this.pool, this.tenantId, (client) => this.upsertMetrics(client, batch));
    }
    return written;
  }

  /** Sets figures of a day to zero that the platform reported once and reports no more. */
  async clearUnreported(date: string): Promise<void> {
    await withTenant(this.pool, this.tenantId, (client) =>
      client.query(CLEAR_UNREPORTED, [this.account.id, date, [...(this.reported.get(date) ?? [])]]),
    );
  }

  private async findUnlisted(metrics: readonly DailyMetricRecord[]): Promise<void> {
    const names = new Map<string, string>();
    for (const { campaignExternalId: id, campaignName } of metrics)
      if (!this.ids.has(id)) names.set(id, campaignName ?? id);
    if (names.size === 0) return;
    const { rows } = await withTenant(this.pool, this.tenantId, (client) =>
      client.query<{ id: string; external_id: string }>(INSERT_UNLISTED, [
        this.tenantId,
        this.account.id,
        this.startedAt,
        this.account.currency,
        [...names.keys()],
        [...names.values()],
      ]),
    );
    for (const { id, external_id: externalId } of rows) this.ids.set(externalId, id);
  }

  /** An unchanged campaign only gets its `last_synced_at`; `changed` distinguishes the two. */
  private async upsertCampaigns(
    client: PoolClient,
    campaigns: readonly CampaignRecord[],
  ): Promise<WrittenCampaign[]> {
    const { rows } = await client.query<WrittenCampaign>(UPSERT_CAMPAIGNS, [
      this.tenantId,
      this.account.id,
      this.startedAt,
      this.account.currency,
      campaigns.map((campaign) => campaign.externalId),
      campaigns.map((campaign) => campaign.name),
      campaigns.map((campaign) => campaign.status),
      campaigns.map((campaign) => campaign.platformStatus),
      campaigns.map((campaign) => campaign.objective),
      campaigns.map((campaign) => campaign.dailyBudget),
      campaigns.map((campaign) => campaign.lifetimeBudget),
      campaigns.map((campaign) => campaign.startedAt),
    ]);
    return rows;
  }

  private async upsertMetrics(client: PoolClient, metrics: readonly DailyMetricRecord[]): Promise<number> {
    const { rowCount } = await client.query(UPSERT_METRICS, [
      this.tenantId,
      this.account.currency,
      metrics.map((metric) => this.ids.get(metric.campaignExternalId)),
      metrics.map((metric) => metric.date),
      metrics.map((metric) => metric.impressions),
      metrics.map((metric) => metric.clicks),
      metrics.map((metric) => metric.reach),
      metrics.map((metric) => metric.spend),
      metrics.map((metric) => metric.conversions),
      metrics.map((metric) => metric.revenue),
    ]);
    return rowCount ?? 0;
  }

  private async ensurePartitions(metrics: readonly DailyMetricRecord[]): Promise<void> {
    for (const { date } of metrics) {
      const month = `${date.slice(0, 7)}-01`;
      if (this.months.has(month)) continue;
      await withTenant(this.pool, this.tenantId, (client) =>
        client.query('SELECT ensure_metric_partition($1)', [month]),
      );
      this.months.add(month);
    }
  }
}

interface WrittenCampaign {
  id: string;
  external_id: string;
  changed: boolean;
  /** `null`: it was not known, or is as it was. */
  before: CampaignFields | null;
  after: CampaignFields;
}

/** Budgets as text, so that they keep every digit. */
const fieldsOf = (row: string): string =>
  `jsonb_build_object('name', ${row}.name, 'status', ${row}.status,
     'daily_budget', trim_scale(${row}.daily_budget)::text, 'lifetime_budget', trim_scale(${row}.lifetime_budget)::text)`;

const MARK_REMOVED = `
  UPDATE campaign AS c SET status = 'removed', removed_at = now()
  FROM (SELECT tenant_id, id, name, status, daily_budget, lifetime_budget FROM campaign
        WHERE tenant_id = $1 AND account_id = $2 AND removed_at IS NULL AND last_synced_at < $3 FOR UPDATE) before
  WHERE c.tenant_id = before.tenant_id AND c.id = before.id
  RETURNING c.id, c.external_id, true AS changed, ${fieldsOf('before')} AS before, ${fieldsOf('c')} AS after`;

const UPSERT_CAMPAIGNS = `
  WITH incoming AS (
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::numeric[], $11::numeric[], $12::timestamptz[])
      AS row (external_id, name, status, platform_status, objective, daily_budget, lifetime_budget, started_at)
  ), before AS (
    SELECT external_id, name, status, platform_status, objective, daily_budget, lifetime_budget, started_at, removed_at
    FROM campaign WHERE tenant_id = $1 AND account_id = $2 AND external_id = ANY ($5)
  ), written AS (
    INSERT INTO campaign AS target (tenant_id, account_id, external_id, name, status, platform_status, objective, currency,
                                    daily_budget, lifetime_budget, started_at, last_synced_at)
    SELECT $1, $2, external_id, name, status, platform_status, objective, $4, daily_budget, lifetime_budget, started_at, $3
    FROM incoming
    ON CONFLICT (tenant_id, account_id, external_id) DO UPDATE SET
      name = excluded.name, status = excluded.status, platform_status = excluded.platform_status,
      objective = excluded.objective, daily_budget = excluded.daily_budget, lifetime_budget = excluded.lifetime_budget,
      started_at = excluded.started_at, last_synced_at = excluded.last_synced_at, removed_at = NULL
    RETURNING id, external_id
  )
  SELECT id, external_id, is_new OR differs AS changed, CASE WHEN differs AND NOT is_new THEN before END AS before, after
  FROM (
    SELECT written.id, written.external_id, before.external_id IS NULL AS is_new, ${fieldsOf('before')} AS before, ${fieldsOf('incoming')} AS after,
      (before.name, before.status, before.platform_status, before.objective, before.daily_budget, before.lifetime_budget, before.started_at, before.removed_at)
      IS DISTINCT FROM
      (incoming.name, incoming.status, incoming.platform_status, incoming.objective, incoming.daily_budget, incoming.lifetime_budget, incoming.started_at, NULL::timestamptz)
      AS differs
    FROM written JOIN incoming USING (external_id) LEFT JOIN before USING (external_id)
  ) compared`;

/** Known ones keep what is known of them. */
const INSERT_UNLISTED = `
  WITH wanted AS (
    SELECT * FROM unnest($5::text[], $6::text[]) AS row (external_id, name)
  ), added AS (
    INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at, removed_at)
    SELECT $1, $2, external_id, name, 'removed', 'UNLISTED', $4, $3, $3 FROM wanted
    ON CONFLICT (tenant_id, account_id, external_id) DO NOTHING
    RETURNING id, external_id
  )
  SELECT id, external_id FROM added
  UNION ALL
  SELECT id, external_id FROM campaign WHERE tenant_id = $1 AND account_id = $2 AND external_id = ANY ($5)`;

const CLEAR_UNREPORTED = `
  UPDATE campaign_metric_daily m
  SET impressions = 0, clicks = 0, reach = NULL, spend = 0, updated_at = now(),
    conversions = CASE WHEN m.conversions IS NOT NULL THEN 0 END, revenue = CASE WHEN m.revenue IS NOT NULL THEN 0 END
  FROM campaign c
  WHERE c.tenant_id = current_tenant() AND c.account_id = $1 AND m.tenant_id = c.tenant_id AND m.campaign_id = c.id
    AND m.date = $2 AND NOT c.external_id = ANY ($3::text[])`;

const UPSERT_METRICS = `
  INSERT INTO campaign_metric_daily AS target
    (tenant_id, campaign_id, date, currency, impressions, clicks, reach, spend, conversions, revenue)
  SELECT $1, campaign_id, date, $2, impressions, clicks, reach, spend, conversions, revenue
  FROM unnest($3::bigint[], $4::date[], $5::bigint[], $6::bigint[], $7::bigint[], $8::numeric[], $9::numeric[], $10::numeric[])
    AS row (campaign_id, date, impressions, clicks, reach, spend, conversions, revenue)
  ON CONFLICT (tenant_id, campaign_id, date) DO UPDATE SET
    currency = excluded.currency, impressions = excluded.impressions, clicks = excluded.clicks, reach = excluded.reach,
    spend = excluded.spend, conversions = excluded.conversions, revenue = excluded.revenue, updated_at = now()
  WHERE (target.currency, target.impressions, target.clicks, target.reach, target.spend, target.conversions, target.revenue)
    IS DISTINCT FROM
    (excluded.currency, excluded.impressions, excluded.clicks, excluded.reach, excluded.spend, excluded.conversions, excluded.revenue)`;
