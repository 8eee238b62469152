-- The API shows profiles and undoes merges.

GRANT SELECT ON cdp_profile, cdp_identity, cdp_merge TO stratum_api;
GRANT SELECT (tenant_id, profile_id, origin_profile_id, type, name, occurred_at, properties) ON cdp_event TO stratum_api;
GRANT UPDATE (profile_id, origin_profile_id) ON cdp_identity, cdp_event TO stratum_api;
GRANT UPDATE (traits, total_events, total_purchases, total_revenue, first_seen_at, last_seen_at, last_purchase_at, merged_into, user_ids, identities, kept_apart)
  ON cdp_profile TO stratum_api;
GRANT UPDATE (undone_at) ON cdp_merge TO stratum_api;
