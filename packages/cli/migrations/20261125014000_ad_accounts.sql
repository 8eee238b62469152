-- Ad accounts are connected and disconnected by the API's role, which writes credentials and cannot read them.

ALTER TABLE platform_account ADD COLUMN name text NOT NULL DEFAULT '';

GRANT SELECT (tenant_id, id, platform, external_id, name, currency, time_zone, status, rate_limited_until, last_error, last_synced_at, created_at),
  INSERT (tenant_id, platform, external_id, name, currency, time_zone, status, credentials_ciphertext, credentials_key_id),
  UPDATE (name, currency, time_zone, status, credentials_ciphertext, credentials_key_id, rate_limited_until, last_error)
  ON platform_account TO stratum_api;
