-- What must happen once, however often its task is delivered: the key is written in the transaction that does the work.

CREATE TABLE processed_key (
  tenant_id     bigint NOT NULL REFERENCES tenant,
  key           text NOT NULL CHECK (key <> ''),
  processed_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);

ALTER TABLE processed_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE processed_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON processed_key
  USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
DO $$
BEGIN
  EXECUTE format('CREATE POLICY owner_access ON processed_key TO %I USING (true) WITH CHECK (true)', current_user);
END
$$;

GRANT SELECT, INSERT ON processed_key TO stratum_sync_worker;
