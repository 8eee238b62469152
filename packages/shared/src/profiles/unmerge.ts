/**
 * Undoes a merge: the profile is independent again, with the identifiers that it came with, its events (those that its identifiers have
 * brought since, too), its totals and its traits. The two are kept apart from then on, whatever events say.
 *
 * A merge is undone from the outside in: while the profile that went on is itself part of another one, that merge has to be undone first.
 */
import { withTenant } from '../database/database.js';
import type { Pool, PoolClient } from 'pg';
import { WRITER_LOCK } from './writer-lock.js';

export interface Unmerged {
  merge_id: number;
  profile_id: number;
  from_profile_id: number;
  identities: number;
  events: number;
}

export class UnmergeError extends Error {
  constructor(
    readonly code: 'cannot_unmerge' | 'unknown_profile',
    message: string,
  ) {
    super(message);
    this.name = 'UnmergeError';
  }
}

export interface UnmergeOptions {
  tenantId: number;
  /** The profile that became part of another one. */
  profileId: number;
  /** Runs in the transaction, before it is committed. */
  tell?: (client: PoolClient, done: Unmerged) => Promise<void>;
}

/** As `stratum_api`. @throws UnmergeError saying why it cannot be undone */
export function unmergeProfile(pool: Pool, { tenantId, profileId, tell }: UnmergeOptions): Promise<Unmerged> {
  return withTenant(pool, tenantId, async (client) => {
    await client.query(`SELECT ${WRITER_LOCK}`, [tenantId]);
    const merge = await standingMerge(client, profileId);
    const parts = await partsOf(client, profileId);
    const values = [profileId, merge.into, parts];
    const moved: number[] = [];
    for (const table of ['cdp_identity', 'cdp_event']) {
      const { rowCount } = await client.query(
        `UPDATE ${table} SET profile_id = $1, origin_profile_id = nullif(origin_profile_id, $1)
         WHERE tenant_id = current_tenant() AND profile_id = $2 AND origin_profile_id = ANY($3::bigint[])`,
        values,
      );
      moved.push(rowCount ?? 0);
    }
    await takeOut(client, profileId, merge.into);
    await client.query(
      `UPDATE cdp_profile SET merged_into = CASE WHEN id = $1 THEN NULL ELSE merged_into END, kept_apart = true
       WHERE tenant_id = current_tenant() AND id IN ($1, $2)`,
      [profileId, merge.into],
    );
    await client.query(
      'UPDATE cdp_merge SET undone_at = now() WHERE tenant_id = current_tenant() AND id = $1',
      [merge.id],
    );
    const [identities = 0, events = 0] = moved;
    const done = {
      merge_id: merge.id,
      profile_id: profileId,
      from_profile_id: merge.into,
      identities,
      events,
    };
    await tell?.(client, done);
    return done;
  });
}

async function standingMerge(client: PoolClient, profileId: number): Promise<{ id: number; into: number }> {
  const { rows } = await client.query<{ id: string; into_profile_id: string; merged_into: string | null }>(
    `SELECT m.id, m.into_profile_id, s.merged_into FROM cdp_merge m
     JOIN cdp_profile s ON s.tenant_id = m.tenant_id AND s.id = m.into_profile_id
     WHERE m.tenant_id = current_tenant() AND m.profile_id = $1 AND m.undone_at IS NULL`,
    [profileId],
  );
  const [merge] = rows;
  if (merge === undefined) throw await notMerged(client, profileId);
  const { id, into_profile_id: into, merged_into: further } = merge;
  if (further !== null)
    throw new UnmergeError(
      'cannot_unmerge',
      `The profile ${profileId} is part of ${into}, which has become part of ${further}: unmerge ${into} first.`,
    );
  return { id: Number(id), into: Number(into) };
}

async function notMerged(client: PoolClient, profileId: number): Promise<UnmergeError> {
  const { rowCount } = await client.query(
    'SELECT FROM cdp_profile WHERE tenant_id = current_tenant() AND id = $1',
    [profileId],
  );
  if (rowCount === 0) return new UnmergeError('unknown_profile', `There is no profile ${profileId}.`);
  return new UnmergeError('cannot_unmerge', `The profile ${profileId} is part of no other one.`);
}

/** The profile and all that had become part of it before. */
async function partsOf(client: PoolClient, profileId: number): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `WITH RECURSIVE parts AS (
       SELECT $1::bigint AS id UNION SELECT p.id FROM parts JOIN cdp_profile p ON p.tenant_id = current_tenant() AND p.merged_into = parts.id
     ) SELECT id FROM parts`,
    [profileId],
  );
  return rows.map(({ id }) => Number(id));
}

/**
 * Totals were kept for the part, too, so they are subtracted. Other values are computed again, from the whole as it was before anything
 * became part of it, from its events that stay, and from its other parts. A trait that it has from the part gives way to the newest of
 * these, or goes.
 */
async function takeOut(client: PoolClient, profileId: number, into: number): Promise<void> {
  await client.query(
    `WITH before AS (
       SELECT traits_before, trait_times_before, first_seen_before, last_seen_before, last_purchase_before FROM cdp_merge
       WHERE tenant_id = current_tenant() AND into_profile_id = $2 ORDER BY id LIMIT 1
     ), others AS (
       SELECT traits, trait_times, first_seen_at, last_seen_at, last_purchase_at FROM cdp_profile
       WHERE tenant_id = current_tenant() AND merged_into = $2 AND id <> $1
     ), seen AS (
       SELECT min(first_seen) AS first_seen, max(last_seen) AS last_seen, max(last_purchase) AS last_purchase FROM (
         SELECT first_seen_before, last_seen_before, last_purchase_before FROM before
         UNION ALL
         SELECT first_seen_at, last_seen_at, last_purchase_at FROM others
         UNION ALL
         SELECT min(occurred_at), max(occurred_at), max(occurred_at) FILTER (WHERE name = 'Order Completed')
         FROM cdp_event WHERE tenant_id = current_tenant() AND profile_id = $2
       ) AS noted (first_seen, last_seen, last_purchase)
     ), borrowed AS (
       SELECT t.key FROM cdp_profile part, jsonb_each(part.traits) t, cdp_profile whole
       WHERE part.tenant_id = current_tenant() AND part.id = $1 AND whole.tenant_id = current_tenant() AND whole.id = $2
         AND whole.traits -> t.key = t.value AND (whole.trait_times -> t.key) IS NOT DISTINCT FROM (part.trait_times -> t.key)
     ), told AS (
       SELECT t.key, t.value, trait_times_before ->> t.key AS at FROM before, jsonb_each(traits_before) t
       UNION ALL
       SELECT t.key, t.value, trait_times ->> t.key FROM others, jsonb_each(traits) t
       UNION ALL
       SELECT t.key, t.value, floor(extract(epoch FROM e.occurred_at) * 1000)::text FROM cdp_event e, jsonb_each(e.properties) t
       WHERE e.tenant_id = current_tenant() AND e.profile_id = $2 AND e.type = 'identify'
     ), newest AS (
       SELECT DISTINCT ON (key) key, value, at FROM told WHERE key IN (SELECT key FROM borrowed) ORDER BY key, at::numeric DESC NULLS LAST
     ), own AS (
       SELECT (SELECT coalesce(array_agg(key), '{}') FROM borrowed) AS borrowed,
         coalesce(jsonb_object_agg(key, value), '{}') AS traits,
         coalesce(jsonb_object_agg(key, at::numeric) FILTER (WHERE at IS NOT NULL), '{}') AS times FROM newest
     )
     UPDATE cdp_profile whole SET
       total_events = whole.total_events - part.total_events,
       total_purchases = whole.total_purchases - part.total_purchases,
       total_revenue = whole.total_revenue - part.total_revenue,
       user_ids = greatest(0, whole.user_ids - part.user_ids),
       identities = greatest(0, whole.identities - part.identities),
       first_seen_at = seen.first_seen, last_seen_at = seen.last_seen, last_purchase_at = seen.last_purchase,
       addresses = greatest(0, whole.addresses - part.addresses),
       traits = (whole.traits - own.borrowed) || own.traits,
       trait_times = (whole.trait_times - own.borrowed) || own.times
     FROM cdp_profile part, seen, own
     WHERE whole.tenant_id = current_tenant() AND whole.id = $2 AND part.tenant_id = current_tenant() AND part.id = $1`,
    [profileId, into],
  );
}
