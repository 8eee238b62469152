/** Writes a plan: a handful of statements for a batch of any size, each over arrays. */
import { lookupHash, sealCredentials, type KeyRing } from '@stratum/shared';
import type { PoolClient } from 'pg';
import type { EventRow } from './event-row.js';
import type { Plan, PlannedMerge, PlannedProfile } from './plan.js';
import { ProfileChange } from './profile-change.js';

/** A profile whose traits have grown beyond this takes no more of them: some senders put ever new names in. In bytes. */
const MAX_TRAITS = 262_144;

export interface PlanTarget {
  client: PoolClient;
  tenantId: number;
  keys: KeyRing;
}

export async function writePlan(target: PlanTarget, plan: Plan, rows: readonly EventRow[]): Promise<void> {
  await insertProfiles(target, plan);
  if (plan.merges.length > 0) await mergeProfiles(target, plan.merges);
  await insertIdentities(target, plan.profiles);
  await updateProfiles(target, plan);
  await insertEvents(target, plan, rows);
}

async function insertProfiles({ client, tenantId }: PlanTarget, { profiles, changes }: Plan): Promise<void> {
  const added = profiles.filter(({ isNew }) => isNew);
  if (added.length === 0) return;
  const changeOf = ({ id }: PlannedProfile): ProfileChange => changes.get(id) ?? new ProfileChange();
  await client.query({
    name: 'ingest-new-profiles',
    text: `INSERT INTO cdp_profile (tenant_id, id, external_id, user_ids, identities, total_events, total_purchases, total_revenue,
        first_seen_at, last_seen_at, last_purchase_at, traits, trait_times, addresses)
      SELECT $1, id, external_id, user_ids, identities, events, purchases, revenue, first_seen, last_seen, last_purchase, coalesce(traits, '{}'),
        coalesce(trait_times, '{}'), addresses
      FROM unnest($2::bigint[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::numeric[], $9::timestamptz[],
        $10::timestamptz[], $11::timestamptz[], $12::jsonb[], $13::jsonb[], $14::int[])
        AS n (id, external_id, user_ids, identities, events, purchases, revenue, first_seen, last_seen, last_purchase, traits, trait_times, addresses)`,
    values: [
      tenantId,
      added.map(({ id }) => id),
      added.map(externalIdOf),
      added.map(({ userIds }) => userIds),
      added.map(({ identities }) => identities),
      ...totals(added.map(changeOf)),
      added.map(({ addresses }) => addresses),
    ],
  });
}

async function updateProfiles({ client, tenantId }: PlanTarget, { profiles, changes }: Plan): Promise<void> {
  const added = new Set(profiles.filter(({ isNew }) => isNew).map(({ id }) => id));
  const byId = new Map(profiles.map((profile) => [profile.id, profile]));
  const changed = [...changes].filter(([id]) => !added.has(id));
  if (changed.length === 0) return;
  const planned = changed.map(([id]) => byId.get(id));
  await client.query({
    name: 'ingest-profiles',
    text: `UPDATE cdp_profile p SET
        external_id = coalesce(p.external_id, n.external_id),
        user_ids = coalesce(n.user_ids, p.user_ids),
        identities = coalesce(n.identities, p.identities),
        total_events = p.total_events + n.events,
        total_purchases = p.total_purchases + n.purchases,
        total_revenue = p.total_revenue + n.revenue,
        first_seen_at = least(p.first_seen_at, n.first_seen),
        last_seen_at = greatest(p.last_seen_at, n.last_seen),
        last_purchase_at = greatest(p.last_purchase_at, n.last_purchase),
        addresses = coalesce(n.addresses, p.addresses),
        (traits, trait_times) = (
          SELECT m.traits, m.times FROM merge_traits(p.traits, p.trait_times, n.traits, n.trait_times, true) m
          WHERE n.traits IS NOT NULL AND pg_column_size(p.traits) <= ${MAX_TRAITS}
          UNION ALL SELECT p.traits, p.trait_times WHERE n.traits IS NULL OR pg_column_size(p.traits) > ${MAX_TRAITS})
      FROM unnest($2::bigint[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::numeric[], $9::timestamptz[],
        $10::timestamptz[], $11::timestamptz[], $12::jsonb[], $13::jsonb[], $14::int[])
        AS n (id, external_id, user_ids, identities, events, purchases, revenue, first_seen, last_seen, last_purchase, traits, trait_times, addresses)
      WHERE p.tenant_id = $1 AND p.id = ANY($2::bigint[]) AND p.id = n.id`,
    values: [
      tenantId,
      changed.map(([id]) => id),
      planned.map((profile) => (profile === undefined ? null : externalIdOf(profile))),
      planned.map((profile) => profile?.userIds ?? null),
      planned.map((profile) => profile?.identities ?? null),
      ...totals(changed.map(([, change]) => change)),
      planned.map((profile) => profile?.addresses ?? null),
    ],
  });
}

function externalIdOf({ fresh }: PlannedProfile): string | null {
  return fresh.find(({ type }) => type === 'user_id')?.value ?? null;
}

function totals(changes: readonly ProfileChange[]): unknown[][] {
  return [
    changes.map(({ events }) => events),
    changes.map(({ purchases }) => purchases),
    changes.map(({ revenue }) => revenue),
    changes.map(({ firstSeenAt }) => firstSeenAt),
    changes.map(({ lastSeenAt }) => lastSeenAt),
    changes.map(({ lastPurchaseAt }) => lastPurchaseAt),
    changes.map(({ traitsJson }) => traitsJson),
    changes.map(({ traitTimesJson }) => traitTimesJson),
  ];
}

async function insertIdentities(
  { client, tenantId, keys }: PlanTarget,
  profiles: readonly PlannedProfile[],
): Promise<void> {
  const added = profiles.flatMap(({ id, fresh }) => fresh.map((identifier) => ({ id, identifier })));
  if (added.length === 0) return;
  const hashes = added.map(({ identifier }) => lookupHash(keys, tenantId, identifier.hash));
  const sealed = added.map(({ identifier: { type, value } }, index) =>
    sealCredentials(
      keys,
      { tenantId, platform: `cdp_${type}`, externalId: hashes[index]?.hash ?? '' },
      value,
    ),
  );
  await client.query({
    name: 'ingest-new-identities',
    text: `INSERT INTO cdp_identity (tenant_id, type, value_hash, profile_id, ciphertext, key_id, hash_key_id)
      SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bytea[], $6::text[], $7::text[])`,
    values: [
      tenantId,
      added.map(({ identifier }) => identifier.type),
      hashes.map(({ hash }) => `\\x${hash}`),
      added.map(({ id }) => id),
      sealed.map(({ ciphertext }) => ciphertext),
      sealed.map(({ keyId }) => keyId),
      hashes.map(({ keyId }) => keyId),
    ],
  });
}

/** The loser's rows become the survivor's; their origin is noted, so that a merge can be undone. */
async function mergeProfiles(
  { client, tenantId }: PlanTarget,
  merges: readonly PlannedMerge[],
): Promise<void> {
  const pairs = [merges.map(({ loser }) => loser), merges.map(({ survivor }) => survivor)];
  const from = 'unnest($2::bigint[], $3::bigint[]) AS m (loser, survivor)';
  await client.query({
    name: 'ingest-note-merges',
    text: `INSERT INTO cdp_merge (tenant_id, profile_id, into_profile_id, reason, event_id, traits_before, trait_times_before, first_seen_before, last_seen_before, last_purchase_before)
      SELECT $1, m.loser, m.survivor, m.reason, m.event_id, s.traits, s.trait_times, s.first_seen_at, s.last_seen_at, s.last_purchase_at
      FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::uuid[]) AS m (loser, survivor, reason, event_id)
      JOIN cdp_profile s ON s.tenant_id = $1 AND s.id = ANY($3::bigint[]) AND s.id = m.survivor`,
    values: [
      tenantId,
      ...pairs,
      merges.map(({ link }) => link.reason),
      merges.map(({ link }) => link.eventId),
    ],
  });
  await client.query({
    name: 'ingest-merge-totals',
    text: `WITH sums AS (
        SELECT m.survivor, sum(l.total_events) AS events, sum(l.total_purchases) AS purchases, sum(l.total_revenue) AS revenue,
          min(l.first_seen_at) AS first_seen, max(l.last_seen_at) AS last_seen, max(l.last_purchase_at) AS last_purchase,
          bool_or(l.kept_apart) AS kept_apart
        FROM ${from} JOIN cdp_profile l ON l.tenant_id = $1 AND l.id = ANY($2::bigint[]) AND l.id = m.loser GROUP BY m.survivor
      ), said AS (
        SELECT survivor, jsonb_object_agg(key, value) AS traits, coalesce(jsonb_object_agg(key, at) FILTER (WHERE at IS NOT NULL), '{}') AS times
        FROM (
          SELECT DISTINCT ON (m.survivor, t.key) m.survivor, t.key, t.value, l.trait_times -> t.key AS at
          FROM ${from} JOIN cdp_profile l ON l.tenant_id = $1 AND l.id = ANY($2::bigint[]) AND l.id = m.loser, jsonb_each(l.traits) t
          ORDER BY m.survivor, t.key, (l.trait_times ->> t.key)::numeric DESC NULLS LAST, l.id
        ) newest GROUP BY survivor
      )
      UPDATE cdp_profile p SET total_events = p.total_events + sums.events, total_purchases = p.total_purchases + sums.purchases,
        total_revenue = p.total_revenue + sums.revenue, first_seen_at = least(p.first_seen_at, sums.first_seen),
        last_seen_at = greatest(p.last_seen_at, sums.last_seen), last_purchase_at = greatest(p.last_purchase_at, sums.last_purchase),
        (traits, trait_times) = (SELECT m.traits, m.times
          FROM merge_traits(p.traits, p.trait_times, coalesce(said.traits, '{}'), coalesce(said.times, '{}'), false) m),
        kept_apart = p.kept_apart OR sums.kept_apart
      FROM sums LEFT JOIN said USING (survivor) WHERE p.tenant_id = $1 AND p.id = ANY($3::bigint[]) AND p.id = sums.survivor`,
    values: [tenantId, ...pairs],
  });
  await client.query({
    name: 'ingest-merge-profiles',
    text: `UPDATE cdp_profile p SET merged_into = m.survivor FROM ${from} WHERE p.tenant_id = $1 AND p.id = ANY($2::bigint[]) AND p.id = m.loser`,
    values: [tenantId, ...pairs],
  });
  for (const table of ['cdp_identity', 'cdp_event']) {
    await client.query({
      name: `ingest-move-${table}`,
      text: `UPDATE ${table} t SET profile_id = m.survivor, origin_profile_id = coalesce(t.origin_profile_id, t.profile_id)
        FROM ${from} WHERE t.tenant_id = $1 AND t.profile_id = ANY($2::bigint[]) AND t.profile_id = m.loser`,
      values: [tenantId, ...pairs],
    });
  }
  // Members of other segments follow when the segment is next computed; those of static ones are set by hand, so they go along.
  await client.query({
    name: 'ingest-merge-memberships',
    text: `INSERT INTO cdp_segment_membership (tenant_id, segment_id, profile_id, entered_at)
      SELECT $1, s.segment_id, m.survivor, min(s.entered_at) FROM cdp_segment g
      JOIN cdp_segment_membership s ON s.tenant_id = $1 AND s.segment_id = g.id AND s.profile_id = ANY($2::bigint[]) AND s.exited_at IS NULL
      JOIN ${from} ON m.loser = s.profile_id
      WHERE g.tenant_id = $1 AND g.type = 'static' GROUP BY 2, 3 ON CONFLICT DO NOTHING`,
    values: [tenantId, ...pairs],
  });
}

async function insertEvents(
  { client, tenantId }: PlanTarget,
  { owners }: Plan,
  rows: readonly EventRow[],
): Promise<void> {
  await client.query({
    name: 'ingest-events',
    text: `INSERT INTO cdp_event (tenant_id, id, message_id, source_id, type, name, properties, context, occurred_at, original_timestamp, received_at,
        profile_id, origin_profile_id)
      SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[], $9::timestamptz[],
        $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::bigint[])`,
    values: [
      tenantId,
      rows.map(({ id }) => id),
      rows.map(({ messageId }) => messageId),
      rows.map(({ sourceId }) => sourceId),
      rows.map(({ type }) => type),
      rows.map(({ name }) => name),
      rows.map(({ properties }) => properties),
      rows.map(({ context }) => context),
      rows.map(({ occurredAt }) => occurredAt),
      rows.map(({ originalTimestamp }) => originalTimestamp),
      rows.map(({ receivedAt }) => receivedAt),
      owners.map(({ profileId }) => profileId),
      owners.map(({ originId }) => originId),
    ],
  });
}
