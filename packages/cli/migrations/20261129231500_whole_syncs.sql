-- What a sync knows of an account: the days that it has read, when it last read the whole attribution window, and whether its sums are the platform's own.

ALTER TABLE platform_account
  -- The first day whose figures have been read: from here on a campaign without a row has none to report.
  ADD COLUMN covered_since date,
  -- The last reading of the platform's whole attribution window.
  ADD COLUMN attributed_at timestamptz;

UPDATE platform_account a SET covered_since = first.since
FROM (SELECT tenant_id, account_id, min(window_since) AS since FROM sync_run WHERE outcome = 'succeeded' GROUP BY 1, 2) first
WHERE (a.tenant_id, a.id) = (first.tenant_id, first.account_id);

GRANT UPDATE (covered_since, attributed_at) ON platform_account TO stratum_sync_worker;

-- A campaign's figures of a day as they were at each sync of that day: what "the same hours of yesterday" are. Kept for three days.
CREATE TABLE campaign_metric_intraday (
  tenant_id    bigint NOT NULL,
  campaign_id  bigint NOT NULL,
  date         date NOT NULL,
  read_at      timestamptz NOT NULL,
  impressions  bigint NOT NULL,
  clicks       bigint NOT NULL,
  reach        bigint,
  spend        numeric(20, 6) NOT NULL,
  conversions  numeric(20, 6) NOT NULL,
  revenue      numeric(20, 6),
  PRIMARY KEY (tenant_id, campaign_id, date, read_at),
  FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaign (tenant_id, id)
);
SELECT isolate_tenants('campaign_metric_intraday');
GRANT SELECT, INSERT, DELETE ON campaign_metric_intraday TO stratum_sync_worker;
GRANT SELECT ON campaign_metric_intraday TO stratum_rules_worker;

GRANT SELECT, INSERT ON alert TO stratum_sync_worker;
GRANT UPDATE (closed_at, close_reason) ON alert TO stratum_sync_worker;
