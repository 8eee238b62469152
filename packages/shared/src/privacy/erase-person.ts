/**
 * Erases a person: first everything in the database, in one transaction with the marks that keep repeated events from bringing them back; then
 * what the broker keeps. Repeated, it finds less and does no harm.
 */
import type { JobsClient } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool, PoolClient } from 'pg';
import type { KeyRing } from '../credentials/key-ring.js';
import { withTenant } from '../database/database.js';
import { lookupHash, plainHash } from '../lookup/lookup-hash.js';
import { WRITER_LOCK } from '../profiles/writer-lock.js';
import { sealBody } from '../webhooks/sealing.js';
import { eraseDomainEvents } from './erase-domain-events.js';
import { findPerson, mentioned, type Person, type PersonQuery } from './find-person.js';
import { mentioningDeliveries } from './mentioning-deliveries.js';
import { mentionsOf, searchedTexts } from './mentions.js';

export interface EraseDependencies {
  /** Connected as `stratum_api` or `stratum_default_worker`. */
  pool: Pool;
  keys: KeyRing;
  connection: NatsConnection;
  client: Pick<JobsClient, 'erase'>;
  /** First token of every subject. */
  prefix: string;
}

export interface EraseOptions extends PersonQuery {
  /** For so long events that name the person are dropped. */
  blockDays: number;
  /** Runs in the transaction, before it is committed. */
  tell?: (erased: ErasedPerson) => Promise<void>;
}

/** Numbers of what was removed, by table and, for the broker, by kind. */
export interface ErasedPerson {
  profile_ids: number[];
  rows: Record<string, number>;
  messages: Record<string, number>;
  blocked_until: string;
}

const DAY_MS = 86_400_000;
const PAGE = 200;
/** What a body is replaced with. */
const ERASED = '{"erased":true}';

export async function erasePerson(
  { pool, keys, connection, client, prefix }: EraseDependencies,
  { blockDays, tell, ...query }: EraseOptions,
): Promise<ErasedPerson> {
  const { tenantId } = query;
  const blockedUntil = new Date(Date.now() + blockDays * DAY_MS);
  const done = await withTenant(pool, tenantId, async (db) => {
    await db.query(`SELECT ${WRITER_LOCK}`, [tenantId]);
    const person = await findPerson(db, keys, query);
    const matches = mentionsOf(mentioned(person));
    await mark(db, keys, tenantId, person, blockedUntil);
    const { rows } = await db.query<{ report: Record<string, number> }>(
      'SELECT erase_person_rows($1, $2, $3, $4) || erase_person_from_operations($4) || erase_person_from_views($4) AS report',
      [
        person.profileIds,
        person.contactIds,
        await rejectedEvents(db, matches),
        searchedTexts(mentioned(person)),
      ],
    );
    const deliveries = await scrubDeliveries(db, keys, tenantId, matches);
    const erased: ErasedPerson = {
      profile_ids: person.profileIds,
      rows: { ...rows[0]?.report, inbound_webhook_delivery: deliveries },
      messages: {},
      blocked_until: blockedUntil.toISOString(),
    };
    await tell?.(erased);
    return { erased, matches, isNobody: person.identifiers.length === 0 };
  });
  const { erased, matches, isNobody } = done;
  // Whole streams are not read for nobody.
  if (isNobody && erased.profile_ids.length === 0) return erased;
  const stored = await client.erase({ tenant: String(tenantId), matches });
  const told = await eraseDomainEvents(connection, {
    prefix,
    tenantId,
    profileIds: new Set(erased.profile_ids),
    matches,
  });
  return { ...erased, messages: { ...stored, domain_events: told } };
}

async function mark(
  db: PoolClient,
  keys: KeyRing,
  tenantId: number,
  { identifiers }: Person,
  until: Date,
): Promise<void> {
  const hashes = identifiers.map(({ value }) => lookupHash(keys, tenantId, plainHash(value)).hash);
  await db.query(
    `INSERT INTO erased_person (tenant_id, type, value_hash, blocked_until)
     SELECT DISTINCT current_tenant(), type, decode(hash, 'hex'), $3::timestamptz FROM unnest($1::text[], $2::text[]) AS n (type, hash)
     ON CONFLICT (tenant_id, type, value_hash) DO UPDATE SET blocked_until = greatest(erased_person.blocked_until, excluded.blocked_until)`,
    [identifiers.map(({ type }) => type), hashes, until],
  );
}

/** A delivery stays, so that a repeated request is still known; its body and headers go. */
async function scrubDeliveries(
  db: PoolClient,
  keys: KeyRing,
  tenantId: number,
  matches: (body: string) => boolean,
): Promise<number> {
  let scrubbed = 0;
  for await (const delivery of mentioningDeliveries(db, keys, tenantId, matches)) {
    const { id, endpoint_id: endpointId, dedup_key: dedupKey } = delivery;
    const sealed = sealBody(keys, { tenantId, endpointId, dedupKey }, ERASED);
    await db.query(
      `UPDATE inbound_webhook_delivery SET body = $2, body_key_id = $3, headers = '{}', effect = 'the person was erased', error = NULL
       WHERE tenant_id = current_tenant() AND id = $1`,
      [id, sealed.ciphertext, sealed.keyId],
    );
    scrubbed++;
  }
  return scrubbed;
}

/** Ids of events that could not be written, and that name the person. */
async function rejectedEvents(db: PoolClient, matches: (body: Uint8Array) => boolean): Promise<string[]> {
  const chosen: string[] = [];
  for (let after = '0', more = true; more;) {
    const { rows } = await db.query<{ id: string; payload: Buffer }>(
      `SELECT id, payload FROM cdp_rejected_event WHERE tenant_id = current_tenant() AND id > $1 ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    for (const { id, payload } of rows) if (matches(payload)) chosen.push(id);
    after = rows.at(-1)?.id ?? after;
    more = rows.length === PAGE;
  }
  return chosen;
}
