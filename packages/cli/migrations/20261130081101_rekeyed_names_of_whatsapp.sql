-- Names of WhatsApp contacts keep their value, encrypted: a new key needs it to make the new hash. Names that are stored without it get it when their person writes again.
ALTER TABLE whatsapp_identity
  ADD COLUMN hash_key_id text,
  ADD COLUMN ciphertext bytea,
  ADD COLUMN key_id text;
GRANT UPDATE (hash_key_id, ciphertext, key_id) ON whatsapp_identity TO stratum_default_worker;

CREATE OR REPLACE FUNCTION tenants_with_old_hashes(current_key text, with_keyed boolean) RETURNS TABLE (tenant_id bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF with_keyed THEN
    RETURN QUERY SELECT i.tenant_id FROM public.cdp_identity i WHERE i.hash_key_id IS DISTINCT FROM current_key
      UNION SELECT c.tenant_id FROM public.whatsapp_contact c WHERE c.hash_key_id IS DISTINCT FROM current_key
      UNION SELECT n.tenant_id FROM public.whatsapp_identity n WHERE n.hash_key_id IS DISTINCT FROM current_key AND n.ciphertext IS NOT NULL;
  ELSE
    RETURN QUERY SELECT i.tenant_id FROM public.cdp_identity i WHERE i.hash_key_id IS NULL
      UNION SELECT c.tenant_id FROM public.whatsapp_contact c WHERE c.hash_key_id IS NULL;
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION old_lookup_rows(what text, current_key text, most integer)
  RETURNS TABLE (kind text, old_hash bytea, hash_key_id text, ciphertext bytea, key_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  (SELECT i.type, i.value_hash, i.hash_key_id, i.ciphertext, i.key_id FROM public.cdp_identity i
   WHERE what = 'cdp_identity' AND i.tenant_id = public.current_tenant() AND i.hash_key_id IS DISTINCT FROM current_key LIMIT most)
  UNION ALL
  (SELECT 'phone', c.phone_hash, c.hash_key_id, c.phone, c.phone_key_id FROM public.whatsapp_contact c
   WHERE what = 'whatsapp_contact' AND c.tenant_id = public.current_tenant() AND c.hash_key_id IS DISTINCT FROM current_key LIMIT most)
  UNION ALL
  -- One row for all contacts of a name.
  (SELECT DISTINCT ON (n.hash) 'name', n.hash, n.hash_key_id, n.ciphertext, n.key_id FROM public.whatsapp_identity n
   WHERE what = 'whatsapp_identity' AND n.tenant_id = public.current_tenant() AND n.hash_key_id IS DISTINCT FROM current_key
     AND n.ciphertext IS NOT NULL ORDER BY n.hash LIMIT most)
$$;

CREATE OR REPLACE FUNCTION replace_lookup_rows(what text, kinds text[], old_hashes bytea[], new_hashes bytea[], hash_keys text[], texts bytea[], text_keys text[])
  RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mine CONSTANT bigint := public.current_tenant();
  changed bigint := 0;
  more bigint := 0;
BEGIN
  IF what = 'cdp_identity' THEN
    -- A process of the version before may have met the same value since: one row for each value.
    DELETE FROM public.cdp_identity t USING unnest(kinds, old_hashes, new_hashes) AS n (kind, old_hash, new_hash)
    WHERE t.tenant_id = mine AND t.type = n.kind AND t.value_hash = n.old_hash
      AND EXISTS (SELECT FROM public.cdp_identity d WHERE d.tenant_id = mine AND d.type = n.kind AND d.value_hash = n.new_hash);
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE public.cdp_identity t SET value_hash = n.new_hash, hash_key_id = n.hash_key, ciphertext = n.body, key_id = n.body_key
    FROM unnest(kinds, old_hashes, new_hashes, hash_keys, texts, text_keys) AS n (kind, old_hash, new_hash, hash_key, body, body_key)
    WHERE t.tenant_id = mine AND t.type = n.kind AND t.value_hash = n.old_hash;
  ELSIF what = 'whatsapp_identity' THEN
    -- The person may have written since, and have the name under the new key as well.
    DELETE FROM public.whatsapp_identity t USING unnest(old_hashes, new_hashes) AS n (old_hash, new_hash)
    WHERE t.tenant_id = mine AND t.hash = n.old_hash
      AND EXISTS (SELECT FROM public.whatsapp_identity d WHERE d.tenant_id = mine AND d.hash = n.new_hash AND d.contact_id = t.contact_id);
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE public.whatsapp_identity t SET hash = n.new_hash, hash_key_id = n.hash_key, ciphertext = n.body, key_id = n.body_key
    FROM unnest(old_hashes, new_hashes, hash_keys, texts, text_keys) AS n (old_hash, new_hash, hash_key, body, body_key)
    WHERE t.tenant_id = mine AND t.hash = n.old_hash;
  ELSE
    UPDATE public.whatsapp_contact t SET phone_hash = n.new_hash, hash_key_id = n.hash_key, phone = n.body, phone_key_id = n.body_key
    FROM unnest(old_hashes, new_hashes, hash_keys, texts, text_keys) AS n (old_hash, new_hash, hash_key, body, body_key)
    WHERE t.tenant_id = mine AND t.phone_hash = n.old_hash AND n.body IS NOT NULL
      AND NOT EXISTS (SELECT FROM public.whatsapp_contact d WHERE d.tenant_id = mine AND d.phone_hash = n.new_hash);
  END IF;
  GET DIAGNOSTICS more = ROW_COUNT;
  RETURN changed + more;
END
$$;
