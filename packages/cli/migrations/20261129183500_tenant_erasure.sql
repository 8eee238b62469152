-- Everything of a tenant can be exported, and erased once its grace time is over. Which tables there are is read from the catalogue, so that
-- one that is added later is neither forgotten nor has to be named here.

-- Tables that hold rows of tenants, those first that others do not refer to; of a partitioned one each part.
CREATE FUNCTION tenant_tables() RETURNS TABLE (name text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE owned AS (
    SELECT c.oid, c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'tenant'
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
  ), depth AS (
    SELECT oid, 0 AS level FROM owned
    UNION
    SELECT k.conrelid, depth.level + 1 FROM depth JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = depth.oid AND k.conrelid <> depth.oid
    WHERE depth.level < 30
  )
  SELECT owned.name FROM owned JOIN depth USING (oid) GROUP BY owned.name ORDER BY max(depth.level) DESC, owned.name
$$;

-- The rows of a tenant in one of these tables. Bytes are shown as hexadecimal digits behind \x.
CREATE FUNCTION tenant_rows(wanted bigint, what text) RETURNS SETOF jsonb
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF what NOT IN (SELECT name FROM public.tenant_tables()) THEN
    RAISE EXCEPTION 'there is no table "%" with rows of tenants', what;
  END IF;
  RETURN QUERY EXECUTE format('SELECT to_jsonb(known) FROM public.%I AS known WHERE known.tenant_id = $1', what) USING wanted;
END
$$;

CREATE FUNCTION erasable_tenants() RETURNS TABLE (tenant_id bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT id FROM public.tenant WHERE id > 0 AND deleted_at IS NOT NULL AND erased_at IS NULL AND erase_after <= now() ORDER BY id $$;

-- Removes at most `most` rows of a tenant whose grace time is over. Returns how many; 0: nothing is left. The audit log stays: it proves what was
-- done, holds nothing of customers, and a chain that ends nowhere would look like tampering.
CREATE FUNCTION erase_tenant_rows(wanted bigint, most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  what text;
  gone bigint;
  total bigint := 0;
BEGIN
  IF wanted NOT IN (SELECT tenant_id FROM public.erasable_tenants()) THEN
    RAISE EXCEPTION 'tenant % is not deleted, or its grace time is not over', wanted;
  END IF;
  -- Merged profiles refer to each other.
  UPDATE public.cdp_profile SET merged_into = NULL WHERE tenant_id = wanted AND merged_into IS NOT NULL;
  FOR what IN SELECT name FROM public.tenant_tables() WHERE name NOT IN ('audit_event', 'audit_chain') LOOP
    EXECUTE format('DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.%1$I WHERE tenant_id = $1 LIMIT $2))', what)
      USING wanted, most - total;
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
    -- What others refer to comes later: it can go once these are gone.
    EXIT WHEN total >= most;
  END LOOP;
  RETURN total;
END
$$;

-- Nothing of it is left but its id.
CREATE FUNCTION finish_tenant_erasure(wanted bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF public.erase_tenant_rows(wanted, 1) > 0 THEN
    RAISE EXCEPTION 'tenant % still has rows', wanted;
  END IF;
  UPDATE public.tenant SET erased_at = now(), name = '', settings = '{}' WHERE id = wanted;
END
$$;

REVOKE ALL ON FUNCTION tenant_tables(), tenant_rows(bigint, text), erasable_tenants(), erase_tenant_rows(bigint, integer),
  finish_tenant_erasure(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_tables(), tenant_rows(bigint, text) TO stratum_api;
GRANT EXECUTE ON FUNCTION erasable_tenants(), erase_tenant_rows(bigint, integer), finish_tenant_erasure(bigint) TO stratum_default_worker;
