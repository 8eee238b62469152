-- Of two sessions that make a month at once, the second waits for the first and then has to see its table. to_regclass may answer from a cache
-- that is older than the wait; a query of the catalogue has a snapshot of its own.
CREATE OR REPLACE FUNCTION ensure_metric_partition(month date) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  first_day  date := date_trunc('month', month)::date;
  next_month date := (first_day + interval '1 month')::date;
  partition  text := 'campaign_metric_daily_' || to_char(first_day, 'YYYY_MM');
BEGIN
  IF first_day < date '2000-01-01' OR first_day > date '2100-01-01' OR to_regclass('public.' || partition) IS NOT NULL THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('stratum.metric_partition'));
  IF EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = 'public'::regnamespace) THEN
    RETURN;
  END IF;
  -- Rows of the month that the default partition has caught would forbid the new one: they stay where they are.
  IF EXISTS (SELECT FROM public.campaign_metric_daily_rest WHERE date >= first_day AND date < next_month) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.campaign_metric_daily FOR VALUES FROM (%L) TO (%L)', partition, first_day, next_month);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
END
$$;
