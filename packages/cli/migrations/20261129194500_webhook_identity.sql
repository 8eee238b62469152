-- A body that comes again under another topic, which no signature covers, is found by its hash.
CREATE INDEX inbound_webhook_delivery_identity ON inbound_webhook_delivery (tenant_id, endpoint_id, identity);
