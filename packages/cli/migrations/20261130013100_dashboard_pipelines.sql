-- What the page of pipelines shows: accounts without their credentials, their syncs, checks and alerts, and the runs of each job.

GRANT SELECT (tenant_id, id, platform, external_id, status, last_synced_at, token_expires_at, last_error) ON platform_account TO stratum_dashboard;
GRANT SELECT (tenant_id, id, account_id, status) ON campaign TO stratum_dashboard;
GRANT SELECT (tenant_id, campaign_id, date) ON campaign_metric_daily TO stratum_dashboard;
GRANT SELECT ON sync_run, pipeline_check, alert TO stratum_dashboard;

-- One row for each tenant of the scope: its accounts, its newest check, its open alerts.
CREATE FUNCTION pipeline_overview(scope text, most integer)
  RETURNS TABLE (tenant_id bigint, name text, accounts jsonb, status text, checked_at timestamptz, findings jsonb, alerts bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT tenant.id, tenant.name, coalesce(account.list, '[]'), latest.status, latest.checked_at, coalesce(latest.findings, '[]'), open.alerts
  FROM public.tenant
  CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('platform', a.platform, 'status', a.status, 'last_synced_at', a.last_synced_at)
      ORDER BY a.platform, a.external_id) AS list
    FROM public.platform_account a WHERE a.tenant_id = tenant.id AND a.status <> 'disconnected') AS account
  LEFT JOIN LATERAL (
    SELECT c.status, c.checked_at, c.findings FROM public.pipeline_check c WHERE c.tenant_id = tenant.id ORDER BY c.checked_at DESC LIMIT 1) AS latest ON true
  CROSS JOIN LATERAL (SELECT count(*) AS alerts FROM public.alert WHERE alert.tenant_id = tenant.id AND alert.closed_at IS NULL) AS open
  WHERE tenant.id > 0 AND tenant.deleted_at IS NULL AND (scope = 'platform' OR tenant.id = nullif(scope, 'platform')::bigint)
  ORDER BY array_position(ARRAY['critical', 'degraded'], latest.status) NULLS LAST, open.alerts DESC, tenant.id LIMIT most
$$;

-- Of each task of a tenant: its last success, its last end, and the failures of a day.
CREATE FUNCTION tenant_jobs(tenant bigint, since timestamptz)
  RETURNS TABLE (task smallint, last_success timestamptz, last_end timestamptz, last_state smallint, failed bigint, ended bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT run.task, max(run.finished_at) FILTER (WHERE run.state = 1), max(run.finished_at),
    (array_agg(run.state ORDER BY run.finished_at DESC))[1],
    count(*) FILTER (WHERE run.state = 2 AND run.finished_at > now() - interval '1 day'),
    count(*) FILTER (WHERE run.finished_at > now() - interval '1 day')
  FROM public.task_run AS run WHERE run.tenant_id = tenant AND run.finished_at >= since GROUP BY run.task
$$;

REVOKE ALL ON FUNCTION pipeline_overview(text, integer), tenant_jobs(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pipeline_overview(text, integer), tenant_jobs(bigint, timestamptz) TO stratum_dashboard;
