-- Operations of the dashboard name tasks of tenants, quote errors, and keep the search that found them: an erasure reaches them, too.

CREATE OR REPLACE FUNCTION erase_tenant_rows(wanted bigint, most integer) RETURNS bigint
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
  DELETE FROM public.operation_item
  WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.operation_item WHERE tenant = wanted::text LIMIT most - total));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN total + gone;
END
$$;

-- Removes what operations on tasks of the tenant in force say of the names (in lower case). Returns how many rows of each table.
CREATE FUNCTION erase_person_from_operations(names text[]) RETURNS jsonb
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mine CONSTANT text := public.current_tenant()::text;
  items bigint;
  operations bigint;
BEGIN
  IF mine IS NULL THEN
    RAISE EXCEPTION 'no tenant is in force';
  END IF;
  UPDATE public.operation_item AS i SET detail = NULL
  WHERE i.tenant = mine AND EXISTS (SELECT FROM unnest(names) AS name WHERE position(name IN lower(i.detail)) > 0);
  GET DIAGNOSTICS items = ROW_COUNT;
  UPDATE public.operation AS o SET query = '(erased)'
  WHERE EXISTS (SELECT FROM unnest(names) AS name WHERE position(name IN lower(o.query)) > 0)
    AND EXISTS (SELECT FROM public.operation_item AS i WHERE i.operation_id = o.id AND i.tenant = mine);
  GET DIAGNOSTICS operations = ROW_COUNT;
  RETURN jsonb_build_object('operation_item', items, 'operation', operations);
END
$$;

REVOKE ALL ON FUNCTION erase_person_from_operations(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_person_from_operations(text[]) TO stratum_api, stratum_default_worker;
