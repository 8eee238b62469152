-- A job that has nothing to read for a tenant says so in the check of its pipeline.
ALTER TABLE pipeline_check ADD COLUMN idle_jobs jsonb NOT NULL DEFAULT '[]';
GRANT SELECT (tenant_id, status) ON competitor, rule TO stratum_default_worker;
GRANT SELECT (tenant_id) ON cdp_segment, cdp_funnel TO stratum_default_worker;
