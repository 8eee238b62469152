-- Events that are sent out: who wants which, what is to be sent, and every attempt.

CREATE TABLE subscription (
  tenant_id             bigint NOT NULL REFERENCES tenant,
  id                    text NOT NULL UNIQUE CHECK (id ~ '^[a-z0-9]{16}$'),
  url                   text NOT NULL,
  event_types           text[] NOT NULL CHECK (event_types <> '{}'),
  description           text NOT NULL DEFAULT '',
  secret                bytea NOT NULL,
  secret_key_id         text NOT NULL,
  -- The secret before the last rotation, which signs a while longer beside the new one.
  previous_secret       bytea,
  previous_key_id       text,
  previous_until        timestamptz,
  -- paused: by its owner, or because it kept failing. disabled: the receiver said that it is gone.
  status                text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'disabled')),
  status_reason         text,
  status_changed_at     timestamptz NOT NULL DEFAULT now(),
  -- Attempts in a row without a success, and when the first of them was.
  consecutive_failures  integer NOT NULL DEFAULT 0,
  first_failed_at       timestamptz,
  -- The receiver asked for a rest until then.
  throttled_until       timestamptz,
  -- It took long to answer the last time.
  slow                  boolean NOT NULL DEFAULT false,
  created_at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  CHECK ((previous_secret IS NULL) = (previous_until IS NULL) AND (previous_secret IS NULL) = (previous_key_id IS NULL)),
  CHECK ((consecutive_failures = 0) = (first_failed_at IS NULL))
);

-- One event on its way to one subscription: the row is the truth about it, tasks only carry it out.
CREATE TABLE webhook_message (
  tenant_id        bigint NOT NULL,
  subscription_id  text NOT NULL,
  event_id         bigint NOT NULL,
  -- skipped: the subscription was not active when its turn came.
  state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'skipped')),
  -- Attempts so far; those since it was last asked for.
  attempts         integer NOT NULL DEFAULT 0,
  tries            integer NOT NULL DEFAULT 0,
  next_attempt_at  timestamptz,
  -- The task that is at it, for how long nobody else may be.
  claim            text,
  claimed_until    timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now(),
  finished_at      timestamptz,
  PRIMARY KEY (tenant_id, subscription_id, event_id),
  FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscription (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, event_id) REFERENCES domain_event (tenant_id, id) ON DELETE CASCADE,
  CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
  CHECK ((claim IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX webhook_message_waiting ON webhook_message (tenant_id, subscription_id, next_attempt_at, event_id) WHERE state = 'pending';
CREATE INDEX webhook_message_claimed ON webhook_message (tenant_id, subscription_id) WHERE claim IS NOT NULL;
CREATE INDEX webhook_message_event ON webhook_message (tenant_id, event_id);

CREATE TABLE webhook_attempt (
  tenant_id        bigint NOT NULL,
  subscription_id  text NOT NULL,
  event_id         bigint NOT NULL,
  attempt          integer NOT NULL CHECK (attempt > 0),
  at               timestamptz NOT NULL,
  duration_ms      integer NOT NULL,
  status_code      integer,
  -- Why it failed; null for a success.
  error_class      text,
  error            text,
  -- The beginning of the answer.
  response         text,
  PRIMARY KEY (tenant_id, subscription_id, event_id, attempt),
  FOREIGN KEY (tenant_id, subscription_id, event_id) REFERENCES webhook_message ON DELETE CASCADE
);

CREATE INDEX domain_event_published ON domain_event (published_at) WHERE published_at IS NOT NULL;

-- Events that have been published become messages for the active subscriptions that want them. Returns what tasks are to be made for: also
-- messages that an earlier call made and nobody has begun, because whoever called it may have died before it made the tasks.
CREATE FUNCTION expect_webhooks(tenants bigint[], events bigint[]) RETURNS TABLE (tenant_id bigint, subscription_id text, event_id bigint)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  -- A plan that a session has made while there were no subscriptions is of no use once there are thousands.
  SET plan_cache_mode = force_custom_plan
AS $$
  INSERT INTO public.webhook_message AS message (tenant_id, subscription_id, event_id, next_attempt_at)
  SELECT subscription.tenant_id, subscription.id, event.id, now()
  FROM unnest(tenants, events) AS told (tenant_id, event_id)
  JOIN public.domain_event AS event ON event.tenant_id = told.tenant_id AND event.id = told.event_id
  JOIN public.subscription AS subscription ON subscription.tenant_id = told.tenant_id
    AND subscription.status = 'active' AND event.type = ANY (subscription.event_types)
  JOIN public.tenant AS tenant ON tenant.id = told.tenant_id AND tenant.deleted_at IS NULL
  GROUP BY 1, 2, 3
  -- Changes nothing: a row that is there is returned, too, if nobody has begun it.
  ON CONFLICT ON CONSTRAINT webhook_message_pkey DO UPDATE SET tries = message.tries
    WHERE message.state = 'pending' AND message.attempts = 0 AND message.claim IS NULL
  RETURNING message.tenant_id, message.subscription_id, message.event_id
$$;

-- Messages that are due for a while and that no task is at: theirs was lost, or met no free place. Each is claimed for the task that is to
-- be made for it, so that it is made once; of one subscription no more than it may have at a time.
CREATE FUNCTION reserve_overdue_webhooks(overdue interval, reserved interval, places integer, most integer)
  RETURNS TABLE (tenant_id bigint, subscription_id text, event_id bigint, claim text)
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_custom_plan
AS $$
  UPDATE public.webhook_message AS message SET claim = 'deliver-' || gen_random_uuid(), claimed_until = now() + reserved
  FROM (
    SELECT waiting.tenant_id, waiting.subscription_id, waiting.event_id
    FROM public.subscription AS subscription
    JOIN public.tenant AS tenant ON tenant.id = subscription.tenant_id AND tenant.deleted_at IS NULL
    CROSS JOIN LATERAL (
      SELECT greatest(0, places - count(*)) AS places FROM public.webhook_message AS busy
      WHERE busy.tenant_id = subscription.tenant_id AND busy.subscription_id = subscription.id AND busy.claim IS NOT NULL AND busy.claimed_until > now()
    ) AS free
    CROSS JOIN LATERAL (
      SELECT candidate.tenant_id, candidate.subscription_id, candidate.event_id FROM public.webhook_message AS candidate
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

-- What has been told long ago goes, and what was sent of it. Returns how many events.
CREATE FUNCTION forget_domain_events(older_than interval, most integer) RETURNS bigint
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  WITH gone AS (
    DELETE FROM public.domain_event AS event USING (
      SELECT old.tenant_id, old.id FROM public.domain_event AS old
      WHERE old.published_at < now() - older_than ORDER BY old.published_at LIMIT most FOR UPDATE SKIP LOCKED) AS chosen
    WHERE event.tenant_id = chosen.tenant_id AND event.id = chosen.id
    RETURNING 1
  )
  SELECT count(*) FROM gone
$$;

SELECT isolate_tenants('subscription', 'webhook_message', 'webhook_attempt');
REVOKE ALL ON FUNCTION expect_webhooks(bigint[], bigint[]), reserve_overdue_webhooks(interval, interval, integer, integer),
  forget_domain_events(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expect_webhooks(bigint[], bigint[]), reserve_overdue_webhooks(interval, interval, integer, integer),
  forget_domain_events(interval, integer) TO stratum_scheduler;

GRANT SELECT ON subscription, webhook_message TO stratum_default_worker;
GRANT UPDATE (status, status_reason, status_changed_at, consecutive_failures, first_failed_at, throttled_until, slow) ON subscription TO stratum_default_worker;
GRANT UPDATE (state, attempts, tries, next_attempt_at, claim, claimed_until, finished_at) ON webhook_message TO stratum_default_worker;
GRANT INSERT ON webhook_attempt TO stratum_default_worker;

GRANT SELECT, INSERT, DELETE ON subscription TO stratum_api;
GRANT UPDATE (url, event_types, description, secret, secret_key_id, previous_secret, previous_key_id, previous_until, status, status_reason,
  status_changed_at, consecutive_failures, first_failed_at, throttled_until, slow) ON subscription TO stratum_api;
GRANT SELECT, INSERT ON webhook_message, domain_event TO stratum_api;
GRANT UPDATE (state, tries, next_attempt_at, claim, claimed_until, finished_at) ON webhook_message TO stratum_api;
GRANT SELECT ON webhook_attempt TO stratum_api;
GRANT SELECT (tenant_id, key, closed_at), UPDATE (closed_at, close_reason) ON alert TO stratum_api;

-- What a sync has found changed is told in the transaction that writes it.
GRANT INSERT ON domain_event TO stratum_sync_worker;
