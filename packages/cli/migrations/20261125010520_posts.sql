-- A post that its site does not take is tried again after growing pauses, and at once when it or its site is changed.

ALTER TABLE cms_post
  -- In a row, since the post or its site was changed.
  ADD COLUMN failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  -- Not before then. Null: as soon as it is due.
  ADD COLUMN next_attempt_at timestamptz;

-- Whoever changes a post may have mended it. On another site it is another post.
CREATE FUNCTION cms_post_changed() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  NEW.failures := 0;
  NEW.next_attempt_at := NULL;
  IF NEW.site_id IS DISTINCT FROM OLD.site_id THEN
    NEW.remote_id := NULL;
    NEW.remote_url := NULL;
  END IF;
  -- Taken back, it waits for nothing any more.
  IF NEW.status IS DISTINCT FROM OLD.status AND NEW.status NOT IN ('scheduled', 'published', 'unpublished') THEN
    UPDATE public.alert SET closed_at = now(), close_reason = NEW.status
    WHERE tenant_id = NEW.tenant_id AND key = 'cms/' || NEW.id AND closed_at IS NULL;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER cms_post_changed BEFORE UPDATE ON cms_post FOR EACH ROW
  WHEN ((OLD.site_id, OLD.slug, OLD.title, OLD.content, OLD.excerpt, OLD.status, OLD.publish_at, OLD.unpublish_at)
    IS DISTINCT FROM (NEW.site_id, NEW.slug, NEW.title, NEW.content, NEW.excerpt, NEW.status, NEW.publish_at, NEW.unpublish_at))
  EXECUTE FUNCTION cms_post_changed();

CREATE FUNCTION cms_site_changed() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE public.cms_post SET failures = 0, next_attempt_at = NULL
  WHERE tenant_id = NEW.tenant_id AND site_id = NEW.id AND failures > 0;
  RETURN NULL;
END
$$;
CREATE TRIGGER cms_site_changed AFTER UPDATE ON cms_site FOR EACH ROW
  WHEN ((OLD.base_url, OLD.user_name, OLD.secret, OLD.secret_key_id) IS DISTINCT FROM (NEW.base_url, NEW.user_name, NEW.secret, NEW.secret_key_id))
  EXECUTE FUNCTION cms_site_changed();
REVOKE ALL ON FUNCTION cms_post_changed(), cms_site_changed() FROM PUBLIC;

CREATE OR REPLACE FUNCTION due_posts(due timestamptz, most integer) RETURNS TABLE (tenant_id bigint, post_id bigint, action text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT post.tenant_id, post.id, CASE post.status WHEN 'scheduled' THEN 'publish' ELSE 'unpublish' END
  FROM public.cms_post AS post JOIN public.tenant AS tenant ON tenant.id = post.tenant_id
  WHERE tenant.deleted_at IS NULL AND ((post.status = 'scheduled' AND post.publish_at <= due) OR (post.status = 'published' AND post.unpublish_at <= due))
    AND (post.claimed_at IS NULL OR post.claimed_at < now() - interval '10 minutes')
    AND (post.next_attempt_at IS NULL OR post.next_attempt_at <= now())
  ORDER BY coalesce(post.publish_at, post.unpublish_at), post.id LIMIT most
$$;

GRANT UPDATE (failures, next_attempt_at) ON cms_post TO stratum_default_worker;
