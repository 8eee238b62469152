-- Who is signed in to the dashboard, and the samples that it draws.

-- A link that signs in once, for whoever may read the database. Of the token only its hash is stored.
CREATE TABLE dashboard_link (
  hash        bytea PRIMARY KEY,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  used_at     timestamptz
);

-- Of the cookie only its hash is stored. A session of an API key has the rights that the key has at the moment.
CREATE TABLE dashboard_session (
  hash        bytea PRIMARY KEY,
  -- Shown in lists; good for nothing else.
  id          text NOT NULL UNIQUE,
  -- Null: by a link.
  key_id      text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  seen_at     timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  address     text NOT NULL,
  agent       text NOT NULL,
  revoked_at  timestamptz
);

-- What the broker held, every ten seconds: one row for each queue, and one for the workers.
CREATE TABLE gauge_10s (
  at            timestamptz NOT NULL,
  queue         text NOT NULL,
  high          bigint NOT NULL,
  normal        bigint NOT NULL,
  low           bigint NOT NULL,
  delayed       bigint NOT NULL,
  running       bigint NOT NULL,
  paused        boolean NOT NULL,
  oldest_at     timestamptz,
  delivered     bigint NOT NULL,
  acknowledged  bigint NOT NULL,
  slots         integer NOT NULL,
  slots_used    integer NOT NULL,
  PRIMARY KEY (at, queue)
);
-- The workers and schedulers at the newest sample.
CREATE TABLE latest_sample (
  one         boolean PRIMARY KEY DEFAULT true CHECK (one),
  at          timestamptz NOT NULL,
  workers     jsonb NOT NULL,
  schedulers  jsonb NOT NULL,
  stream_last bigint NOT NULL
);

CREATE FUNCTION forget_dashboard_rows() RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM public.gauge_10s WHERE at < now() - interval '2 days';
  DELETE FROM public.dashboard_link WHERE expires_at < now() - interval '1 day';
  DELETE FROM public.dashboard_session WHERE expires_at < now() - interval '30 days'
$$;

-- Open runs, the latest changed first. How long an open run will take is not known, so none is slow.
CREATE OR REPLACE FUNCTION search_open_runs(scope text, filter jsonb, most integer) RETURNS SETOF public.task_open
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
BEGIN
  IF filter ? 'slower_ms' THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT run.* FROM public.task_open AS run WHERE %s ORDER BY run.changed_at DESC, run.id DESC LIMIT %L',
    public.history_conditions(scope, filter), most);
END
$$;

REVOKE ALL ON FUNCTION forget_dashboard_rows() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_dashboard_rows(), usable_api_key(text) TO stratum_dashboard;
GRANT SELECT, INSERT ON gauge_10s TO stratum_dashboard;
GRANT SELECT, INSERT, UPDATE ON latest_sample, dashboard_session TO stratum_dashboard;
GRANT SELECT ON dashboard_link TO stratum_dashboard;
GRANT UPDATE (used_at) ON dashboard_link TO stratum_dashboard;
GRANT SELECT (tenant_id, id, last_used_at), UPDATE (last_used_at) ON api_key TO stratum_dashboard;
