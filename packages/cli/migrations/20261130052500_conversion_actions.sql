-- What counts as a conversion is by the objective of each campaign, or by the account's own choice; conversions that nobody knows are NULL.

ALTER TABLE platform_account ADD COLUMN conversion_actions text[]
  CHECK (cardinality(conversion_actions) BETWEEN 1 AND 20 AND array_position(conversion_actions, NULL) IS NULL);
COMMENT ON COLUMN platform_account.conversion_actions IS 'As the platform names them. NULL: by the objective of each campaign.';
-- A choice has the attribution window and the creatives read again.
GRANT SELECT (conversion_actions), UPDATE (conversion_actions, attributed_at, creatives_synced_at) ON platform_account TO stratum_api;

ALTER TABLE campaign_metric_daily ALTER COLUMN conversions DROP NOT NULL;
ALTER TABLE campaign_metric_intraday ALTER COLUMN conversions DROP NOT NULL;
ALTER TABLE creative_metric_daily ALTER COLUMN conversions DROP NOT NULL;
