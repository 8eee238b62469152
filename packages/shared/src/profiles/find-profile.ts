/** A profile as a person looks at it. */
import type { Pool, PoolClient } from 'pg';
import { openCredentials } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import { normaliseEmail } from '../customer-events/email.js';
import { IDENTIFIER_TYPES, type IdentifierType } from '../customer-events/identifiers.js';
import { withTenant } from '../database/database.js';
import { lookupHashes, plainHash } from '../lookup/lookup-hash.js';

export interface ProfileView {
  id: number;
  external_id: string | null;
  traits: Record<string, unknown>;
  total_events: number;
  total_purchases: number;
  /** A decimal number in the tenant's currency. */
  total_revenue: string;
  first_seen_at: Date | null;
  last_seen_at: Date | null;
  /** Decrypted. */
  identities: { type: string; value: string | null }[];
  /** Profiles that became part of it, the newest first. */
  merges: { id: number; profile_id: number; reason: string; merged_at: Date; undone_at: Date | null }[];
  /** The newest first. */
  events: { name: string; occurred_at: Date; properties: Record<string, unknown> }[];
}

/** By what somebody is known: a profile's own id, an identifier, or a text that may be any of them. */
export type ProfileName = { id: number } | { type: IdentifierType; value: string } | string;

export interface ProfileQuery {
  tenantId: number;
  who: ProfileName;
  /** Events to show. */
  events: number;
}

/** As `stratum_api`. `undefined` when nobody is known by that. */
export function findProfile(
  pool: Pool,
  keys: KeyRing,
  { tenantId, who, events }: ProfileQuery,
): Promise<ProfileView | undefined> {
  return withTenant(pool, tenantId, async (client) => {
    const id = await profileOf({ client, keys, tenantId }, who);
    if (id === undefined) return undefined;
    const { rows } = await client.query<Omit<ProfileView, 'id' | 'identities' | 'merges' | 'events'>>(
      `SELECT external_id, traits, total_events::int, total_purchases::int, trim_scale(total_revenue)::text AS total_revenue, first_seen_at, last_seen_at
       FROM cdp_profile WHERE tenant_id = current_tenant() AND id = $1`,
      [id],
    );
    const [profile] = rows;
    if (profile === undefined) return undefined;
    return {
      id,
      ...profile,
      identities: await identitiesOf(client, keys, tenantId, id),
      merges: await mergesOf(client, id),
      events: (
        await client.query<ProfileView['events'][number]>(
          `SELECT name, occurred_at, properties FROM cdp_event WHERE tenant_id = current_tenant() AND profile_id = $1
           ORDER BY occurred_at DESC LIMIT $2`,
          [id, events],
        )
      ).rows,
    };
  });
}

interface Lookup {
  client: PoolClient;
  keys: KeyRing;
  tenantId: number;
}

/** The profile that somebody is known as, or what it has become part of. Inside the caller's transaction, as the tenant. */
export async function profileOf(lookup: Lookup, who: ProfileName): Promise<number | undefined> {
  const { client } = lookup;
  if (typeof who === 'object') return 'id' in who ? wholeOf(client, who.id) : ownerOf(lookup, who);
  for (const type of IDENTIFIER_TYPES) {
    const owner = await ownerOf(lookup, { type, value: who });
    if (owner !== undefined) return owner;
  }
  return /^\d{1,15}$/.test(who) ? wholeOf(client, Number(who)) : undefined;
}

/** Whose identifier it is. */
async function ownerOf(
  { client, keys, tenantId }: Lookup,
  { type, value }: { type: IdentifierType; value: string },
): Promise<number | undefined> {
  const stored = type === 'email' ? normaliseEmail(value) : value.trim();
  if (stored === undefined) return undefined;
  const { rows } = await client.query<{ profile_id: string }>(
    `SELECT profile_id FROM cdp_identity WHERE tenant_id = current_tenant() AND type = $1
       AND value_hash = ANY (SELECT decode(hash, 'hex') FROM unnest($2::text[]) AS hash) LIMIT 1`,
    [type, lookupHashes(keys, tenantId, plainHash(stored))],
  );
  const [row] = rows;
  if (row !== undefined) return Number(row.profile_id);
  return type === 'user_id' ? importedUser(client, stored) : undefined;
}

/** A user that only the profile names: an import wrote no identity. */
async function importedUser(client: PoolClient, userId: string): Promise<number | undefined> {
  const { rows } = await client.query<{ id: string }>(
    'SELECT id FROM cdp_profile WHERE tenant_id = current_tenant() AND external_id = $1',
    [userId],
  );
  const [row] = rows;
  return row && wholeOf(client, Number(row.id));
}

/** The profile itself, or what it has become part of. */
async function wholeOf(client: PoolClient, id: number): Promise<number | undefined> {
  const { rows } = await client.query<{ id: string }>(
    `WITH RECURSIVE chain AS (
       SELECT id, merged_into FROM cdp_profile WHERE tenant_id = current_tenant() AND id = $1
       UNION SELECT p.id, p.merged_into FROM chain JOIN cdp_profile p ON p.tenant_id = current_tenant() AND p.id = chain.merged_into
     ) SELECT id FROM chain WHERE merged_into IS NULL`,
    [id],
  );
  const [row] = rows;
  return row && Number(row.id);
}

async function identitiesOf(
  client: PoolClient,
  keys: KeyRing,
  tenantId: number,
  id: number,
): Promise<ProfileView['identities']> {
  const { rows } = await client.query<{
    type: string;
    hash: string;
    ciphertext: Buffer | null;
    key_id: string | null;
  }>(
    `SELECT type, encode(value_hash, 'hex') AS hash, ciphertext, key_id FROM cdp_identity
     WHERE tenant_id = current_tenant() AND profile_id = $1 ORDER BY type, created_at`,
    [id],
  );
  return rows.map(({ type, hash, ciphertext, key_id: keyId }) => {
    if (ciphertext === null || keyId === null) return { type, value: null };
    const owner = { tenantId, platform: `cdp_${type}`, externalId: hash };
    return { type, value: String(openCredentials(keys, owner, { keyId, ciphertext })) };
  });
}

async function mergesOf(client: PoolClient, id: number): Promise<ProfileView['merges']> {
  const { rows } = await client.query<{
    id: string;
    profile_id: string;
    reason: string;
    merged_at: Date;
    undone_at: Date | null;
  }>(
    `SELECT id, profile_id, reason, merged_at, undone_at FROM cdp_merge
     WHERE tenant_id = current_tenant() AND into_profile_id = $1 ORDER BY merged_at DESC, id DESC`,
    [id],
  );
  return rows.map((row) => ({ ...row, id: Number(row.id), profile_id: Number(row.profile_id) }));
}
