-- What a tenant may use at most, where the operator has decided otherwise than its plan, and the tasks that it has enqueued.

CREATE TABLE tenant_quota (
  tenant_id   bigint NOT NULL REFERENCES tenant,
  name        text NOT NULL,
  -- NULL: as the plan says.
  value       bigint CHECK (value >= 0),
  changed_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name)
);

-- Tasks by the minute in which they were enqueued, and delayed ones by the time at which they are due.
CREATE TABLE tenant_use (
  tenant_id  bigint NOT NULL REFERENCES tenant,
  kind       text NOT NULL CHECK (kind IN ('enqueued', 'due')),
  until      timestamptz NOT NULL,
  tasks      bigint NOT NULL,
  PRIMARY KEY (tenant_id, kind, until)
);

SELECT isolate_tenants('tenant_quota', 'tenant_use');

-- Adds to the use of the current tenant ([{kind, until, tasks}]), forgets what is over, and returns the use of the current minute and the number of delayed tasks.
CREATE FUNCTION note_tenant_use(uses jsonb, minute timestamptz, OUT enqueued bigint, OUT delayed bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  own CONSTANT bigint := public.current_tenant();
BEGIN
  INSERT INTO public.tenant_use AS u (tenant_id, kind, until, tasks)
    SELECT own, kind, until, sum(tasks) FROM jsonb_to_recordset(uses) AS given (kind text, until timestamptz, tasks bigint) GROUP BY kind, until ORDER BY kind, until
    ON CONFLICT (tenant_id, kind, until) DO UPDATE SET tasks = u.tasks + excluded.tasks;
  DELETE FROM public.tenant_use WHERE tenant_id = own AND until < least(minute, now() - interval '1 minute');
  SELECT coalesce(sum(tasks) FILTER (WHERE kind = 'enqueued' AND until = minute), 0), coalesce(sum(tasks) FILTER (WHERE kind = 'due' AND until > now()), 0)
    INTO enqueued, delayed FROM public.tenant_use WHERE tenant_id = own;
END
$$;
REVOKE ALL ON FUNCTION note_tenant_use(jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_tenant_use(jsonb, timestamptz) TO stratum_api;
GRANT SELECT, INSERT, UPDATE ON tenant_quota TO stratum_api;
GRANT SELECT ON tenant_use TO stratum_api;
