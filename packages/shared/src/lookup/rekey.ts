/**
 * Brings stored lookup hashes to the current key, a batch at a time, while everything else goes on: a row is found by its old hash until it is
 * changed, and by the new one afterwards. What is encrypted with the row is encrypted again, because it belongs to the hash. A run that is cut
 * short goes on with the rows that are left.
 */
import type { Pool, PoolClient } from 'pg';
import { openCredentials, sealCredentials, type SealedCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import { withTenant } from '../database/database.js';
import { normaliseEmail } from '../customer-events/email.js';
import { WRITER_LOCK } from '../profiles/writer-lock.js';
import { lookupHash, plainHash } from './lookup-hash.js';

const BATCH = 500;

interface OldRow {
  kind: string;
  old_hash: Buffer;
  hash_key_id: string | null;
  ciphertext: Buffer | null;
  key_id: string | null;
}

/** How what is encrypted in a row names its owner. */
const TABLES: Readonly<Record<string, (kind: string) => string>> = {
  cdp_identity: (kind) => `cdp_${kind}`,
  whatsapp_contact: () => 'whatsapp_contact',
  whatsapp_identity: () => 'whatsapp_contact',
};

export interface Rekeyed {
  changed: number;
  /** Rows whose value is not known, or whose encryption key is gone: they keep their hash. */
  kept: number;
}

/** One tenant, all of it or until the signal. As `stratum_default_worker`. */
export async function rekeyTenant(
  pool: Pool,
  keys: KeyRing,
  tenantId: number,
  signal: AbortSignal,
): Promise<Rekeyed> {
  const sum = { changed: 0, kept: 0 };
  for (const table of Object.keys(TABLES))
    for (let more = true; more;) {
      signal.throwIfAborted();
      const done = await withTenant(pool, tenantId, async (client) => {
        await client.query(`SELECT ${WRITER_LOCK}`, [tenantId]);
        return rekeyBatch(client, keys, tenantId, table);
      });
      sum.changed += done.changed;
      sum.kept += done.kept;
      more = done.changed > 0;
    }
  return sum;
}

async function rekeyBatch(
  client: PoolClient,
  keys: KeyRing,
  tenantId: number,
  table: string,
): Promise<Rekeyed> {
  const { rows } = await client.query<OldRow>('SELECT * FROM old_lookup_rows($1, $2, $3)', [
    table,
    keys.current.id,
    BATCH,
  ]);
  const changes = rows.flatMap((row) => {
    const change = changeOf(keys, tenantId, TABLES[table]?.(row.kind) ?? '', row);
    return change === undefined ? [] : [{ row, ...change }];
  });
  if (changes.length === 0) return { changed: 0, kept: rows.length };
  const answer = await client.query<{ changed: string }>(
    'SELECT replace_lookup_rows($1, $2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::bytea[], $7::text[]) AS changed',
    [
      table,
      changes.map(({ row }) => row.kind),
      changes.map(({ row }) => row.old_hash),
      changes.map(({ hash }) => Buffer.from(hash, 'hex')),
      changes.map(({ keyId }) => keyId),
      changes.map(({ sealed }) => sealed?.ciphertext ?? null),
      changes.map(({ sealed }) => sealed?.keyId ?? null),
    ],
  );
  const changed = Number(answer.rows[0]?.changed);
  return { changed, kept: rows.length - changed };
}

/** `undefined`: it cannot be computed. A plain hash is enough for that; one with another key needs the value. */
function changeOf(
  keys: KeyRing,
  tenantId: number,
  platform: string,
  { old_hash: oldHash, hash_key_id: hashKeyId, ciphertext, key_id: keyId }: OldRow,
): { hash: string; keyId: string; sealed: SealedCredentials | undefined } | undefined {
  const oldText = oldHash.toString('hex');
  let value: string | undefined;
  if (ciphertext !== null && keyId !== null && ciphertext.length > 0) {
    if (keys.key(keyId) === undefined) return undefined;
    try {
      value = String(
        openCredentials(keys, { tenantId, platform, externalId: oldText }, { keyId, ciphertext }),
      );
    } catch {
      return undefined;
    }
  }
  if (value === undefined && hashKeyId !== null) return undefined;
  const plain =
    value === undefined
      ? oldText
      : plainHash(platform === 'cdp_email' ? (normaliseEmail(value) ?? value) : value);
  const next = lookupHash(keys, tenantId, plain);
  const sealed =
    value === undefined
      ? undefined
      : sealCredentials(keys, { tenantId, platform, externalId: next.hash }, value);
  return { ...next, sealed };
}
