-- Forecasts with what they were worth on the past, predictions, anomalies.

-- campaign_id 0 is the total of the tenant in that currency.
CREATE TABLE forecast (
  tenant_id    bigint NOT NULL REFERENCES tenant,
  campaign_id  bigint NOT NULL,
  currency     char(3) NOT NULL,
  metric       text NOT NULL CHECK (metric IN ('spend', 'revenue', 'conversions')),
  made_on      date NOT NULL,
  date         date NOT NULL,
  mean         double precision NOT NULL,
  lower_80     double precision NOT NULL,
  upper_80     double precision NOT NULL,
  lower_95     double precision NOT NULL,
  upper_95     double precision NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id, currency, metric, made_on, date),
  CHECK (lower_95 <= lower_80 AND lower_80 <= mean AND mean <= upper_80 AND upper_80 <= upper_95)
);

CREATE TABLE forecast_accuracy (
  tenant_id    bigint NOT NULL REFERENCES tenant,
  campaign_id  bigint NOT NULL,
  currency     char(3) NOT NULL,
  metric       text NOT NULL,
  made_on      date NOT NULL,
  model        text NOT NULL,
  -- Against the seasonal naive forecast on the past: below 1 is better. Unknown where the history was too short to tell.
  mase         double precision,
  naive_mase   double precision,
  coverage_95  double precision,
  origins      integer NOT NULL,
  history_days integer NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id, currency, metric, made_on)
);

CREATE TABLE prediction (
  tenant_id          bigint NOT NULL,
  campaign_id        bigint NOT NULL,
  made_at            timestamptz NOT NULL,
  currency           char(3) NOT NULL,
  spent              numeric(20, 6) NOT NULL,
  month_end_spend    double precision NOT NULL,
  month_end_lower    double precision NOT NULL,
  month_end_upper    double precision NOT NULL,
  month_budget       numeric(20, 6),
  pacing             double precision,
  miss_probability   double precision CHECK (miss_probability BETWEEN 0 AND 1),
  elasticity         double precision,
  roas_at            jsonb NOT NULL,
  suggested_budget   double precision,
  explanation        text NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id),
  FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaign (tenant_id, id)
);

CREATE TABLE anomaly (
  tenant_id    bigint NOT NULL,
  campaign_id  bigint NOT NULL,
  metric       text NOT NULL CHECK (metric IN ('spend', 'cpa', 'roas')),
  date         date NOT NULL,
  value        double precision NOT NULL,
  expected     double precision NOT NULL,
  robust_z     double precision NOT NULL,
  confidence   double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  explanation  text NOT NULL,
  PRIMARY KEY (tenant_id, campaign_id, metric, date),
  FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaign (tenant_id, id)
);

SELECT isolate_tenants('forecast', 'forecast_accuracy', 'prediction', 'anomaly');
GRANT SELECT, INSERT, UPDATE, DELETE ON forecast, forecast_accuracy, anomaly TO stratum_ml_worker;
GRANT SELECT, INSERT, UPDATE ON prediction TO stratum_ml_worker;
