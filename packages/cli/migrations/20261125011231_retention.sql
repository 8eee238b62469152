-- What has served its time is removed, a part at a time, for all tenants. How long is told by the caller (docs/reference/jobs.md); here stands what no
-- setting may undercut. Audit events, usage and cost allocations are the books: they stay.

-- When an id was first seen, whatever time its event claims.
ALTER TABLE cdp_message ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();

-- Rows of these are appended in the order of time: a few bytes say which pages are old.
CREATE INDEX cdp_message_age ON cdp_message USING brin (seen_at) WITH (autosummarize = on);
CREATE INDEX rule_execution_age ON rule_execution USING brin (evaluated_at) WITH (autosummarize = on);
CREATE INDEX sync_run_age ON sync_run USING brin (started_at) WITH (autosummarize = on);
CREATE INDEX forecast_age ON forecast USING brin (made_on) WITH (autosummarize = on);
CREATE INDEX creative_metric_age ON creative_metric_daily USING brin (date) WITH (autosummarize = on);
CREATE INDEX cdp_segment_membership_exited ON cdp_segment_membership (exited_at) WHERE exited_at IS NOT NULL;

-- Removes rows of one kind that are older, at most so many. Returns how many.
CREATE FUNCTION forget_old_rows(what text, older_than timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  gone bigint;
BEGIN
  IF older_than > now() - interval '30 days' THEN
    RAISE EXCEPTION 'nothing is removed before it is thirty days old';
  END IF;
  CASE what
    WHEN 'rule_execution' THEN
      DELETE FROM public.rule_execution WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.rule_execution WHERE evaluated_at < older_than LIMIT most));
    WHEN 'sync_run' THEN
      DELETE FROM public.sync_run WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.sync_run WHERE started_at < older_than LIMIT most));
    WHEN 'pipeline_check' THEN
      DELETE FROM public.pipeline_check WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.pipeline_check WHERE checked_at < older_than LIMIT most));
    WHEN 'forecast' THEN
      DELETE FROM public.forecast WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.forecast WHERE made_on < older_than::date LIMIT most));
    WHEN 'cdp_funnel_result' THEN
      -- The latest of a funnel stays, however old.
      DELETE FROM public.cdp_funnel_result WHERE ctid = ANY (ARRAY(
        SELECT old.ctid FROM public.cdp_funnel_result old WHERE old.computed_at < older_than AND EXISTS (
          SELECT FROM public.cdp_funnel_result newer
          WHERE newer.tenant_id = old.tenant_id AND newer.funnel_id = old.funnel_id AND newer.computed_at > old.computed_at) LIMIT most));
    WHEN 'cdp_message' THEN
      DELETE FROM public.cdp_message WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.cdp_message WHERE seen_at < older_than LIMIT most));
    WHEN 'cdp_rejected_event' THEN
      DELETE FROM public.cdp_rejected_event WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.cdp_rejected_event WHERE rejected_at < older_than LIMIT most));
    WHEN 'alert' THEN
      DELETE FROM public.alert WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.alert WHERE closed_at < older_than LIMIT most));
    WHEN 'platform_action' THEN
      DELETE FROM public.platform_action WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.platform_action
        WHERE proposed_at < older_than AND created_at < older_than AND state IN ('applied', 'failed') LIMIT most));
    WHEN 'competitor_snapshot' THEN
      -- The next look is compared with the latest.
      DELETE FROM public.competitor_snapshot WHERE ctid = ANY (ARRAY(
        SELECT old.ctid FROM public.competitor_snapshot old WHERE old.taken_at < older_than AND EXISTS (
          SELECT FROM public.competitor_snapshot newer
          WHERE newer.tenant_id = old.tenant_id AND newer.competitor_id = old.competitor_id AND newer.taken_at > old.taken_at) LIMIT most));
    WHEN 'competitor_ad' THEN
      DELETE FROM public.competitor_ad WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.competitor_ad WHERE gone_at < older_than LIMIT most));
    WHEN 'whatsapp_message' THEN
      DELETE FROM public.whatsapp_message WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.whatsapp_message
        WHERE greatest(sent_at, scheduled_at) < older_than AND state NOT IN ('scheduled', 'claimed', 'sending') LIMIT most));
    WHEN 'cdp_segment_membership' THEN
      DELETE FROM public.cdp_segment_membership WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.cdp_segment_membership WHERE exited_at < older_than LIMIT most));
    WHEN 'processed_key' THEN
      -- A lifetime's budget is told once in a lifetime.
      DELETE FROM public.processed_key WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.processed_key
        WHERE processed_at < older_than AND key NOT LIKE 'budget.depleted/%/lifetime/%' LIMIT most));
    WHEN 'forecast_accuracy' THEN
      DELETE FROM public.forecast_accuracy WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.forecast_accuracy WHERE made_on < older_than::date LIMIT most));
    WHEN 'creative_metric_daily' THEN
      DELETE FROM public.creative_metric_daily WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.creative_metric_daily WHERE date < older_than::date LIMIT most));
    WHEN 'creative_fatigue' THEN
      DELETE FROM public.creative_fatigue WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.creative_fatigue WHERE date < older_than::date LIMIT most));
    WHEN 'daily_score' THEN
      DELETE FROM public.daily_score WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.daily_score WHERE date < older_than::date LIMIT most));
    WHEN 'anomaly' THEN
      DELETE FROM public.anomaly WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.anomaly WHERE date < older_than::date LIMIT most));
    WHEN 'campaign_metric_daily_rest' THEN
      DELETE FROM public.campaign_metric_daily_rest WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.campaign_metric_daily_rest WHERE date < older_than::date LIMIT most));
    WHEN 'cdp_event_rest' THEN
      DELETE FROM public.cdp_event_rest WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM public.cdp_event_rest WHERE occurred_at < older_than LIMIT most));
    ELSE
      RAISE EXCEPTION 'rows of the kind "%" are not removed', what;
  END CASE;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;

-- Removes the oldest month of a partitioned table if all of it is older. Returns its partition's name; null when there is none left.
-- Whoever holds the table keeps us from it for a moment only: we must not make others wait behind us.
CREATE FUNCTION drop_old_month(parent text, before timestamptz) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
  oldest text;
BEGIN
  IF before > now() - interval '30 days' THEN
    RAISE EXCEPTION 'nothing is removed before it is thirty days old';
  END IF;
  IF parent NOT IN ('cdp_event', 'campaign_metric_daily') THEN
    RAISE EXCEPTION 'months of the table "%" are not removed', parent;
  END IF;
  SELECT min(child.relname) INTO oldest FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
  WHERE inhparent = to_regclass('public.' || parent) AND child.relname ~ ('^' || parent || '_\d{4}_\d{2}$');
  IF oldest IS NULL OR to_date(right(oldest, 7), 'YYYY_MM') + interval '1 month' > before THEN
    RETURN NULL;
  END IF;
  EXECUTE format('DROP TABLE public.%I', oldest);
  RETURN oldest;
END
$$;

REVOKE ALL ON FUNCTION forget_old_rows(text, timestamptz, integer), drop_old_month(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_old_rows(text, timestamptz, integer), drop_old_month(text, timestamptz) TO stratum_scheduler;
