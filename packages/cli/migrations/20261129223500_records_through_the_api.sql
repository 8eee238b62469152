-- The API makes and changes what jobs read: competitors, sites and posts, WhatsApp's numbers, contacts, templates and messages. It writes secrets and
-- reads none.

GRANT SELECT, INSERT, UPDATE ON competitor TO stratum_api;

GRANT SELECT (tenant_id, id, kind, base_url, user_name), INSERT (tenant_id, base_url, user_name, secret, secret_key_id),
  UPDATE (user_name, secret, secret_key_id) ON cms_site TO stratum_api;
GRANT SELECT, INSERT (tenant_id, site_id, slug, title, content, excerpt, status, publish_at, unpublish_at),
  UPDATE (site_id, slug, title, content, excerpt, status, publish_at, unpublish_at) ON cms_post TO stratum_api;

GRANT SELECT (tenant_id, id, phone_number_id, status, status_reason, per_minute),
  INSERT (tenant_id, phone_number_id, secret, secret_key_id, per_minute, status),
  UPDATE (secret, secret_key_id, per_minute, status, status_reason) ON whatsapp_account TO stratum_api;
GRANT SELECT (opted_in_at, opted_out_at, last_inbound_at),
  INSERT (tenant_id, phone_hash, phone, phone_key_id, hash_key_id, opted_in_at, opted_out_at),
  UPDATE (opted_in_at, opted_out_at) ON whatsapp_contact TO stratum_api;
GRANT SELECT, INSERT, UPDATE (status, parameters) ON whatsapp_template TO stratum_api;
GRANT SELECT, INSERT (tenant_id, account_id, contact_id, template_id, parameters, body, scheduled_at),
  UPDATE (scheduled_at, state) ON whatsapp_message TO stratum_api;
