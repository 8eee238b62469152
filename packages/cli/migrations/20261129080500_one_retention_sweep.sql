-- The scheduler alone removes old rows, of every kind by the same function. The caller says how old (docs/reference/jobs.md); the least age that
-- no setting may undercut is here. Audit events, usage and cost allocations are the books and have no kind: they stay.

DROP FUNCTION purge_webhook_deliveries(timestamptz, integer);
DROP FUNCTION forget_domain_events(interval, integer);

-- Removes at most `most` rows of one kind, a table's name. Returns how many. A row that a transaction holds waits for the next call.
CREATE OR REPLACE FUNCTION forget_old_rows(what text, older_than timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
  -- Senders repeat a webhook for up to eight days.
  least_days CONSTANT integer := CASE WHEN what IN ('inbound_webhook_delivery', 'webhook_endpoint') THEN 8 ELSE 30 END;
  is_old CONSTANT text := CASE what
    WHEN 'rule_execution' THEN 'evaluated_at < $1'
    WHEN 'sync_run' THEN 'started_at < $1'
    WHEN 'pipeline_check' THEN 'checked_at < $1'
    WHEN 'forecast' THEN 'made_on < $1::date'
    -- The latest of a funnel stays, however old.
    WHEN 'cdp_funnel_result' THEN 'computed_at < $1 AND EXISTS (SELECT FROM public.cdp_funnel_result newer
      WHERE newer.tenant_id = old.tenant_id AND newer.funnel_id = old.funnel_id AND newer.computed_at > old.computed_at)'
    WHEN 'cdp_message' THEN 'seen_at < $1'
    WHEN 'cdp_rejected_event' THEN 'rejected_at < $1'
    WHEN 'alert' THEN 'closed_at < $1'
    WHEN 'platform_action' THEN 'proposed_at < $1 AND created_at < $1 AND state IN (''applied'', ''failed'')'
    -- The next snapshot is compared with the latest.
    WHEN 'competitor_snapshot' THEN 'taken_at < $1 AND EXISTS (SELECT FROM public.competitor_snapshot newer
      WHERE newer.tenant_id = old.tenant_id AND newer.competitor_id = old.competitor_id AND newer.taken_at > old.taken_at)'
    WHEN 'competitor_ad' THEN 'gone_at < $1'
    WHEN 'whatsapp_message' THEN 'greatest(sent_at, scheduled_at) < $1 AND state NOT IN (''scheduled'', ''claimed'', ''sending'')'
    WHEN 'cdp_segment_membership' THEN 'exited_at < $1'
    -- A depleted lifetime budget is reported once in a lifetime.
    WHEN 'processed_key' THEN 'processed_at < $1 AND key NOT LIKE ''budget.depleted/%/lifetime/%'''
    WHEN 'forecast_accuracy' THEN 'made_on < $1::date'
    WHEN 'creative_metric_daily' THEN 'date < $1::date'
    WHEN 'creative_fatigue' THEN 'date < $1::date'
    WHEN 'daily_score' THEN 'date < $1::date'
    WHEN 'anomaly' THEN 'date < $1::date'
    WHEN 'campaign_metric_daily_rest' THEN 'date < $1::date'
    WHEN 'cdp_event_rest' THEN 'occurred_at < $1'
    WHEN 'inbound_webhook_delivery' THEN 'received_at < $1'
    -- A removed endpoint goes with its last delivery.
    WHEN 'webhook_endpoint' THEN 'removed_at < $1 AND NOT EXISTS (SELECT FROM public.inbound_webhook_delivery delivery
      WHERE delivery.tenant_id = old.tenant_id AND delivery.endpoint_id = old.id)'
    -- With its outbound messages and their attempts.
    WHEN 'domain_event' THEN 'published_at < $1'
  END;
  gone bigint;
BEGIN
  IF is_old IS NULL THEN
    RAISE EXCEPTION 'rows of the kind "%" are not removed', what;
  END IF;
  IF older_than > now() - make_interval(days => least_days) THEN
    RAISE EXCEPTION 'rows of the kind "%" are kept for at least % days', what, least_days;
  END IF;
  EXECUTE format('DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM public.%1$I AS old WHERE %2$s LIMIT $2 FOR UPDATE SKIP LOCKED))', what, is_old) USING older_than, most;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;
