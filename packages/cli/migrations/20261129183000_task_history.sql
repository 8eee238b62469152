-- The history of tasks, projected from their events: open runs in a small table that changes in place, ended runs inserted once into one
-- partition a day. A run is one life of a task: a replay, or an id that is used again, has another time of enqueueing.
--
-- Nobody but the functions below reads or writes runs, because they belong to tenants and the projector works for all of them. They also let a
-- search use its indexes: under row-level security, PostgreSQL runs no operator on text or jsonb before the policy.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Names are few: dictionaries keep rows and indexes small.
CREATE TABLE task_name (
  id     smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue  text NOT NULL,
  name   text NOT NULL,
  UNIQUE (name, queue)
);

CREATE TABLE worker_name (
  id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name  text NOT NULL UNIQUE
);

-- Runs that have not ended. `attempts` holds every attempt, and `state` is that of the newest event.
CREATE TABLE task_open (
  id             text COLLATE "C" NOT NULL,
  enqueued_at    timestamptz(3) NOT NULL,
  tenant_id      bigint NOT NULL,
  task           smallint NOT NULL REFERENCES task_name,
  priority       smallint NOT NULL,
  state          smallint NOT NULL,
  retries        integer NOT NULL,
  changed_at     timestamptz(3) NOT NULL,
  worker         integer,
  ready_at       timestamptz(3),
  started_at     timestamptz(3),
  error_group    bigint,
  error_type     text,
  error_message  text,
  attempts       jsonb NOT NULL,
  labels         jsonb,
  root_id        text COLLATE "C",
  parent_id      text COLLATE "C",
  workflow_id    text COLLATE "C",
  node           integer,
  schedule       text,
  tick           timestamptz(3),
  trace_id       text,
  PRIMARY KEY (id, enqueued_at, tenant_id, task)
) WITH (fillfactor = 70);
CREATE INDEX task_open_newest ON task_open (changed_at DESC);

-- Runs that have ended. `attempts` is null where there was one attempt at most: the columns say all of it.
CREATE TABLE task_run (
  finished_at    timestamptz(3) NOT NULL,
  enqueued_at    timestamptz(3) NOT NULL,
  ready_at       timestamptz(3),
  started_at     timestamptz(3),
  tenant_id      bigint NOT NULL,
  error_group    bigint,
  wait_ms        bigint,
  runtime_ms     bigint,
  worker         integer,
  task           smallint NOT NULL,
  priority       smallint NOT NULL,
  state          smallint NOT NULL,
  retries        integer NOT NULL,
  attempts_made  integer NOT NULL,
  delivery       integer,
  id             text COLLATE "C" NOT NULL,
  root_id        text COLLATE "C",
  parent_id      text COLLATE "C",
  workflow_id    text COLLATE "C",
  node           integer,
  schedule       text,
  tick           timestamptz(3),
  trace_id       text,
  worker_version text,
  error_type     text,
  error_message  text,
  labels         jsonb,
  attempts       jsonb,
  PRIMARY KEY (finished_at, id, enqueued_at)
) PARTITION BY RANGE (finished_at);

CREATE INDEX task_run_id ON task_run (id);
CREATE INDEX task_run_tenant ON task_run (tenant_id, finished_at);
CREATE INDEX task_run_task ON task_run (task, finished_at);
CREATE INDEX task_run_worker ON task_run (worker, finished_at);
CREATE INDEX task_run_state ON task_run (state, finished_at) WHERE state <> 1;
CREATE INDEX task_run_error_group ON task_run (error_group, finished_at) WHERE error_group IS NOT NULL;
CREATE INDEX task_run_root ON task_run (root_id) WHERE root_id IS NOT NULL;
CREATE INDEX task_run_slow ON task_run (runtime_ms DESC, finished_at) WHERE runtime_ms > 10000;
CREATE INDEX task_run_labels ON task_run USING gin (labels jsonb_path_ops);
CREATE INDEX task_run_error_text ON task_run USING gin (error_message gin_trgm_ops) WHERE error_message IS NOT NULL;
CREATE INDEX task_run_enqueued ON task_run USING brin (enqueued_at);

-- Catches an end whose time lies outside all days, as a wrong clock reports it: no event is ever refused for its time.
CREATE TABLE task_run_rest PARTITION OF task_run DEFAULT;

SELECT isolate_tenants('task_open', 'task_run', 'task_run_rest');

-- How far each stream has been read. Changed in the transaction that stores what was read.
CREATE TABLE projector (
  stream      text PRIMARY KEY,
  -- Of the last message that was applied.
  sequence    bigint NOT NULL,
  -- Its time.
  at          timestamptz,
  applied_at  timestamptz NOT NULL DEFAULT now()
);

-- Messages that the stream had removed before they were read.
CREATE TABLE projector_gap (
  stream      text NOT NULL,
  first       bigint NOT NULL,
  last        bigint NOT NULL,
  -- Times of the messages around it.
  from_at     timestamptz,
  until_at    timestamptz NOT NULL,
  noticed_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream, first)
);

-- Attempts by the minute and the hour of their end. The histograms of waiting and running times are sparse: bucket b counts times from
-- 2^(b/4) to 2^((b+1)/4) milliseconds.
CREATE TABLE task_minute (
  at       timestamptz NOT NULL,
  task     smallint NOT NULL REFERENCES task_name,
  outcome  smallint NOT NULL,
  n        bigint NOT NULL,
  wait_b   smallint[] NOT NULL,
  wait_n   integer[] NOT NULL,
  run_b    smallint[] NOT NULL,
  run_n    integer[] NOT NULL,
  PRIMARY KEY (at, task, outcome)
);
CREATE TABLE task_hour (LIKE task_minute INCLUDING ALL);

-- Creates the partition of a day unless it is there. Rows that the default partition has caught stay there, and so does their day.
CREATE FUNCTION ensure_history_day(day date) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
  partition  text := 'task_run_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF day NOT BETWEEN current_date - 400 AND current_date + 30 THEN
    RAISE EXCEPTION 'there is no partition for the day %', day;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('stratum.history_partition'));
  IF EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace)
    OR EXISTS (SELECT FROM public.task_run_rest WHERE finished_at >= day AND finished_at < day + 1) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.task_run FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
  EXECUTE format('CREATE POLICY tenant_isolation ON public.%I USING (tenant_id = public.current_tenant()) WITH CHECK (tenant_id = public.current_tenant())', partition);
  EXECUTE format('CREATE POLICY owner_access ON public.%I TO %I USING (true) WITH CHECK (true)', partition, current_user);
END
$$;

-- Removes the oldest day if all of it is older; returns its name, null when there is none left. Old roll-ups and gaps go with it.
CREATE FUNCTION drop_old_history(before timestamptz) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
  oldest text;
BEGIN
  IF before > now() - interval '1 day' THEN
    RAISE EXCEPTION 'the history is kept for at least a day';
  END IF;
  DELETE FROM public.task_minute WHERE at < now() - interval '3 days';
  DELETE FROM public.task_hour WHERE at < now() - interval '400 days';
  DELETE FROM public.projector_gap WHERE until_at < before;
  DELETE FROM public.task_run_rest WHERE finished_at < before;
  DELETE FROM public.task_open WHERE changed_at < before;
  SELECT min(child.relname) INTO oldest FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
  WHERE inhparent = 'public.task_run'::regclass AND child.relname ~ '^task_run_\d{8}$';
  IF oldest IS NULL OR to_date(right(oldest, 8), 'YYYYMMDD') + interval '1 day' > before THEN
    RETURN NULL;
  END IF;
  EXECUTE format('DROP TABLE public.%I', oldest);
  RETURN oldest;
END
$$;

CREATE FUNCTION analyze_history() RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ ANALYZE public.task_run $$;

-- The stored runs of these identities, open or ended. An ended one is looked for from the earliest day that it can have ended on.
CREATE FUNCTION history_runs(ids text[], enqueued timestamptz[], ended_from timestamptz) RETURNS TABLE (open_run jsonb, ended_run jsonb)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
  SELECT to_jsonb(run), NULL::jsonb FROM unnest(ids, enqueued) AS key (id, at)
  JOIN public.task_open AS run ON run.id = key.id AND run.enqueued_at = key.at
  UNION ALL
  SELECT NULL::jsonb, to_jsonb(run) || jsonb_build_object('error_group_text', run.error_group::text) FROM unnest(ids, enqueued) AS key (id, at)
  CROSS JOIN LATERAL (
    SELECT * FROM public.task_run AS found
    WHERE found.id = key.id AND found.enqueued_at = key.at AND found.finished_at >= ended_from AND found.finished_at < now() + interval '2 days'
    OFFSET 0) AS run
$$;

-- Stores changed runs: those that leave a table first, then those that it gets.
CREATE FUNCTION store_history(closed jsonb, opened jsonb, moved jsonb, ended jsonb) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  DELETE FROM public.task_open AS run USING jsonb_populate_recordset(NULL::public.task_open, closed) AS old
  WHERE run.id = old.id AND run.enqueued_at = old.enqueued_at AND run.tenant_id = old.tenant_id AND run.task = old.task;
  INSERT INTO public.task_open SELECT * FROM jsonb_populate_recordset(NULL::public.task_open, opened);
  DELETE FROM public.task_run AS run USING jsonb_populate_recordset(NULL::public.task_run, moved) AS old
  WHERE run.finished_at = old.finished_at AND run.id = old.id AND run.enqueued_at = old.enqueued_at AND run.tenant_id = old.tenant_id AND run.task = old.task;
  INSERT INTO public.task_run SELECT * FROM jsonb_populate_recordset(NULL::public.task_run, ended) ON CONFLICT DO NOTHING;
END
$$;

-- Conditions of a search on ended (`run`) or open runs. Literals, because a plan of its own for each set of filters is what makes indexes usable.
-- `scope` is 'platform' or a tenant's id: whoever asks has to say it.
CREATE FUNCTION history_conditions(scope text, filter jsonb) RETURNS text
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  conditions text[] := '{}';
  each record;
BEGIN
  IF scope = 'platform' THEN
    IF filter ? 'tenants' THEN conditions := conditions || format('run.tenant_id = ANY (%L::bigint[])', ARRAY(SELECT jsonb_array_elements_text(filter->'tenants'))); END IF;
  ELSE
    conditions := conditions || format('run.tenant_id = %L::bigint', scope::bigint);
    IF filter ? 'tenants' AND NOT filter->'tenants' @> to_jsonb(scope) THEN conditions := conditions || 'false'::text; END IF;
  END IF;
  FOR each IN SELECT * FROM (VALUES
    ('tasks', 'run.task = ANY (%L::smallint[])'),
    ('workers', 'run.worker = ANY (%L::integer[])'),
    ('states', 'run.state = ANY (%L::smallint[])'),
    ('groups', 'run.error_group = ANY (%L::bigint[])'),
    ('ids', 'run.id = ANY (%L::text[])')) AS lists (key, text)
  LOOP
    IF filter ? each.key THEN conditions := conditions || format(each.text, ARRAY(SELECT jsonb_array_elements_text(filter->each.key))); END IF;
  END LOOP;
  -- A range instead of LIKE: the index answers it whatever its collation.
  IF filter ? 'id_prefix' THEN
    conditions := conditions || format('run.id >= %1$L AND run.id < %1$L || ''~''', filter->>'id_prefix');
  END IF;
  IF filter ? 'root' THEN conditions := conditions || format('run.root_id = %L', filter->>'root'); END IF;
  IF filter ? 'workflow' THEN conditions := conditions || format('run.workflow_id = %1$L AND run.id >= %1$L || ''-'' AND run.id < %1$L || ''.''', filter->>'workflow'); END IF;
  IF filter ? 'schedule' THEN conditions := conditions || format('run.schedule = %L', filter->>'schedule'); END IF;
  IF filter ? 'trace' THEN conditions := conditions || format('run.trace_id = %L', filter->>'trace'); END IF;
  IF filter ? 'labels' THEN conditions := conditions || format('run.labels @> %L::jsonb', filter->'labels'); END IF;
  IF filter ? 'error' THEN
    conditions := conditions || format('run.error_message ILIKE %L', '%' || replace(replace(replace(filter->>'error', '\', '\\'), '%', '\%'), '_', '\_') || '%');
  END IF;
  IF filter ? 'slower_ms' THEN conditions := conditions || format('run.runtime_ms > %L::bigint', filter->>'slower_ms'); END IF;
  IF filter ? 'more_retries' THEN conditions := conditions || format('run.retries > %L::integer', filter->>'more_retries'); END IF;
  RETURN coalesce(nullif(array_to_string(conditions, ' AND '), ''), 'true');
END
$$;

-- Ended runs of a window, the newest first, before a place in it.
CREATE FUNCTION search_ended_runs(scope text, filter jsonb, since timestamptz, until timestamptz, before timestamptz, before_id text, most integer)
  RETURNS SETOF public.task_run
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT run.* FROM public.task_run AS run WHERE run.finished_at >= %L::timestamptz AND run.finished_at < %L::timestamptz%s AND %s
     ORDER BY run.finished_at DESC, run.id DESC LIMIT %L',
    since, until,
    CASE WHEN before IS NULL THEN '' ELSE format(' AND run.finished_at <= %1$L::timestamptz AND (run.finished_at, run.id) < (%1$L::timestamptz, %2$L)', before, before_id) END,
    public.history_conditions(scope, filter), most);
END
$$;

-- Open runs, the latest changed first.
CREATE FUNCTION search_open_runs(scope text, filter jsonb, most integer) RETURNS SETOF public.task_open
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  -- How long an open run will take is not known.
  RETURN QUERY EXECUTE format(
    'SELECT run.* FROM public.task_open AS run WHERE %s AND %s ORDER BY run.changed_at DESC, run.id DESC LIMIT %L',
    NOT filter ? 'slower_ms', public.history_conditions(scope, filter - 'slower_ms'), most);
END
$$;

REVOKE ALL ON FUNCTION ensure_history_day(date), drop_old_history(timestamptz), analyze_history(),
  history_runs(text[], timestamptz[], timestamptz),
  store_history(jsonb, jsonb, jsonb, jsonb),
  history_conditions(text, jsonb),
  search_ended_runs(text, jsonb, timestamptz, timestamptz, timestamptz, text, integer), search_open_runs(text, jsonb, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_history_day(date), drop_old_history(timestamptz), analyze_history(),
  history_runs(text[], timestamptz[], timestamptz),
  store_history(jsonb, jsonb, jsonb, jsonb),
  search_ended_runs(text, jsonb, timestamptz, timestamptz, timestamptz, text, integer), search_open_runs(text, jsonb, integer)
  TO stratum_dashboard;
GRANT SELECT, INSERT ON task_name, worker_name, projector_gap TO stratum_dashboard;
GRANT SELECT, INSERT, UPDATE ON projector, task_minute, task_hour TO stratum_dashboard;
