-- The audit chain gets a key, and is anchored outside the database. A link of before has no key id; the first keyed link seals it.
-- A default worker of before writes links without a key: the constraint refuses them, and its messages wait for a worker of this version.

ALTER TABLE audit_event ADD COLUMN key_id text;
ALTER TABLE audit_event ADD CONSTRAINT audit_event_keyed CHECK (key_id IS NOT NULL) NOT VALID;
ALTER TABLE audit_chain ADD COLUMN key_id text, ADD COLUMN anchored_sequence bigint NOT NULL DEFAULT 0;

CREATE INDEX audit_event_subject ON audit_event (tenant_id, subject, sequence);
CREATE INDEX audit_event_actor ON audit_event (tenant_id, actor, sequence);

-- Whose chain has links that no anchor covers: ids only.
CREATE FUNCTION unanchored_audit_chains() RETURNS TABLE (tenant_id bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT tenant_id FROM public.audit_chain WHERE sequence > anchored_sequence ORDER BY tenant_id $$;
REVOKE ALL ON FUNCTION unanchored_audit_chains() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unanchored_audit_chains() TO stratum_default_worker;

GRANT SELECT ON audit_event TO stratum_api;
