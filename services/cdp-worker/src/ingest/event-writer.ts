/**
 * Writes customer events of one tenant: each once, with whose they are, in one transaction for a batch.
 *
 * 1. One writer of a tenant at a time (an advisory lock): the people that a batch merges depend on the batch before.
 * 2. Ids that were not written before go on; `cdp_message` knows all that were.
 * 3. Who is known is read, who is one is worked out in memory, and what follows is written, all of it or nothing.
 *
 * An event that cannot be written is found by halving its batch, and set aside with the reason.
 */
import { withTenant, type KeyRing } from '@stratum/shared';
import type { Identifier } from '@stratum/shared/customer-events';
import { WRITER_LOCK } from '@stratum/shared/profiles';
import type { Pool, PoolClient } from 'pg';
import { countNotes, type SourceNote } from './event-notes.js';
import { toRow, type EventRow, type IncomingEvent } from './event-row.js';
import { EventPartitions } from './event-partitions.js';
import { countNew, planBatch } from './plan.js';
import { settleOrders } from './settle-orders.js';
import { readPeople, type FoundPeople } from './read-people.js';
import { saveRejected, type RejectedEvent } from './rejected-events.js';
import { DEFAULT_LIMITS, keyOf, Resolver, rootOf, type IdentityLimits, type Person } from './resolve.js';
import { withoutErased } from './erased-people.js';
import { isFaultOfEvent, isTooMuch } from './write-faults.js';
import { writePlan } from './write-plan.js';

export interface EventWriterOptions {
  /** Connected as `stratum_cdp_worker`. */
  pool: Pool;
  /** Encrypts identifiers. */
  keys: KeyRing;
  limits?: IdentityLimits;
}

export interface WriteOutcome {
  stored: number;
  /** Of the stored: something about them was changed or guessed. */
  repaired: number;
  /** Were written before. */
  repeated: number;
  /** Could not be written, and are set aside. */
  rejected: number;
  /** Profiles that became part of others. */
  merged: number;
  /** Joints of identifiers that would have joined too much. */
  refusedLinks: number;
}

/** Events after which the tables are analysed, and the growth factor until they are analysed again. */
const FIRST_TOLD = 500;
const TOLD_FACTOR = 5;
const PLAIN_EVERY_MS = 30_000;

export class EventWriter {
  private readonly partitions: EventPartitions;
  private plain = { hasAny: true, askAt: 0 };
  private written = 0;
  private tellAt = FIRST_TOLD;

  constructor(private readonly options: EventWriterOptions) {
    this.partitions = new EventPartitions(options.pool);
  }

  /** Rejects only for causes outside the events: then none is lost, and all may be passed again. */
  async write(tenantId: number, events: readonly IncomingEvent[]): Promise<WriteOutcome> {
    const { rows, rejected } = toRows(events);
    await saveRejected(this.options.pool, tenantId, rejected);
    await this.partitions.ensure(rows.map(({ occurredAt }) => occurredAt));
    const outcome = await this.writeRows(tenantId, rows);
    await this.tellGrowth(outcome.stored);
    return { ...outcome, rejected: outcome.rejected + rejected.length };
  }

  /** The more there is, the more seldom its statistics change. */
  private async tellGrowth(stored: number): Promise<void> {
    this.written += stored;
    if (this.written < this.tellAt) return;
    this.tellAt = this.written * TOLD_FACTOR;
    // After a failure autovacuum does the same, only later.
    await this.options.pool.query('SELECT note_customer_data($1)', [this.written]).catch(() => undefined);
  }

  /** Asked now and then: processes of the version before may still write such hashes. */
  private async hasPlain(): Promise<boolean> {
    if (Date.now() < this.plain.askAt) return this.plain.hasAny;
    const { rows } = await this.options.pool.query<{ has: boolean }>('SELECT has_plain_hashes() AS has');
    this.plain = { hasAny: rows[0]?.has !== false, askAt: Date.now() + PLAIN_EVERY_MS };
    return this.plain.hasAny;
  }

  private async writeRows(tenantId: number, rows: readonly EventRow[]): Promise<WriteOutcome> {
    const outcome = { ...NOTHING };
    if (rows.length === 0) return outcome;
    try {
      return await withTenant(this.options.pool, tenantId, (client) =>
        this.writeBatch(client, tenantId, rows),
      );
    } catch (error) {
      const isFault = isFaultOfEvent(error);
      const [row] = rows;
      if (!(isFault || isTooMuch(error)) || (rows.length === 1 && !isFault)) throw error;
      if (rows.length === 1 && row !== undefined) {
        await saveRejected(this.options.pool, tenantId, [
          {
            sourceId: row.sourceId,
            messageId: row.messageId,
            payload: JSON.stringify(row.event),
            error: String(error),
          },
        ]);
        return { ...outcome, rejected: 1 };
      }
      const middle = Math.ceil(rows.length / 2);
      const halves = [rows.slice(0, middle), rows.slice(middle)];
      for (const half of halves) addTo(outcome, await this.writeRows(tenantId, half));
      return outcome;
    }
  }

  private async writeBatch(
    client: PoolClient,
    tenantId: number,
    all: readonly EventRow[],
  ): Promise<WriteOutcome> {
    const { limits = DEFAULT_LIMITS, keys } = this.options;
    const withPlain = await this.hasPlain();
    const tenant = await lockTenant(client, tenantId);
    if (tenant === undefined) return { ...NOTHING };
    const { currency, has_erased: hasErased } = tenant;
    const wanted = hasErased ? await withoutErased({ client, tenantId, keys }, all) : all;
    const rows = await newOnes(client, tenantId, wanted);
    const outcome = { ...NOTHING, stored: rows.length, repeated: all.length - rows.length };
    if (rows.length === 0) return outcome;
    const found = await readPeople({ client, tenantId, keys, withPlain }, distinct(rows));
    const resolver = new Resolver(found, limits);
    const people = rows.map((row) => resolver.resolve(row));
    listUsers(people, found);
    const settled = await settleOrders(client, { tenantId, currency }, rows, people);
    const plan = planBatch({
      rows: settled,
      people,
      found,
      newIds: await takeIds(client, countNew(people)),
      parents: await readParents(client, tenantId, found),
      currency,
    });
    await writePlan({ client, tenantId, keys }, plan, rows);
    await countNotes(client, tenantId, rows.flatMap(repairsOf));
    return {
      ...outcome,
      repaired: rows.filter(({ repairs }) => repairs.length > 0).length,
      merged: plan.merges.length,
      refusedLinks: resolver.refused,
    };
  }
}

/** An event that cannot even become a row, or names nobody, holds up no other. */
function toRows(events: readonly IncomingEvent[]): { rows: EventRow[]; rejected: RejectedEvent[] } {
  const rows: EventRow[] = [];
  const rejected: RejectedEvent[] = [];
  for (const incoming of events) {
    const { sourceId, event } = incoming;
    const reject = (error: string, payload: string): void => {
      rejected.push({ sourceId, messageId: event.messageId, payload, error });
    };
    try {
      const row = toRow(incoming);
      if (row.identifiers.length > 0) rows.push(row);
      else reject('it names nobody', JSON.stringify(event));
    } catch (error) {
      reject(String(error), '');
    }
  }
  return { rows, rejected };
}

function repairsOf({ sourceId, receivedAt, repairs }: EventRow): SourceNote[] {
  return repairs.map((repair) => ({ ...repair, sourceId, outcome: 'repaired', at: receivedAt }));
}

const NOTHING: Readonly<WriteOutcome> = {
  stored: 0,
  repaired: 0,
  repeated: 0,
  rejected: 0,
  merged: 0,
  refusedLinks: 0,
};

function addTo(sum: WriteOutcome, more: WriteOutcome): void {
  sum.stored += more.stored;
  sum.repaired += more.repaired;
  sum.repeated += more.repeated;
  sum.rejected += more.rejected;
  sum.merged += more.merged;
  sum.refusedLinks += more.refusedLinks;
}

/**
 * Every statement looks a batch up by keys: one by one (LATERAL … LIMIT 1), or all at once and then hashed. Tables that are filling have no
 * statistics yet, and without them the planner would read a tenant's rows from end to end for each of a batch.
 */
const BY_KEYS = ['enable_seqscan', 'enable_nestloop', 'enable_mergejoin', 'enable_material']
  .map((setting) => `set_config('${setting}', 'off', true)`)
  .join(', ');

interface KnownTenant {
  currency: string;
  /** People were erased whose events are dropped. */
  has_erased: boolean;
}

/** `undefined` for a tenant that was deleted, of whom nothing is written any more. */
async function lockTenant(client: PoolClient, tenantId: number): Promise<KnownTenant | undefined> {
  await client.query(`SELECT ${BY_KEYS}`);
  await client.query({ name: 'ingest-lock', text: `SELECT ${WRITER_LOCK}`, values: [tenantId] });
  const { rows } = await client.query<KnownTenant>({
    name: 'ingest-tenant',
    text: `SELECT currency, EXISTS (SELECT FROM erased_person WHERE tenant_id = $1) AS has_erased
      FROM tenant WHERE id = $1 AND is_open(tenant)`,
    values: [tenantId],
  });
  return rows[0];
}

/** The events never written; of equal ids in a batch the first. */
async function newOnes(client: PoolClient, tenantId: number, rows: readonly EventRow[]): Promise<EventRow[]> {
  const byId = new Map<string, EventRow>();
  for (const row of rows) if (!byId.has(row.id)) byId.set(row.id, row);
  const candidates = [...byId.values()];
  const { rows: added } = await client.query<{ id: string }>({
    name: 'ingest-messages',
    text: `INSERT INTO cdp_message (tenant_id, id, occurred_at) SELECT $1, * FROM unnest($2::uuid[], $3::timestamptz[])
      ON CONFLICT DO NOTHING RETURNING id`,
    values: [tenantId, candidates.map(({ id }) => id), candidates.map(({ occurredAt }) => occurredAt)],
  });
  const isNew = new Set(added.map(({ id }) => id.replaceAll('-', '')));
  return candidates.filter(({ id }) => isNew.has(id));
}

function distinct(rows: readonly EventRow[]): Identifier[] {
  const byKey = new Map<string, Identifier>();
  for (const { identifiers } of rows) for (const each of identifiers) byKey.set(keyOf(each), each);
  return [...byKey.values()];
}

/** A user known only by the profile's `external_id` gets an identity, too. */
function listUsers(people: readonly Person[], { unlisted, profiles }: FoundPeople): void {
  if (unlisted.size === 0) return;
  const roots = new Set(people.map(rootOf));
  const rootOfProfile = new Map(
    [...roots].flatMap((root) => root.profiles.map(({ profile }) => [profile.id, root] as const)),
  );
  for (const [key, user] of unlisted) {
    const profile = profiles.get(key);
    const root = profile && rootOfProfile.get(profile.id);
    if (root === undefined) continue;
    root.fresh.push(user);
    root.identities++;
  }
}

/** Numbers for new profiles; one that is not used in the end is a gap. */
async function takeIds(client: PoolClient, count: number): Promise<number[]> {
  if (count === 0) return [];
  const { rows } = await client.query<{ id: string }>({
    name: 'ingest-profile-ids',
    text: `SELECT nextval('cdp_profile_id_seq') AS id FROM generate_series(1, $1::int)`,
    values: [count],
  });
  return rows.map(({ id }) => Number(id));
}

/** The survivors of the identifiers' profiles, through any chain of merges. */
async function readParents(
  client: PoolClient,
  tenantId: number,
  { origins }: FoundPeople,
): Promise<Map<number, number>> {
  if (origins.size === 0) return new Map();
  const { rows } = await client.query<{ id: string; merged_into: string }>({
    name: 'ingest-parents',
    text: `WITH RECURSIVE path AS (
        SELECT id, merged_into FROM cdp_profile WHERE tenant_id = $1 AND id = ANY($2::bigint[])
        UNION
        SELECT p.id, p.merged_into FROM path,
          LATERAL (SELECT id, merged_into FROM cdp_profile WHERE tenant_id = $1 AND id = path.merged_into LIMIT 1) p
      ) SELECT id, merged_into FROM path WHERE merged_into IS NOT NULL`,
    values: [tenantId, [...new Set(origins.values())]],
  });
  return new Map(rows.map(({ id, merged_into: into }) => [Number(id), Number(into)]));
}
