-- The tables of webhooks are named by their direction.

ALTER TABLE webhook_delivery RENAME TO inbound_webhook_delivery;
ALTER TABLE webhook_message RENAME TO outbound_webhook_message;
ALTER TABLE webhook_attempt RENAME TO outbound_webhook_attempt;

-- Indexes, constraints and sequences follow their tables.
DO $$
DECLARE
  renamed record;
BEGIN
  FOR renamed IN
    SELECT conrelid::regclass AS owner, conname::text AS name FROM pg_constraint
    WHERE conrelid IN ('inbound_webhook_delivery'::regclass, 'outbound_webhook_message'::regclass, 'outbound_webhook_attempt'::regclass)
      AND conname ~ '^webhook_(delivery|message|attempt)_'
  LOOP
    EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed.owner, renamed.name,
      CASE WHEN renamed.name LIKE 'webhook_delivery_%' THEN 'in' ELSE 'out' END || 'bound_' || renamed.name);
  END LOOP;
  -- Those of constraints have their new names by now.
  FOR renamed IN
    SELECT relkind, relname::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('i', 'S') AND relname ~ '^webhook_(delivery|message|attempt)_'
  LOOP
    EXECUTE format('ALTER %s %I RENAME TO %I', CASE renamed.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'INDEX' END, renamed.name,
      CASE WHEN renamed.name LIKE 'webhook_delivery_%' THEN 'in' ELSE 'out' END || 'bound_' || renamed.name);
  END LOOP;
END
$$;

-- Processes of the release before use the old names until they are replaced (docs/decisions/0012-migrations.md). The caller's own rights and its
-- tenant's rows apply.
CREATE VIEW webhook_delivery WITH (security_invoker = true) AS SELECT * FROM inbound_webhook_delivery;
CREATE VIEW webhook_message WITH (security_invoker = true) AS SELECT * FROM outbound_webhook_message;
CREATE VIEW webhook_attempt WITH (security_invoker = true) AS SELECT * FROM outbound_webhook_attempt;
GRANT SELECT ON webhook_delivery, webhook_message, webhook_attempt TO stratum_api;
GRANT INSERT, UPDATE ON webhook_message TO stratum_api;
GRANT SELECT, INSERT, UPDATE ON webhook_delivery TO stratum_default_worker;
GRANT SELECT, UPDATE ON webhook_message TO stratum_default_worker;
GRANT INSERT ON webhook_attempt TO stratum_default_worker;

-- Published events become messages for the active subscriptions that want them. Returns the messages that need a task, among them those
-- that an earlier call stored and no task has begun: its caller may have died before it made the tasks.
CREATE OR REPLACE FUNCTION expect_webhooks(tenants bigint[], events bigint[]) RETURNS TABLE (tenant_id bigint, subscription_id text, event_id bigint)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  -- A plan that a session has made while there were no subscriptions is of no use once there are thousands.
  SET plan_cache_mode = force_custom_plan
AS $$
  INSERT INTO public.outbound_webhook_message AS message (tenant_id, subscription_id, event_id, next_attempt_at)
  SELECT subscription.tenant_id, subscription.id, event.id, now()
  FROM unnest(tenants, events) AS published (tenant_id, event_id)
  JOIN public.domain_event AS event ON event.tenant_id = published.tenant_id AND event.id = published.event_id
  JOIN public.subscription AS subscription ON subscription.tenant_id = published.tenant_id
    AND subscription.status = 'active' AND event.type = ANY (subscription.event_types)
  JOIN public.tenant AS tenant ON tenant.id = published.tenant_id AND tenant.deleted_at IS NULL
  GROUP BY 1, 2, 3
  -- Changes nothing, but returns a row that exists and that no task has begun.
  ON CONFLICT ON CONSTRAINT outbound_webhook_message_pkey DO UPDATE SET tries = message.tries
    WHERE message.state = 'pending' AND message.attempts = 0 AND message.claim IS NULL
  RETURNING message.tenant_id, message.subscription_id, message.event_id
$$;

-- Messages that have been due for a while and that no task has claimed: their task was lost, or found no free place. Each is claimed for
-- the task that the caller makes for it, so that it gets one; a subscription gets no more than it may have at a time.
CREATE OR REPLACE FUNCTION reserve_overdue_webhooks(overdue interval, reserved interval, places integer, most integer)
  RETURNS TABLE (tenant_id bigint, subscription_id text, event_id bigint, claim text)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_custom_plan
AS $$
  UPDATE public.outbound_webhook_message AS message SET claim = 'deliver-' || gen_random_uuid(), claimed_until = now() + reserved
  FROM (
    SELECT waiting.tenant_id, waiting.subscription_id, waiting.event_id
    FROM public.subscription AS subscription
    JOIN public.tenant AS tenant ON tenant.id = subscription.tenant_id AND tenant.deleted_at IS NULL
    CROSS JOIN LATERAL (
      SELECT greatest(0, places - count(*)) AS places FROM public.outbound_webhook_message AS busy
      WHERE busy.tenant_id = subscription.tenant_id AND busy.subscription_id = subscription.id AND busy.claim IS NOT NULL AND busy.claimed_until > now()
    ) AS free
    CROSS JOIN LATERAL (
      SELECT candidate.tenant_id, candidate.subscription_id, candidate.event_id FROM public.outbound_webhook_message AS candidate
      WHERE candidate.tenant_id = subscription.tenant_id AND candidate.subscription_id = subscription.id AND candidate.state = 'pending'
        AND candidate.next_attempt_at < now() - overdue AND (candidate.claim IS NULL OR candidate.claimed_until < now())
      ORDER BY candidate.next_attempt_at, candidate.event_id LIMIT free.places FOR UPDATE SKIP LOCKED
    ) AS waiting
    WHERE subscription.status = 'active' AND (subscription.throttled_until IS NULL OR subscription.throttled_until < now())
    LIMIT most
  ) AS chosen
  WHERE message.tenant_id = chosen.tenant_id AND message.subscription_id = chosen.subscription_id AND message.event_id = chosen.event_id
  RETURNING message.tenant_id, message.subscription_id, message.event_id, message.claim
$$;
