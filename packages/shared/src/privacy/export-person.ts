/** All that is kept of a person, readable: rows of the database, and what senders have sent about them. */
import type { Pool } from 'pg';
import type { KeyRing } from '../credentials/key-ring.js';
import { withTenant } from '../database/database.js';
import { readableRow } from '../tenants/export-tenant.js';
import { openBody } from '../webhooks/sealing.js';
import { findPerson, mentioned, type Identified, type PersonQuery } from './find-person.js';
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
    const deliveries = await client.query<{
      id: string;
      endpoint_id: string;
      dedup_key: string;
      type: string;
      received_at: Date;
      body: Buffer;
      body_key_id: string;
    }>(
      `SELECT id, endpoint_id, dedup_key, type, received_at, body, body_key_id FROM inbound_webhook_delivery
       WHERE tenant_id = current_tenant() ORDER BY id`,
    );
    for (const { body, body_key_id: keyId, ...row } of deliveries.rows) {
      const owner = { tenantId, endpointId: row.endpoint_id, dedupKey: row.dedup_key };
      const text = openBody(keys, owner, { keyId, ciphertext: body });
      if (matches(text)) (data['inbound_webhook_delivery'] ??= []).push({ ...row, body: text });
    }
    if (Object.keys(data).length === 0) return undefined;
    const { profileIds: profile_ids, identifiers } = person;
    return { tenant_id: tenantId, exported_at: new Date().toISOString(), profile_ids, identifiers, data };
  });
}
