-- The sync writes creatives and their daily figures.
ALTER TABLE creative ADD COLUMN last_synced_at timestamptz;
ALTER TABLE creative DROP CONSTRAINT creative_type_check;
ALTER TABLE creative ADD CONSTRAINT creative_type_check CHECK (type IN ('image', 'video', 'carousel', 'text', 'other'));

ALTER TABLE platform_account ADD COLUMN creatives_synced_at timestamptz;

GRANT UPDATE (creatives_synced_at) ON platform_account TO stratum_sync_worker;
GRANT SELECT, INSERT, UPDATE ON creative, creative_metric_daily TO stratum_sync_worker;
