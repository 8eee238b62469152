-- Tenants in the dashboard: what each does, and what it uses of its limits.

GRANT SELECT (id, name, plan, deleted_at) ON tenant TO stratum_dashboard;
GRANT SELECT, INSERT, UPDATE ON tenant_quota TO stratum_dashboard;
GRANT SELECT ON tenant_use TO stratum_dashboard;
GRANT SELECT (tenant_id, revoked_at, expires_at) ON api_key TO stratum_dashboard;
GRANT SELECT (tenant_id, status) ON event_source TO stratum_dashboard;

-- One row for each tenant: what runs and waits for a retry now, and what ended within a day; those that kept workers busiest first.
CREATE FUNCTION tenant_overview(most integer)
  RETURNS TABLE (tenant_id bigint, name text, plan text, running bigint, retrying bigint, ended bigint, failed bigint, run_ms bigint, last_end timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH day AS (
    SELECT run.tenant_id, count(*) AS ended, count(*) FILTER (WHERE run.state = 2) AS failed, sum(run.runtime_ms)::bigint AS run_ms, max(run.finished_at) AS last_end
    FROM public.task_run AS run WHERE run.finished_at > now() - interval '1 day' GROUP BY run.tenant_id
  ), now_open AS (
    SELECT run.tenant_id, count(*) FILTER (WHERE run.state = 5) AS running, count(*) FILTER (WHERE run.state = 6) AS retrying
    FROM public.task_open AS run GROUP BY run.tenant_id
  )
  SELECT t.id, t.name, t.plan, coalesce(o.running, 0), coalesce(o.retrying, 0), coalesce(d.ended, 0), coalesce(d.failed, 0), coalesce(d.run_ms, 0), d.last_end
  FROM public.tenant t LEFT JOIN day d ON d.tenant_id = t.id LEFT JOIN now_open o ON o.tenant_id = t.id
  WHERE t.id > 0 AND public.is_open(t) ORDER BY coalesce(d.run_ms, 0) DESC, coalesce(o.running, 0) DESC, t.id LIMIT most
$$;

-- The tasks of a tenant by the time that they took within a day.
CREATE FUNCTION tenant_tasks(tenant bigint, most integer)
  RETURNS TABLE (task smallint, ended bigint, failed bigint, run_ms bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT run.task, count(*), count(*) FILTER (WHERE run.state = 2), coalesce(sum(run.runtime_ms), 0)::bigint
  FROM public.task_run AS run WHERE run.tenant_id = tenant AND run.finished_at > now() - interval '1 day' GROUP BY run.task ORDER BY 4 DESC LIMIT most
$$;

REVOKE ALL ON FUNCTION tenant_overview(integer), tenant_tasks(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_overview(integer), tenant_tasks(bigint, integer) TO stratum_dashboard;
