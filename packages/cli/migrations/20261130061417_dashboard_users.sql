-- People who sign in to the dashboard at a provider of identities (OpenID Connect), and what each may do there.
CREATE TABLE dashboard_user (
  tenant_id        bigint NOT NULL REFERENCES tenant,
  id               text NOT NULL UNIQUE CHECK (id ~ '^[a-z0-9]{16}$'),
  -- In lower case. Of one person in one place: an address that two tenants named would not say which of them it opens.
  email            text NOT NULL UNIQUE CHECK (email = lower(email) AND email LIKE '%_@_%' AND length(email) <= 254),
  role             text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  -- Who it is at the provider, from the first sign-in on: an address may pass to somebody else.
  issuer           text,
  subject          text,
  -- A group of the provider brought the person, and says at each sign-in what they may do.
  by_group         boolean NOT NULL DEFAULT false,
  created_at       timestamptz NOT NULL DEFAULT now(),
  last_sign_in_at  timestamptz,
  disabled_at      timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (issuer, subject),
  CHECK ((issuer IS NULL) = (subject IS NULL))
);
SELECT isolate_tenants('dashboard_user');

ALTER TABLE dashboard_session ADD user_id text REFERENCES dashboard_user (id) ON DELETE CASCADE;
CREATE INDEX ON dashboard_session (user_id) WHERE user_id IS NOT NULL;

-- A session names a person before anybody knows whose they are.
CREATE FUNCTION usable_dashboard_user(wanted text) RETURNS TABLE (tenant_id bigint, role text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT person.tenant_id, person.role
  FROM public.dashboard_user AS person JOIN public.tenant AS tenant ON tenant.id = person.tenant_id
  WHERE person.id = wanted AND person.disabled_at IS NULL AND (public.is_open(tenant) OR tenant.id = 0)
$$;

-- Who has proved to be this person at the provider. No row: nobody with a place here.
-- group_role: of the groups of the provider, null for none.
CREATE FUNCTION admit_dashboard_user(by_issuer text, by_subject text, verified_email text, group_tenant bigint, group_role text, new_id text)
  RETURNS TABLE (id text, tenant_id bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  person public.dashboard_user;
BEGIN
  SELECT * INTO person FROM public.dashboard_user WHERE issuer = by_issuer AND subject = by_subject FOR UPDATE;
  IF NOT FOUND THEN
    SELECT * INTO person FROM public.dashboard_user WHERE email = verified_email AND subject IS NULL FOR UPDATE;
  END IF;
  IF NOT FOUND AND group_role IS NOT NULL AND public.takes_dashboard_users(group_tenant) THEN
    INSERT INTO public.dashboard_user (tenant_id, id, email, role, issuer, subject, by_group)
    VALUES (group_tenant, new_id, verified_email, group_role, by_issuer, by_subject, true)
    ON CONFLICT DO NOTHING RETURNING * INTO person;
  END IF;
  IF person.id IS NULL OR (person.by_group AND group_role IS NULL) THEN
    RETURN;
  END IF;
  RETURN QUERY
    UPDATE public.dashboard_user SET issuer = by_issuer, subject = by_subject, last_sign_in_at = now(),
      role = CASE WHEN by_group THEN group_role ELSE role END,
      tenant_id = CASE WHEN by_group THEN group_tenant ELSE tenant_id END
    WHERE id = person.id AND disabled_at IS NULL
      AND public.takes_dashboard_users(CASE WHEN by_group THEN group_tenant ELSE dashboard_user.tenant_id END)
    RETURNING dashboard_user.id, dashboard_user.tenant_id;
END
$$;

-- Whether people can have a place there: a tenant that does anything, or the platform.
CREATE FUNCTION takes_dashboard_users(asked bigint) RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM public.tenant AS tenant WHERE tenant.id = asked AND (public.is_open(tenant) OR tenant.id = 0))
$$;

-- Sessions that are open, the latest used first: of one tenant's people and keys, or all with null. A link's are the platform's.
CREATE FUNCTION open_dashboard_sessions(asked bigint, most integer)
  RETURNS TABLE (id text, tenant_id bigint, email text, user_id text, key_id text, created_at timestamptz, seen_at timestamptz, expires_at timestamptz,
    address text, agent text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.id, coalesce(person.tenant_id, key.tenant_id, 0), person.email, s.user_id, s.key_id, s.created_at, s.seen_at, s.expires_at, s.address, s.agent
  FROM public.dashboard_session s
  LEFT JOIN public.dashboard_user person ON person.id = s.user_id
  LEFT JOIN public.api_key key ON key.id = s.key_id
  WHERE s.revoked_at IS NULL AND s.expires_at > now() AND s.seen_at > now() - interval '8 hours'
    AND (asked IS NULL OR coalesce(person.tenant_id, key.tenant_id, 0) = asked)
  ORDER BY s.seen_at DESC, s.id LIMIT most
$$;

-- People by address: of one tenant, or all with null.
CREATE FUNCTION dashboard_people(asked bigint, most integer) RETURNS SETOF public.dashboard_user
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT * FROM public.dashboard_user WHERE asked IS NULL OR tenant_id = asked ORDER BY tenant_id, email LIMIT most
$$;

REVOKE ALL ON FUNCTION usable_dashboard_user(text), takes_dashboard_users(bigint), admit_dashboard_user(text, text, text, bigint, text, text),
  open_dashboard_sessions(bigint, integer), dashboard_people(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usable_dashboard_user(text), takes_dashboard_users(bigint), admit_dashboard_user(text, text, text, bigint, text, text),
  open_dashboard_sessions(bigint, integer), dashboard_people(bigint, integer) TO stratum_dashboard;
GRANT SELECT, INSERT ON dashboard_user TO stratum_dashboard;
GRANT UPDATE (role, disabled_at) ON dashboard_user TO stratum_dashboard;
