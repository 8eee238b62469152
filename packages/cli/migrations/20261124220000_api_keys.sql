-- Who may use the HTTP API, and for what.

DO $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('stratum.roles'));
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stratum_api') THEN
    CREATE ROLE stratum_api NOLOGIN NOBYPASSRLS;
  END IF;
  GRANT USAGE ON SCHEMA public TO stratum_api;
END
$$;

-- The platform itself, as the owner of its own keys and audit events. Deleted from the beginning, so that no job works for it.
INSERT INTO tenant (id, name, currency, deleted_at) VALUES (0, 'The platform itself', 'XXX', now());

-- Of a key only the hash of its secret is stored: the secret is random and long, so a plain hash tells nothing of it.
CREATE TABLE api_key (
  tenant_id       bigint NOT NULL REFERENCES tenant,
  id              text NOT NULL UNIQUE CHECK (id ~ '^[a-z0-9]{16}$'),
  name            text NOT NULL CHECK (name <> ''),
  scopes          text[] NOT NULL CHECK (scopes <> '{}'),
  secret_hash     bytea NOT NULL,
  -- The secret before the last rotation, which works a while longer.
  previous_hash   bytea,
  previous_until  timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz,
  rotated_at      timestamptz,
  revoked_at      timestamptz,
  last_used_at    timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK ((previous_hash IS NULL) = (previous_until IS NULL))
);

-- A request names a key before anybody knows whose it is.
CREATE FUNCTION usable_api_key(key text)
  RETURNS TABLE (tenant_id bigint, scopes text[], secret_hash bytea, previous_hash bytea, last_used_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT api_key.tenant_id, api_key.scopes, api_key.secret_hash, CASE WHEN api_key.previous_until > now() THEN api_key.previous_hash END, api_key.last_used_at
  FROM public.api_key AS api_key JOIN public.tenant AS tenant ON tenant.id = api_key.tenant_id
  WHERE api_key.id = key AND api_key.revoked_at IS NULL AND (api_key.expires_at IS NULL OR api_key.expires_at > now())
    AND (tenant.deleted_at IS NULL OR tenant.id = 0)
$$;

SELECT isolate_tenants('api_key');
REVOKE ALL ON FUNCTION usable_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usable_api_key(text) TO stratum_api;
GRANT SELECT ON tenant, api_key TO stratum_api;
GRANT INSERT ON api_key TO stratum_api;
GRANT UPDATE (secret_hash, previous_hash, previous_until, rotated_at, revoked_at, last_used_at) ON api_key TO stratum_api;
