-- What a longer look at the jobs asked for: one log row for each look, scores on the campaign, alerts over WhatsApp.

-- A look that is written twice, because its task was delivered twice, is one look. Of those that were, the first stays.
DELETE FROM rule_execution twice USING rule_execution first
WHERE first.tenant_id = twice.tenant_id AND first.rule_id = twice.rule_id AND first.campaign_id = twice.campaign_id
  AND first.evaluated_at = twice.evaluated_at AND first.id < twice.id;
DROP INDEX rule_execution_latest;
CREATE UNIQUE INDEX rule_execution_look ON rule_execution (tenant_id, rule_id, campaign_id, evaluated_at DESC);

-- The scores of the latest day that has any.
ALTER TABLE campaign
  ADD COLUMN scaling_score double precision CHECK (scaling_score BETWEEN -1 AND 1),
  ADD COLUMN health_score integer CHECK (health_score BETWEEN 0 AND 100),
  ADD COLUMN scored_on date;
UPDATE campaign c SET scaling_score = s.score, health_score = s.health, scored_on = s.date
FROM (SELECT DISTINCT ON (tenant_id, campaign_id) tenant_id, campaign_id, score, health, date FROM daily_score
      WHERE score IS NOT NULL ORDER BY tenant_id, campaign_id, date DESC) s
WHERE c.tenant_id = s.tenant_id AND c.id = s.campaign_id;
GRANT UPDATE (scaling_score, health_score, scored_on) ON campaign TO stratum_default_worker;

-- Nothing is sent for a tenant that is gone. A claim that waits for its turn stands in the future, and is not taken for lost.
CREATE OR REPLACE FUNCTION claim_due_messages(due timestamptz, most integer) RETURNS TABLE (tenant_id bigint, message_id bigint)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE public.whatsapp_message AS message SET state = 'claimed', claimed_at = now()
  WHERE message.id IN (
    SELECT waiting.id FROM public.whatsapp_message AS waiting
    JOIN public.tenant AS tenant ON tenant.id = waiting.tenant_id AND tenant.deleted_at IS NULL
    WHERE waiting.scheduled_at <= due AND (waiting.state = 'scheduled' OR (waiting.state = 'claimed' AND waiting.claimed_at < now() - interval '5 minutes'))
    ORDER BY waiting.scheduled_at, waiting.id LIMIT most FOR UPDATE OF waiting SKIP LOCKED)
  RETURNING message.tenant_id, message.id
$$;

-- A rule's alert may go out as a message. Of numbers and credentials the rules see nothing.
GRANT SELECT (tenant_id, id) ON whatsapp_account, whatsapp_contact TO stratum_rules_worker;
GRANT SELECT (tenant_id, id, parameters) ON whatsapp_template TO stratum_rules_worker;
GRANT SELECT (tenant_id, id), INSERT (tenant_id, account_id, contact_id, template_id, parameters, scheduled_at) ON whatsapp_message
  TO stratum_rules_worker;

-- When it was written down, by the real clock: the time it was proposed for is a tick, which may be one of the past.
ALTER TABLE platform_action ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();

-- Rights that no work needs.
REVOKE DELETE ON forecast, forecast_accuracy, anomaly FROM stratum_ml_worker;
REVOKE SELECT ON cdp_identity FROM stratum_cdp_worker;
GRANT SELECT (tenant_id, type, profile_id) ON cdp_identity TO stratum_cdp_worker;
