/** The database's knowledge of the people that a batch names. */
import { lookupHashes, type KeyRing } from '@stratum/shared';
import type { Identifier } from '@stratum/shared/customer-events';
import type { PoolClient } from 'pg';
import { apartKey, keyOf, type KnownPeople, type KnownProfile } from './resolve.js';

export interface FoundPeople extends KnownPeople {
  /** The profile that an identifier came with, where it belongs to another one by now. */
  origins: ReadonlyMap<string, number>;
  /** Users known by their profile's `external_id` alone: an import wrote no identity. */
  unlisted: ReadonlyMap<string, Identifier>;
}

interface IdentityRow {
  place: string;
  profile_id: string;
  origin_id: string;
  user_ids: number;
  identities: number;
  addresses: number;
  has_external_id: boolean;
  kept_apart: boolean;
  events: number;
}

const PROFILE_COLUMNS =
  'p.user_ids, p.identities, p.addresses, p.external_id IS NOT NULL AS has_external_id, p.kept_apart, p.total_events::float8 AS events';

export interface PeopleLookup {
  client: PoolClient;
  tenantId: number;
  keys: KeyRing;
  /** Rows of versions before may be left, whose hashes have no key. */
  withPlain: boolean;
}

/** @param identifiers each once */
export async function readPeople(
  { client, tenantId, keys, withPlain }: PeopleLookup,
  identifiers: readonly Identifier[],
): Promise<FoundPeople> {
  const profiles = new Map<string, KnownProfile>();
  const origins = new Map<string, number>();
  const byId = new Map<number, KnownProfile>();
  let isAnyApart = false;
  const note = (identifier: Identifier, row: IdentityRow): void => {
    const id = Number(row.profile_id);
    const key = keyOf(identifier);
    const profile = byId.get(id) ?? {
      id,
      userIds: row.user_ids,
      identities: row.identities,
      addresses: row.addresses,
      hasExternalId: row.has_external_id,
      events: row.events,
    };
    byId.set(id, profile);
    profiles.set(key, profile);
    isAnyApart ||= row.kept_apart;
    const origin = Number(row.origin_id);
    if (origin !== id) origins.set(key, origin);
  };
  const hashes = identifiers.map(({ hash }) => lookupHashes(keys, tenantId, hash, withPlain));
  const perIdentifier = hashes[0]?.length ?? 1;
  const { rows } = await client.query<IdentityRow>({
    name: 'ingest-identities',
    text: `SELECT k.place, i.profile_id, coalesce(i.origin_profile_id, i.profile_id) AS origin_id, ${PROFILE_COLUMNS}
      FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (type, hash, place),
        LATERAL (SELECT * FROM cdp_identity WHERE tenant_id = $1 AND type = k.type AND value_hash = k.hash LIMIT 1) i,
        LATERAL (SELECT * FROM cdp_profile WHERE tenant_id = $1 AND id = i.profile_id LIMIT 1) p`,
    values: [
      tenantId,
      identifiers.flatMap(({ type }) => Array.from({ length: perIdentifier }, () => type)),
      hashes.flat().map((hash) => `\\x${hash}`),
    ],
  });
  for (const row of rows) {
    const identifier = identifiers[Math.floor((Number(row.place) - 1) / perIdentifier)];
    if (identifier !== undefined) note(identifier, row);
  }
  const unlisted = new Map<string, Identifier>();
  const users = identifiers.filter((each) => each.type === 'user_id' && !profiles.has(keyOf(each)));
  for (const { row, user } of await readByExternalId(client, tenantId, users)) {
    note(user, row);
    unlisted.set(keyOf(user), user);
  }
  const keptApart = isAnyApart ? await readKeptApart(client, tenantId) : new Set<string>();
  return { profiles, origins, unlisted, keptApart };
}

async function readByExternalId(
  client: PoolClient,
  tenantId: number,
  users: readonly Identifier[],
): Promise<{ user: Identifier; row: IdentityRow }[]> {
  if (users.length === 0) return [];
  const { rows } = await client.query<IdentityRow>({
    name: 'ingest-external-ids',
    // The profile may have become part of another one, and that one, too.
    text: `WITH RECURSIVE chain AS (
        SELECT k.place, p.id AS origin_id, p.id, p.merged_into
        FROM unnest($2::text[]) WITH ORDINALITY AS k (external_id, place),
          LATERAL (SELECT id, merged_into FROM cdp_profile WHERE tenant_id = $1 AND external_id = k.external_id LIMIT 1) p
        UNION ALL
        SELECT chain.place, chain.origin_id, p.id, p.merged_into
        FROM chain, LATERAL (SELECT id, merged_into FROM cdp_profile WHERE tenant_id = $1 AND id = chain.merged_into LIMIT 1) p
      )
      SELECT chain.place, p.id AS profile_id, chain.origin_id, ${PROFILE_COLUMNS}
      FROM chain, LATERAL (SELECT * FROM cdp_profile WHERE tenant_id = $1 AND id = chain.id LIMIT 1) p WHERE chain.merged_into IS NULL`,
    values: [tenantId, users.map(({ value }) => value)],
  });
  return rows.flatMap((row) => {
    const user = users[Number(row.place) - 1];
    return user === undefined ? [] : [{ user, row }];
  });
}

/** Somebody undid these merges by hand, so there are few. A profile merged since is represented by its survivor's id. */
async function readKeptApart(client: PoolClient, tenantId: number): Promise<Set<string>> {
  const { rows } = await client.query<{ one: string; other: string }>(
    `WITH RECURSIVE undone AS (
       SELECT id, profile_id, into_profile_id FROM cdp_merge WHERE tenant_id = $1 AND undone_at IS NOT NULL
     ), chain AS (
       SELECT u.id AS merge_id, side.place, side.profile_id AS id
       FROM undone u, LATERAL (VALUES (1, u.profile_id), (2, u.into_profile_id)) AS side (place, profile_id)
       UNION ALL
       SELECT chain.merge_id, chain.place, p.merged_into FROM chain
       JOIN cdp_profile p ON p.tenant_id = $1 AND p.id = chain.id WHERE p.merged_into IS NOT NULL
     ), roots AS (
       SELECT chain.merge_id, chain.place, chain.id FROM chain
       JOIN cdp_profile p ON p.tenant_id = $1 AND p.id = chain.id WHERE p.merged_into IS NULL
     )
     SELECT a.id AS one, b.id AS other FROM roots a JOIN roots b USING (merge_id) WHERE a.place = 1 AND b.place = 2`,
    [tenantId],
  );
  return new Set(rows.map(({ one, other }) => apartKey(Number(one), Number(other))));
}
