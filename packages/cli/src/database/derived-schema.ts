/** The parts of the schema that come from the code: a role for each service, and the names of the ad platforms. No migration has to repeat them. */
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { SERVICE_ROLES } from '@stratum/shared';
import type { Client, ClientBase } from 'pg';

/**
 * Creates the roles that are missing, before the migrations, which grant them their rights. Roles belong to the whole server, and several of
 * its databases may be migrated at once.
 */
export async function createServiceRoles(client: ClientBase): Promise<void> {
  for (const role of SERVICE_ROLES) {
    await client.query(`
      DO $$
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('stratum.roles'));
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN
          CREATE ROLE ${role} NOLOGIN NOBYPASSRLS;
        END IF;
        IF NOT has_schema_privilege('${role}', 'public', 'USAGE') THEN
          GRANT USAGE ON SCHEMA public TO ${role};
        END IF;
      END
      $$`);
  }
}

const PLATFORM_CHECK = 'platform_account_platform_check';

/** Lets the database accept the ad platforms of the registry, and no other. Accounts of a platform that left the registry stay. */
export async function checkPlatformNames(client: Client): Promise<void> {
  const { rows } = await client.query<{ definition: string }>(
    `SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE conrelid = 'platform_account'::regclass AND conname = $1`,
    [PLATFORM_CHECK],
  );
  const accepted = [...(rows[0]?.definition ?? '').matchAll(/'([a-z_]+)'/g)].map(([, name = '']) => name);
  if (accepted.toSorted().join() === PLATFORM_NAMES.toSorted().join()) return;
  const names = PLATFORM_NAMES.map((name) => client.escapeLiteral(name)).join(', ');
  await client.query(`
    ALTER TABLE platform_account DROP CONSTRAINT IF EXISTS ${PLATFORM_CHECK},
      ADD CONSTRAINT ${PLATFORM_CHECK} CHECK (platform IN (${names})) NOT VALID`);
}
