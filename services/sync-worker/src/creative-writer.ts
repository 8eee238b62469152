/** Writes pages of creatives and of their daily figures, each in one statement and one short transaction. */
import { withTenant } from '@stratum/shared';
import type { CreativeMetricRecord, CreativeRecord } from '@stratum/connectors/ad-platforms';
import type { Pool } from 'pg';
import type { SyncAccount } from './accounts.js';

/** Rows in one statement. */
const BATCH_ROWS = 5_000;

export class CreativeWriter {
  constructor(
    private readonly pool: Pool,
    private readonly tenantId: number,
    private readonly account: Pick<SyncAccount, 'id'>,
    /** Marks what this sync has seen. */
    private readonly startedAt: Date,
  ) {}

  /** Creatives of campaigns that are not known wait for the next sync, which knows them. */
  async writeCreatives(creatives: readonly CreativeRecord[]): Promise<void> {
    await this.inBatches(UPSERT_CREATIVES, creatives, (batch) => [
      this.account.id,
      this.startedAt,
      batch.map((creative) => creative.campaignExternalId),
      batch.map((creative) => creative.externalId),
      batch.map((creative) => creative.name),
      batch.map((creative) => creative.kind),
      batch.map((creative) => creative.status),
    ]);
  }

  /** Marks creatives that a complete listing did not show: they are not shown to anybody any more. */
  async archiveUnlisted(): Promise<void> {
    await withTenant(this.pool, this.tenantId, (client) =>
      client.query(ARCHIVE_UNLISTED, [this.account.id, this.startedAt]),
    );
  }

  /** Figures of creatives that no listing showed are left out. Returns the number of rows that were written. */
  async writeMetrics(metrics: readonly CreativeMetricRecord[]): Promise<number> {
    return this.inBatches(UPSERT_METRICS, metrics, (batch) => [
      this.account.id,
      batch.map((metric) => metric.creativeExternalId),
      batch.map((metric) => metric.date),
      batch.map((metric) => metric.impressions),
      batch.map((metric) => metric.clicks),
      batch.map((metric) => metric.spend),
      batch.map((metric) => metric.conversions),
      batch.map((metric) => metric.revenue),
      batch.map((metric) => metric.frequency),
    ]);
  }

  private async inBatches<Item>(
    statement: string,
    items: readonly Item[],
    parameters: (batch: readonly Item[]) => unknown[],
  ): Promise<number> {
    let written = 0;
    for (let first = 0; first < items.length; first += BATCH_ROWS) {
      const batch = items.slice(first, first + BATCH_ROWS);
      const { rowCount } = await withTenant(this.pool, this.tenantId, (client) =>
        client.query(statement, parameters(batch)),
      );
      written += rowCount ?? 0;
    }
    return written;
  }
}

/** A page that names an ad twice counts once. */
const UPSERT_CREATIVES = `
  INSERT INTO creative AS target (tenant_id, campaign_id, external_id, name, type, status, last_synced_at)
  SELECT DISTINCT ON (c.id, row.external_id) c.tenant_id, c.id, row.external_id, row.name, row.type, row.status, $2
  FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS row (campaign, external_id, name, type, status)
  JOIN campaign c ON c.tenant_id = current_tenant() AND c.account_id = $1 AND c.external_id = row.campaign
  ON CONFLICT (tenant_id, campaign_id, external_id) DO UPDATE SET
    name = excluded.name, type = excluded.type, status = excluded.status, last_synced_at = excluded.last_synced_at`;

const ARCHIVE_UNLISTED = `
  UPDATE creative SET status = 'archived'
  FROM campaign c
  WHERE creative.tenant_id = current_tenant() AND c.tenant_id = creative.tenant_id AND c.id = creative.campaign_id
    AND c.account_id = $1 AND creative.status <> 'archived'
    AND (creative.last_synced_at IS NULL OR creative.last_synced_at < $2)`;

const UPSERT_METRICS = `
  INSERT INTO creative_metric_daily AS target
    (tenant_id, creative_id, date, impressions, clicks, spend, conversions, revenue, frequency)
  SELECT DISTINCT ON (known.id, row.date) known.tenant_id, known.id, row.date, row.impressions, row.clicks, row.spend, row.conversions, row.revenue, row.frequency
  FROM unnest($2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[])
    AS row (external_id, date, impressions, clicks, spend, conversions, revenue, frequency)
  JOIN (
    SELECT creative.tenant_id, creative.id, creative.external_id FROM creative
    JOIN campaign c ON c.tenant_id = creative.tenant_id AND c.id = creative.campaign_id
    WHERE creative.tenant_id = current_tenant() AND c.account_id = $1
  ) known ON known.external_id = row.external_id
  ON CONFLICT (tenant_id, creative_id, date) DO UPDATE SET
    impressions = excluded.impressions, clicks = excluded.clicks, spend = excluded.spend, conversions = excluded.conversions,
    revenue = excluded.revenue, frequency = excluded.frequency
  WHERE (target.impressions, target.clicks, target.spend, target.conversions, target.revenue, target.frequency)
    IS DISTINCT FROM (excluded.impressions, excluded.clicks, excluded.spend, excluded.conversions, excluded.revenue, excluded.frequency)`;
