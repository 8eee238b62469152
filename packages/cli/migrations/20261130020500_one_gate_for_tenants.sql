-- Whether a tenant may do anything: run tasks, be scheduled, send, receive, use its keys. Every query that makes work of a tenant asks this
-- function, so that a further reason to stop a tenant is one more condition here.
CREATE FUNCTION is_open(asked tenant) RETURNS boolean LANGUAGE sql IMMUTABLE
AS $$ SELECT asked.deleted_at IS NULL $$;

-- The functions that asked for the deletion themselves.
DO $$
DECLARE
  gated regprocedure;
BEGIN
  FOR gated IN
    SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc ~ '\mdeleted_at IS (NOT )?NULL\M'
      AND proname NOT IN ('is_open', 'erasable_tenants')
  LOOP
    EXECUTE regexp_replace(
      regexp_replace(
        regexp_replace(pg_get_functiondef(gated), '\m(tenant|t)\.deleted_at IS NULL\M', 'public.is_open(\1)', 'g'),
        'FROM public\.tenant WHERE deleted_at IS NULL\M', 'FROM public.tenant AS tenant WHERE public.is_open(tenant)'),
      'FROM public\.tenant WHERE deleted_at IS NOT NULL\M', 'FROM public.tenant AS tenant WHERE NOT public.is_open(tenant)');
  END LOOP;
END
$$;
