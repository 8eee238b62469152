/** Events of people who were erased: they do not bring the person back, however often they are sent again. */
import { lookupHashes, type KeyRing } from '@stratum/shared';
import type { PoolClient } from 'pg';
import type { EventRow } from './event-row.js';
import { keyOf } from './resolve.js';

export interface ErasedLookup {
  client: PoolClient;
  tenantId: number;
  keys: KeyRing;
}

/** The rows that name none of them. */
export async function withoutErased(
  { client, tenantId, keys }: ErasedLookup,
  rows: readonly EventRow[],
): Promise<readonly EventRow[]> {
  const named = new Map(
    rows.flatMap(({ identifiers }) => identifiers.map((each) => [keyOf(each), each] as const)),
  );
  const asked = [...named].flatMap(([key, { type, hash }]) =>
    lookupHashes(keys, tenantId, hash, false).map((text) => ({ key, type, text })),
  );
  const { rows: found } = await client.query<{ place: string }>({
    name: 'ingest-erased',
    text: `SELECT k.place FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k (type, hash, place),
        LATERAL (SELECT FROM erased_person WHERE tenant_id = $1 AND type = k.type AND value_hash = k.hash AND blocked_until > now() LIMIT 1) e`,
    values: [tenantId, asked.map(({ type }) => type), asked.map(({ text }) => `\\x${text}`)],
  });
  const erased = new Set(found.map(({ place }) => asked[Number(place) - 1]?.key));
  return rows.filter(({ identifiers }) => !identifiers.some((each) => erased.has(keyOf(each))));
}
