-- Further names of contacts of WhatsApp: the wa_id that Meta answers with, where it differs from the number, and the user id of the business. Two contacts
-- that turn out to be one person have both names. The hash is the one of phone_hash.

CREATE TABLE whatsapp_identity (
  tenant_id   bigint NOT NULL,
  hash        bytea NOT NULL,
  contact_id  bigint NOT NULL,
  PRIMARY KEY (tenant_id, hash, contact_id),
  FOREIGN KEY (tenant_id, contact_id) REFERENCES whatsapp_contact (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX whatsapp_identity_of_contact ON whatsapp_identity (tenant_id, contact_id);
SELECT isolate_tenants('whatsapp_identity');
GRANT SELECT, INSERT ON whatsapp_identity TO stratum_default_worker;
