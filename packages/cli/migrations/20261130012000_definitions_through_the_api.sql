-- Rules, segments, funnels and shared costs are made, changed and removed through the API.

-- A removed rule keeps its row: what it did to campaigns still counts for the largest step of a day.
ALTER TABLE rule DROP CONSTRAINT rule_status_check,
  ADD CONSTRAINT rule_status_check CHECK (status IN ('draft', 'active', 'paused', 'removed'));
GRANT UPDATE (name) ON rule TO stratum_api;

ALTER TABLE cdp_segment_membership DROP CONSTRAINT cdp_segment_membership_tenant_id_segment_id_fkey,
  ADD CONSTRAINT cdp_segment_membership_tenant_id_segment_id_fkey
    FOREIGN KEY (tenant_id, segment_id) REFERENCES cdp_segment (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE cdp_funnel_result DROP CONSTRAINT cdp_funnel_result_tenant_id_funnel_id_fkey,
  ADD CONSTRAINT cdp_funnel_result_tenant_id_funnel_id_fkey
    FOREIGN KEY (tenant_id, funnel_id) REFERENCES cdp_funnel (tenant_id, id) ON DELETE CASCADE;
GRANT UPDATE (name), DELETE ON cdp_segment, cdp_funnel TO stratum_api;

GRANT SELECT, INSERT (tenant_id, name, month, currency, amount, spread_by), UPDATE (name, month, currency, amount, spread_by),
  DELETE ON shared_cost TO stratum_api;
