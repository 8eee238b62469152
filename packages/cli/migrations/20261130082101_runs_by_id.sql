-- The stored runs of these identities, open or ended, as before: now day by day, because over all days the planner could take the primary key
-- of a day, which begins with the end, and so read the whole day for each run. Of a batch few runs are stored before: looking each up by its id
-- takes less than reading a day to join it.
CREATE OR REPLACE FUNCTION history_runs(ids text[], enqueued timestamptz[], ended_from timestamptz) RETURNS TABLE (open_run jsonb, ended_run jsonb)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
  SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  earliest timestamptz := (SELECT min(at) FROM unnest(enqueued) AS at);
  day date;
  partition text;
BEGIN
  RETURN QUERY SELECT to_jsonb(run), NULL::jsonb FROM unnest(ids, enqueued) AS key (id, at)
    JOIN public.task_open AS run ON run.id = key.id AND run.enqueued_at = key.at;
  RETURN QUERY SELECT NULL::jsonb, to_jsonb(run) || jsonb_build_object('error_group_text', run.error_group::text) FROM unnest(ids, enqueued) AS key (id, at)
    JOIN public.task_run_rest AS run ON run.id = key.id AND run.enqueued_at = key.at
    WHERE run.finished_at >= ended_from AND run.finished_at < now() + interval '2 days';
  FOR day IN SELECT generate_series(ended_from::date, (now() + interval '2 days')::date, interval '1 day')::date LOOP
    partition := 'task_run_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(format('public.%I', partition)) IS NULL;
    -- A run ends after it was enqueued, but for clocks that differ as much as the earliest one allows for.
    RETURN QUERY EXECUTE format(
      'SELECT NULL::jsonb, to_jsonb(run) || jsonb_build_object(''error_group_text'', run.error_group::text) FROM unnest($1, $2) AS key (id, at)
       JOIN public.%I AS run ON run.id = key.id AND run.enqueued_at = key.at WHERE key.at < $3', partition)
      USING ids, enqueued, (day + 1)::timestamptz + (earliest - ended_from);
  END LOOP;
END
$$;
