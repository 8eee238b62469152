-- What the overview judges beside the queues: limits, new dead letters, who holds slots. Null in a sample of an older version.
ALTER TABLE latest_sample ADD COLUMN signals jsonb;

-- Open runs by their state: few run at once, however many wait for a retry.
CREATE INDEX task_open_running ON task_open (worker) WHERE state = 5;
CREATE INDEX task_open_put_off ON task_open (task) WHERE state IN (6, 7) AND worker IS NOT NULL;

-- Runs that workers hold, by worker and tenant.
CREATE FUNCTION running_now() RETURNS TABLE (worker text, tenant_id bigint, n bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT w.name, run.tenant_id, count(*) FROM public.task_open AS run JOIN public.worker_name w ON w.id = run.worker
  WHERE run.state = 5 GROUP BY 1, 2
$$;

-- Tasks with runs that a worker has put off; of each at most so many are counted.
CREATE FUNCTION put_off_now(most integer) RETURNS TABLE (queue text, task text, n bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT t.queue, t.name, off.n FROM public.task_name t
  CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (
      SELECT FROM public.task_open AS run WHERE run.task = t.id AND run.state IN (6, 7) AND run.worker IS NOT NULL LIMIT most) found) off
  WHERE off.n > 0
$$;

-- What became of the newest attempts of tasks within that time, and the error of the last one that failed.
CREATE FUNCTION newest_attempts(tasks smallint[], since timestamptz, most integer)
  RETURNS TABLE (task smallint, ended bigint, failed bigint, error text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT asked.task, count(*), count(*) FILTER (WHERE seen.state <> 1),
    (array_agg(concat_ws(': ', seen.error_type, seen.error_message) ORDER BY seen.at DESC) FILTER (WHERE seen.state <> 1))[1]
  FROM unnest(tasks) AS asked (task)
  CROSS JOIN LATERAL (
    SELECT * FROM (
      (SELECT run.state, run.finished_at AS at, run.error_type, run.error_message FROM public.task_run AS run
       WHERE run.task = asked.task AND run.finished_at >= since AND run.state IN (1, 2) ORDER BY run.finished_at DESC LIMIT most)
      UNION ALL
      (SELECT run.state, run.changed_at, run.error_type, run.error_message FROM public.task_open AS run
       WHERE run.task = asked.task AND run.changed_at >= since AND run.state = 6 AND run.worker IS NOT NULL ORDER BY run.changed_at DESC LIMIT most)
    ) both_kinds ORDER BY at DESC LIMIT most) AS seen
  GROUP BY asked.task
$$;

REVOKE ALL ON FUNCTION running_now(), put_off_now(integer), newest_attempts(smallint[], timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION running_now(), put_off_now(integer), newest_attempts(smallint[], timestamptz, integer) TO stratum_dashboard;
