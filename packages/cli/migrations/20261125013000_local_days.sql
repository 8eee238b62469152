-- A day is over when it is over where the ad account is.

ALTER TABLE tenant ADD CONSTRAINT time_zone_is_known CHECK (to_timestamp(0) AT TIME ZONE time_zone IS NOT NULL);
ALTER TABLE platform_account ADD CONSTRAINT time_zone_is_known CHECK (to_timestamp(0) AT TIME ZONE time_zone IS NOT NULL);

-- Each tenant's last day that was over in all of its accounts. No more than that is told of a tenant.
CREATE FUNCTION last_complete_days(at timestamptz) RETURNS TABLE (tenant_id bigint, date date)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.id, coalesce(min((at AT TIME ZONE a.time_zone)::date), (at AT TIME ZONE t.time_zone)::date) - 1
  FROM public.tenant t LEFT JOIN public.platform_account a ON a.tenant_id = t.id AND a.status <> 'disconnected'
  WHERE t.deleted_at IS NULL GROUP BY t.id ORDER BY t.id
$$;

REVOKE ALL ON FUNCTION last_complete_days(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION last_complete_days(timestamptz) TO stratum_default_worker;
