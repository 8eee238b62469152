-- A deleted tenant does nothing any more, can be restored for a grace time, and is then erased.

ALTER TABLE tenant
  -- When its data may be erased. Empty for one that was deleted before there was a grace time: delete it again to set one.
  ADD COLUMN erase_after timestamptz,
  -- The row itself stays, without a name, so that its id is never given again and late messages of it find it closed.
  ADD COLUMN erased_at timestamptz,
  ADD CHECK (erased_at IS NULL OR deleted_at IS NOT NULL);

-- What every process knows of all tenants: which of them are closed.
CREATE FUNCTION closed_tenants() RETURNS TABLE (tenant_id bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT id FROM public.tenant WHERE deleted_at IS NOT NULL AND id > 0 $$;

-- Those who run the platform see all tenants through the API, with a key of the platform.
CREATE FUNCTION all_tenants() RETURNS SETOF tenant
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM public.tenant WHERE id > 0 ORDER BY id $$;

-- Deletes a tenant, or changes the end of its grace time. No row: there is none, or it has been erased.
CREATE FUNCTION delete_tenant(wanted bigint, grace interval) RETURNS SETOF tenant
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE public.tenant SET deleted_at = coalesce(deleted_at, now()), erase_after = now() + greatest(grace, interval '0')
  WHERE id = wanted AND id > 0 AND erased_at IS NULL RETURNING *
$$;

-- No row: there is none, it has been erased, or its erasure has begun.
CREATE FUNCTION restore_tenant(wanted bigint) RETURNS SETOF tenant
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE public.tenant SET deleted_at = NULL, erase_after = NULL
  WHERE id = wanted AND id > 0 AND erased_at IS NULL AND (erase_after IS NULL OR erase_after > now()) RETURNING *
$$;

-- The relay publishes nothing for a closed tenant; if it is restored, what waits follows.
CREATE OR REPLACE FUNCTION unpublished_domain_events(most integer) RETURNS TABLE (id bigint, tenant_id bigint, type text, data jsonb, occurred_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT event.id, event.tenant_id, event.type, event.data, event.occurred_at FROM public.domain_event AS event
  JOIN public.tenant AS tenant ON tenant.id = event.tenant_id AND tenant.deleted_at IS NULL
  WHERE event.published_at IS NULL ORDER BY event.id LIMIT most
$$;

-- A task that names a segment or a funnel alone is no way round the gate.
CREATE OR REPLACE FUNCTION tenant_of_segment(segment bigint) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT known.tenant_id FROM public.cdp_segment AS known
  JOIN public.tenant AS tenant ON tenant.id = known.tenant_id AND tenant.deleted_at IS NULL WHERE known.id = segment
$$;
CREATE OR REPLACE FUNCTION tenant_of_funnel(funnel bigint) RETURNS bigint
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT known.tenant_id FROM public.cdp_funnel AS known
  JOIN public.tenant AS tenant ON tenant.id = known.tenant_id AND tenant.deleted_at IS NULL WHERE known.id = funnel
$$;

REVOKE ALL ON FUNCTION closed_tenants(), all_tenants(), delete_tenant(bigint, interval), restore_tenant(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION closed_tenants() TO stratum_sync_worker, stratum_default_worker, stratum_rules_worker, stratum_intel_worker,
  stratum_ml_worker, stratum_cdp_worker, stratum_api, stratum_scheduler;
GRANT EXECUTE ON FUNCTION all_tenants(), delete_tenant(bigint, interval), restore_tenant(bigint) TO stratum_api;
