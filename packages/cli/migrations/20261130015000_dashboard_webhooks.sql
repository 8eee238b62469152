-- Webhooks of both directions in the dashboard: without secrets, bodies and what events say.

GRANT SELECT (tenant_id, id, token, source, name, settings, status, created_at, rotated_at, previous_until, removed_at) ON webhook_endpoint TO stratum_dashboard;
GRANT UPDATE (name, status, settings) ON webhook_endpoint TO stratum_dashboard;
GRANT SELECT (tenant_id, id, endpoint_id, dedup_key, type, received_at, state, processed_at, effect, tasks, error, replays, last_replayed_at)
  ON inbound_webhook_delivery TO stratum_dashboard;
GRANT SELECT (tenant_id, id, url, event_types, description, status, status_reason, status_changed_at, consecutive_failures, first_failed_at, previous_until, created_at)
  ON subscription TO stratum_dashboard;
GRANT UPDATE (status, status_reason, status_changed_at, consecutive_failures, first_failed_at, throttled_until) ON subscription TO stratum_dashboard;
GRANT SELECT, INSERT ON outbound_webhook_message TO stratum_dashboard;
GRANT UPDATE (state, tries, next_attempt_at, claim, claimed_until, finished_at) ON outbound_webhook_message TO stratum_dashboard;
GRANT SELECT ON outbound_webhook_attempt TO stratum_dashboard;
GRANT SELECT (tenant_id, id, type, occurred_at, published_at) ON domain_event TO stratum_dashboard;
-- Of a subscription that is resumed.
GRANT UPDATE (closed_at, close_reason) ON alert TO stratum_dashboard;

-- Endpoints that receive and subscriptions that send, with what became of their events in a day: those with failures first. Of an address only its
-- host: the rest may hold a secret.
CREATE FUNCTION webhook_overview(scope text, most integer)
  RETURNS TABLE (direction text, tenant_id bigint, tenant text, id text, name text, kind text, status text, reason text, waiting bigint, done bigint, failed bigint,
    ignored bigint, last_at timestamptz, last_success timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH mine AS (
    SELECT t.id, t.name FROM public.tenant t WHERE t.id > 0 AND t.deleted_at IS NULL AND (scope = 'platform' OR t.id = nullif(scope, 'platform')::bigint)
  ), both_ways AS (
    SELECT 'in' AS direction, e.tenant_id, mine.name AS tenant, e.id, e.name, e.source AS kind, e.status, NULL::text AS reason, d.waiting, d.done, d.failed,
      d.ignored, d.last_at, d.last_success
    FROM public.webhook_endpoint e JOIN mine ON mine.id = e.tenant_id
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE state = 'received') AS waiting, count(*) FILTER (WHERE state = 'processed') AS done,
        count(*) FILTER (WHERE state = 'failed') AS failed, count(*) FILTER (WHERE state = 'ignored') AS ignored, max(received_at) AS last_at,
        max(received_at) FILTER (WHERE state = 'processed') AS last_success
      FROM (SELECT state, received_at FROM public.inbound_webhook_delivery w WHERE w.tenant_id = e.tenant_id AND w.endpoint_id = e.id
        AND w.received_at > now() - interval '1 day' ORDER BY w.id DESC LIMIT 10000) AS recent) AS d
    WHERE e.removed_at IS NULL
    UNION ALL
    SELECT 'out', s.tenant_id, mine.name, s.id, substring(s.url FROM '^https?://([^/?#]+)'), array_to_string(s.event_types, ', '), s.status, s.status_reason,
      d.waiting, d.done, d.failed, d.ignored, d.last_at, d.last_success
    FROM public.subscription s JOIN mine ON mine.id = s.tenant_id
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE state = 'pending') AS waiting, count(*) FILTER (WHERE state = 'delivered') AS done,
        count(*) FILTER (WHERE state = 'failed') AS failed, count(*) FILTER (WHERE state = 'skipped') AS ignored, max(created_at) AS last_at,
        max(finished_at) FILTER (WHERE state = 'delivered') AS last_success
      FROM (SELECT state, created_at, finished_at FROM public.outbound_webhook_message m WHERE m.tenant_id = s.tenant_id AND m.subscription_id = s.id
        AND (m.created_at > now() - interval '1 day' OR m.state = 'pending') ORDER BY m.event_id DESC LIMIT 10000) AS recent) AS d
  )
  SELECT * FROM both_ways ORDER BY both_ways.status = 'active', both_ways.failed DESC, both_ways.last_at DESC NULLS LAST, both_ways.id LIMIT most
$$;

REVOKE ALL ON FUNCTION webhook_overview(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_overview(text, integer) TO stratum_dashboard;
