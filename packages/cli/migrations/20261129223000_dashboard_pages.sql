-- Failed runs by the fingerprint of their error, the most frequent first. `hours` counts them by hour, beginning with the hour of `since`.
CREATE FUNCTION failure_groups(scope text, since timestamptz, most integer)
  RETURNS TABLE (error_group text, task smallint, failures bigint, tenants bigint, first_at timestamptz, last_at timestamptz,
    error_type text, error_message text, worker integer, hours integer[])
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  WITH failed AS (
    SELECT run.error_group, run.task, run.tenant_id, run.worker, run.finished_at, run.error_type, run.error_message FROM public.task_run AS run
    WHERE run.error_group IS NOT NULL AND run.state = 2 AND run.finished_at >= since
      AND (scope = 'platform' OR run.tenant_id = nullif(scope, 'platform')::bigint)
  ), grouped AS (
    SELECT run.error_group, run.task, count(*) AS failures, count(DISTINCT run.tenant_id) AS tenants,
      min(run.finished_at) AS first_at, max(run.finished_at) AS last_at
    FROM failed AS run GROUP BY run.error_group, run.task ORDER BY count(*) DESC, max(run.finished_at) DESC LIMIT most
  )
  SELECT grouped.error_group::text, grouped.task, grouped.failures, grouped.tenants, grouped.first_at, grouped.last_at,
    latest.error_type, latest.error_message, latest.worker, by_hour.counts
  FROM grouped
  CROSS JOIN LATERAL (
    SELECT run.error_type, run.error_message, run.worker FROM failed AS run
    WHERE run.error_group = grouped.error_group AND run.task = grouped.task ORDER BY run.finished_at DESC LIMIT 1) AS latest
  CROSS JOIN LATERAL (
    SELECT array_agg(coalesce(counted.failures, 0)::integer ORDER BY hour) AS counts
    FROM generate_series(date_trunc('hour', since), now(), interval '1 hour') AS hour
    LEFT JOIN (SELECT date_trunc('hour', run.finished_at) AS at, count(*) AS failures FROM failed AS run
      WHERE run.error_group = grouped.error_group AND run.task = grouped.task GROUP BY 1) AS counted ON counted.at = hour) AS by_hour
  ORDER BY grouped.failures DESC, grouped.last_at DESC
$$;

REVOKE ALL ON FUNCTION failure_groups(text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION failure_groups(text, timestamptz, integer) TO stratum_dashboard;
GRANT SELECT ON audit_event TO stratum_dashboard;
