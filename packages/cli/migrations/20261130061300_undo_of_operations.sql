-- Discarded letters can be put back for a day. Operations are also for the API and the command, with the API's rights.

ALTER TABLE operation DROP CONSTRAINT operation_state_check;
ALTER TABLE operation ADD CONSTRAINT operation_state_check
  CHECK (state IN ('draft', 'running', 'paused', 'stopped', 'ended', 'undoing', 'undone'));
ALTER TABLE operation_item ADD COLUMN letter jsonb;
ALTER TABLE operation_item DROP CONSTRAINT operation_item_outcome_check;
ALTER TABLE operation_item ADD CONSTRAINT operation_item_outcome_check CHECK (outcome IN ('done', 'kept', 'gone', 'restored'));
DROP INDEX operation_running;
CREATE INDEX operation_running ON operation (begins_at) WHERE state IN ('running', 'undoing');
CREATE INDEX operation_item_letter ON operation_item (operation_id, place) WHERE letter IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON operation, operation_item TO stratum_api;
GRANT SELECT ON task_name, worker_name TO stratum_api;
GRANT EXECUTE ON FUNCTION search_ended_runs(text, jsonb, timestamptz, timestamptz, timestamptz, text, integer), search_open_runs(text, jsonb, integer) TO stratum_api;

CREATE OR REPLACE FUNCTION forget_dashboard_rows() RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM public.gauge_10s WHERE at < now() - interval '2 days';
  DELETE FROM public.dashboard_link WHERE expires_at < now() - interval '1 day';
  DELETE FROM public.dashboard_session WHERE expires_at < now() - interval '30 days';
  DELETE FROM public.operation WHERE created_at < now() - interval '7 days' OR (state = 'draft' AND created_at < now() - interval '1 hour');
  UPDATE public.operation_item AS item SET letter = NULL FROM public.operation
  WHERE operation.id = item.operation_id AND item.letter IS NOT NULL AND operation.ended_at < now() - interval '1 day'
$$;

-- A letter has a payload: it does not outlast its tenant, nor a person of the tenant who was erased.
CREATE FUNCTION forget_kept_letters() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE public.operation_item SET letter = NULL
  WHERE letter IS NOT NULL AND tenant = CASE TG_TABLE_NAME WHEN 'tenant' THEN to_jsonb(NEW) ->> 'id' ELSE to_jsonb(NEW) ->> 'tenant_id' END;
  RETURN NULL;
END
$$;
CREATE TRIGGER forget_kept_letters AFTER UPDATE ON tenant FOR EACH ROW WHEN (is_open(OLD) AND NOT is_open(NEW)) EXECUTE FUNCTION forget_kept_letters();
CREATE TRIGGER forget_kept_letters AFTER INSERT ON erased_person FOR EACH ROW EXECUTE FUNCTION forget_kept_letters();
