-- Demonstration tenants are marked, and so is a database that may have them: the row of the platform itself carries its mark.

-- Ids up to 1000 are theirs, whatever a customer's tenant is called and whenever it is made.
ALTER TABLE tenant ADD COLUMN is_demonstration boolean NOT NULL DEFAULT false CHECK (NOT is_demonstration OR id BETWEEN 0 AND 1000);
SELECT setval(pg_get_serial_sequence('tenant', 'id'), greatest(1000, (SELECT max(id) FROM tenant)));

-- Those that an earlier version has made are known by their accounts on the sandbox.
UPDATE tenant SET is_demonstration = true
WHERE (id, name) IN ((1, 'Northwind Outfitters'), (2, 'Alpenglow Reisen'))
  AND EXISTS (SELECT FROM platform_account AS account WHERE account.tenant_id = tenant.id AND account.platform = 'meta'
    AND account.external_id = CASE tenant.id WHEN 1 THEN '1000000001' ELSE '1000000005' END);
UPDATE tenant SET is_demonstration = true WHERE id = 0
  AND EXISTS (SELECT FROM tenant AS known WHERE known.id > 0) AND NOT EXISTS (SELECT FROM tenant AS real WHERE real.id > 0 AND NOT real.is_demonstration);

-- The write key that earlier versions gave to every demonstration is public. Seeding gives the demonstration tenant another one.
UPDATE event_source SET status = 'disabled' WHERE key_hash = sha256('wk_demonstration_web_site');
