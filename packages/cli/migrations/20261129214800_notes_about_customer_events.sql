-- What was changed or guessed about events of a source, and why others were refused: counts, one row for each reason. Reasons are fixed texts, so there
-- are few rows.
CREATE TABLE event_source_note (
  tenant_id  bigint NOT NULL REFERENCES tenant,
  -- 0: services of the platform.
  source_id  bigint NOT NULL,
  outcome    text NOT NULL CHECK (outcome IN ('repaired', 'rejected')),
  field      text NOT NULL,
  message    text NOT NULL,
  events     bigint NOT NULL,
  first_at   timestamptz NOT NULL,
  last_at    timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, source_id, outcome, field, message)
);
SELECT isolate_tenants('event_source_note');
GRANT SELECT ON event_source_note TO stratum_api;
GRANT SELECT, INSERT, UPDATE ON event_source_note TO stratum_cdp_worker;

-- When the event happened that said each trait, in milliseconds since 1970: an older event that arrives late changes no newer trait. A trait without a
-- time is older than any.
ALTER TABLE cdp_profile ADD COLUMN trait_times jsonb NOT NULL DEFAULT '{}';
ALTER TABLE cdp_merge ADD COLUMN trait_times_before jsonb NOT NULL DEFAULT '{}';

-- E-mail addresses of a profile, beside its users: both bound what a device may join.
ALTER TABLE cdp_profile ADD COLUMN addresses integer NOT NULL DEFAULT 0;
UPDATE cdp_profile p SET addresses = found.addresses
  FROM (SELECT tenant_id, profile_id, count(*)::int AS addresses FROM cdp_identity WHERE type = 'email' GROUP BY 1, 2) found
  WHERE p.tenant_id = found.tenant_id AND p.id = found.profile_id;

GRANT UPDATE (trait_times, addresses) ON cdp_profile TO stratum_cdp_worker, stratum_api;

-- Traits with those of another origin: of each the newer, and of two of one time the new one if `ties` says so.
CREATE FUNCTION merge_traits(old jsonb, old_times jsonb, new jsonb, new_times jsonb, ties boolean, OUT traits jsonb, OUT times jsonb)
  LANGUAGE sql IMMUTABLE
AS $$
  SELECT old || coalesce(jsonb_object_agg(n.key, n.value), '{}'),
    old_times || coalesce(jsonb_object_agg(n.key, new_times -> n.key) FILTER (WHERE new_times -> n.key IS NOT NULL), '{}')
  FROM jsonb_each(new) n
  WHERE NOT jsonb_exists(old, n.key)
    OR coalesce((new_times ->> n.key)::numeric, -1) > coalesce((old_times ->> n.key)::numeric, -1)
    OR ties AND coalesce((new_times ->> n.key)::numeric, -1) = coalesce((old_times ->> n.key)::numeric, -1)
$$;
REVOKE ALL ON FUNCTION merge_traits(jsonb, jsonb, jsonb, jsonb, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merge_traits(jsonb, jsonb, jsonb, jsonb, boolean) TO stratum_cdp_worker;
