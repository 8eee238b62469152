-- Those who run the platform change the name, plan and time zone of a tenant through the API. What is NULL stays.
CREATE FUNCTION change_tenant(wanted bigint, new_name text, new_plan text, new_zone text) RETURNS SETOF tenant
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE public.tenant SET name = coalesce(new_name, name), plan = coalesce(new_plan, plan), time_zone = coalesce(new_zone, time_zone)
  WHERE id = wanted AND id > 0 AND erased_at IS NULL RETURNING *
$$;
REVOKE ALL ON FUNCTION change_tenant(bigint, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION change_tenant(bigint, text, text, text) TO stratum_api;
