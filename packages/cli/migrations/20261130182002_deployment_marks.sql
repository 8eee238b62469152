-- When a version of workers began in a queue: a mark in each chart.
CREATE TABLE deployment_mark (
  at       timestamptz NOT NULL,
  queue    text NOT NULL,
  version  text NOT NULL,
  PRIMARY KEY (queue, at, version)
);
-- When a live worker of that version was seen last.
CREATE TABLE worker_version (
  queue    text NOT NULL,
  version  text NOT NULL,
  seen_at  timestamptz NOT NULL,
  PRIMARY KEY (queue, version)
);
GRANT SELECT, INSERT ON deployment_mark TO stratum_dashboard;
GRANT SELECT, INSERT, UPDATE ON worker_version TO stratum_dashboard;

-- What people did to queues and workers: the other marks.
CREATE INDEX audit_event_controls ON audit_event (tenant_id, occurred_at)
  WHERE action IN ('queue.paused', 'queue.resumed', 'queue.purged', 'task.rate_limited', 'task.key_limited', 'worker.concurrency_changed', 'worker.shut_down');

CREATE OR REPLACE FUNCTION forget_dashboard_rows() RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM public.gauge_10s WHERE at < now() - interval '2 days';
  DELETE FROM public.dashboard_link WHERE expires_at < now() - interval '1 day';
  DELETE FROM public.dashboard_session WHERE expires_at < now() - interval '30 days';
  DELETE FROM public.operation WHERE created_at < now() - interval '7 days' OR (state = 'draft' AND created_at < now() - interval '1 hour');
  UPDATE public.operation_item AS item SET letter = NULL FROM public.operation
  WHERE operation.id = item.operation_id AND item.letter IS NOT NULL AND operation.ended_at < now() - interval '1 day';
  DELETE FROM public.deployment_mark WHERE at < now() - interval '30 days';
  DELETE FROM public.worker_version WHERE seen_at < now() - interval '400 days'
$$;
