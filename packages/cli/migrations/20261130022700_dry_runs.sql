-- A dry run of a rule looks at campaigns as they were then.
GRANT SELECT ON campaign_change TO stratum_rules_worker;
