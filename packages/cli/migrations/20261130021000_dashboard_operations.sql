-- Operations over many tasks at once: what is to be done with each, found before it begins, and what became of it.

CREATE TABLE operation (
  id          text PRIMARY KEY,
  verb        text NOT NULL CHECK (verb IN ('cancel', 'replay', 'discard')),
  -- The search that found its tasks, as it was typed.
  query       text NOT NULL,
  as_of       timestamptz NOT NULL,
  -- Whether all that matched were taken, or only as many as one operation may have.
  complete    boolean NOT NULL,
  -- draft: looked at, not started. stopped: by a person; what was done stays done.
  state       text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'running', 'paused', 'stopped', 'ended')),
  rate        integer NOT NULL DEFAULT 50 CHECK (rate BETWEEN 1 AND 500),
  actor       text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  -- Until then it can be stopped without an effect.
  begins_at   timestamptz,
  ended_at    timestamptz
);
CREATE INDEX operation_newest ON operation (created_at DESC);
CREATE INDEX operation_running ON operation (begins_at) WHERE state = 'running';

CREATE TABLE operation_item (
  operation_id  text NOT NULL REFERENCES operation ON DELETE CASCADE,
  place         integer NOT NULL,
  id            text NOT NULL,
  task          text NOT NULL,
  queue         text NOT NULL,
  tenant        text NOT NULL,
  was           text NOT NULL,
  -- kept: it could not be done, for the reason in `detail`. gone: there was nothing to do any more.
  outcome       text CHECK (outcome IN ('done', 'kept', 'gone')),
  detail        text,
  PRIMARY KEY (operation_id, place)
);
CREATE INDEX operation_item_open ON operation_item (operation_id, place) WHERE outcome IS NULL;

GRANT SELECT, INSERT, UPDATE ON operation, operation_item TO stratum_dashboard;

CREATE OR REPLACE FUNCTION forget_dashboard_rows() RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM public.gauge_10s WHERE at < now() - interval '2 days';
  DELETE FROM public.dashboard_link WHERE expires_at < now() - interval '1 day';
  DELETE FROM public.dashboard_session WHERE expires_at < now() - interval '30 days';
  DELETE FROM public.operation WHERE created_at < now() - interval '7 days' OR (state = 'draft' AND created_at < now() - interval '1 hour')
$$;
