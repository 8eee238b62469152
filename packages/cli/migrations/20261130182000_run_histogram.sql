-- Ended runs of a search, counted by steps of time. `kind` says by what besides: 1 by state, 2 by waiting time, 3 by running time; times as
-- buckets of the roll-ups, four to each doubling. Slot n begins n steps after 1970.
CREATE FUNCTION histogram_of_runs(scope text, filter jsonb, since timestamptz, until timestamptz, step_s integer)
  RETURNS TABLE (slot bigint, kind integer, key integer, n bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'WITH found AS (
       SELECT floor(extract(epoch FROM run.finished_at) / %L::integer)::bigint AS slot, run.state::integer AS state,
         floor(ln(CASE WHEN run.wait_ms < 1 THEN 1 ELSE run.wait_ms END::float8) / ln(2::float8) * 4 + 1e-9)::integer AS waited, floor(ln(CASE WHEN run.runtime_ms < 1 THEN 1 ELSE run.runtime_ms END::float8) / ln(2::float8) * 4 + 1e-9)::integer AS ran
       FROM public.task_run AS run WHERE run.finished_at >= %L::timestamptz AND run.finished_at < %L::timestamptz AND %s)
     SELECT slot, CASE WHEN GROUPING(state) = 0 THEN 1 WHEN GROUPING(waited) = 0 THEN 2 ELSE 3 END, coalesce(state, waited, ran), count(*)
     FROM found GROUP BY GROUPING SETS ((slot, state), (slot, waited), (slot, ran)) HAVING coalesce(state, waited, ran) IS NOT NULL',
    step_s, since, until, public.history_conditions(scope, filter));
END
$$;

-- When the first of the runs ended that the history still has; null without any.
CREATE FUNCTION first_run_at(scope text, since timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  first timestamptz;
BEGIN
  EXECUTE format('SELECT run.finished_at FROM public.task_run AS run WHERE run.finished_at >= %L::timestamptz AND %s ORDER BY run.finished_at LIMIT 1',
    since, public.history_conditions(scope, '{}')) INTO first;
  RETURN first;
END
$$;

REVOKE ALL ON FUNCTION histogram_of_runs(text, jsonb, timestamptz, timestamptz, integer), first_run_at(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION histogram_of_runs(text, jsonb, timestamptz, timestamptz, integer), first_run_at(text, timestamptz) TO stratum_dashboard;
