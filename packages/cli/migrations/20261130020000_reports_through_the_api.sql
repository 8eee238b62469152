-- What jobs computed can be read through the API.
GRANT SELECT ON forecast, forecast_accuracy, prediction, anomaly, alert, daily_score, creative_fatigue, cost_allocation, usage_rollup,
  pipeline_check, sync_run TO stratum_api;
GRANT SELECT (tenant_id, id, campaign_id, name) ON creative TO stratum_api;
