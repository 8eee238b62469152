-- Searches that people have given a name. Shared ones are there for everybody of the tenant.
CREATE TABLE saved_view (
  tenant_id   bigint NOT NULL REFERENCES tenant,
  id          text NOT NULL UNIQUE CHECK (id ~ '^[a-z0-9]{16}$'),
  -- `person/<id>`, `key/<id>`, or `link` for whoever signs in by one.
  owner       text NOT NULL,
  name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
  query       text NOT NULL CHECK (length(query) <= 1000),
  -- Either the last so many hours, or from one time to another; neither is the whole history.
  hours       integer CHECK (hours BETWEEN 1 AND 9600),
  since       timestamptz,
  until       timestamptz,
  shared      boolean NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, owner, name),
  CHECK (hours IS NULL OR (since IS NULL AND until IS NULL))
);
SELECT isolate_tenants('saved_view');
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_view TO stratum_dashboard;

-- Removes views of the tenant in force, and of the platform, that name somebody (in lower case): an erasure reaches them, too.
CREATE FUNCTION erase_person_from_views(names text[]) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  views bigint;
BEGIN
  IF public.current_tenant() IS NULL THEN
    RAISE EXCEPTION 'no tenant is in force';
  END IF;
  DELETE FROM public.saved_view AS v
  WHERE v.tenant_id IN (public.current_tenant(), 0)
    AND EXISTS (SELECT FROM unnest(names) AS name WHERE position(name IN lower(v.query || ' ' || v.name)) > 0);
  GET DIAGNOSTICS views = ROW_COUNT;
  RETURN jsonb_build_object('saved_view', views);
END
$$;

REVOKE ALL ON FUNCTION erase_person_from_views(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_person_from_views(text[]) TO stratum_api, stratum_default_worker;
