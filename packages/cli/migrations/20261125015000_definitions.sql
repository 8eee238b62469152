-- Rules, segments and funnels are written by the API's role, which sees what came of them and nothing of the customers.

GRANT SELECT, INSERT (tenant_id, name, status, priority, definition), UPDATE (status, priority, definition) ON rule TO stratum_api;
GRANT SELECT ON rule_execution TO stratum_api;
GRANT SELECT (tenant_id, id, name) ON campaign TO stratum_api;
GRANT SELECT, INSERT (tenant_id, name, definition, depends_on), UPDATE (definition, depends_on) ON cdp_segment TO stratum_api;
GRANT SELECT, INSERT (tenant_id, name, definition), UPDATE (definition) ON cdp_funnel TO stratum_api;
GRANT SELECT ON cdp_funnel_result TO stratum_api;
