/** All that is kept of a person, readable: rows of the database, and what senders have sent about them. */
import type { Pool } from 'pg';
import type { KeyRing } from '../credentials/key-ring.js';
import { withTenant } from '../database/database.js';
import { readableRow } from '../tenants/export-tenant.js';
import { findPerson, mentioned, type Identified, type PersonQuery } from './find-person.js';
import { mentioningDeliveries } from './mentioning-deliveries.js';
import { mentionsOf } from './mentions.js';

export interface ExportedPerson {
  tenant_id: number;
  exported_at: string;
  profile_ids: number[];
  identifiers: Identified[];
  /** By table. */
  data: Record<string, Readonly<Record<string, unknown>>[]>;
}

/** As `stratum_api` or `stratum_default_worker`. `undefined`: nothing is kept of such a person. */
export function exportPerson(
  pool: Pool,
  keys: KeyRing,
  query: PersonQuery,
): Promise<ExportedPerson | undefined> {
  const { tenantId } = query;
  return withTenant(pool, tenantId, async (client) => {
    const person = await findPerson(client, keys, query);
    const data: ExportedPerson['data'] = {};
    const { rows } = await client.query<{ what: string; found: Record<string, unknown> }>(
      'SELECT what, found FROM person_rows($1, $2)',
      [person.profileIds, person.contactIds],
    );
    for (const { what, found } of rows) (data[what] ??= []).push(readableRow(keys, tenantId, what, found));
    const matches = mentionsOf(mentioned(person));
    for await (const delivery of mentioningDeliveries(client, keys, tenantId, matches))
      (data['inbound_webhook_delivery'] ??= []).push({ ...delivery });
    if (Object.keys(data).length === 0) return undefined;
    const { profileIds: profile_ids, identifiers } = person;
    return { tenant_id: tenantId, exported_at: new Date().toISOString(), profile_ids, identifiers, data };
  });
}
