/**
 * Compares what the database knows with what the broker knows, after one of them was brought to an older state. The broker forgets what it had
 * accepted since, and knows tasks as waiting that have ended.
 */
import { discoverQueues, type JobsClient, type Topology } from '@stratum/jobs';
import { eachLimited, scopedName } from '@stratum/jobs/internal';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { z } from 'zod';

export const LOSSES = ['task lost', 'outbox', 'sync run', 'event lost', 'runs again'] as const;
export type LossKind = (typeof LOSSES)[number];

export interface Loss {
  kind: LossKind;
  /** Of a task, or of a domain event. */
  id: string;
  /** A task's name, or an event's type. */
  name: string;
  queue: string | null;
  tenant: string | null;
  /** When the database heard of it last. */
  at: string;
}

export interface LostOptions {
  connection: NatsConnection;
  topology: Topology;
  client: Pick<JobsClient, 'status'>;
  pool: Pool;
  /** Ended tasks and published events are looked at from here on. */
  since: Date;
}

/** Of each kind at most. */
const MAX_LOSSES = 10_000;
const EVENT_BATCH = 500;
const EVENT_WAIT_MS = 10_000;
const IDS_AT_ONCE = 1_000;

/** Everything that differs, the oldest first within a kind, at most 10,000 of each kind. Changes nothing. */
export async function findLosses(options: LostOptions): Promise<Loss[]> {
  const { pool, since } = options;
  const history = await rowsOf(pool, OPEN_RUNS, []);
  const syncs = await rowsOf(pool, OPEN_SYNCS, [since]);
  const outbox = (await hasTable(pool, 'stratum_outbox')) ? await rowsOf(pool, PUBLISHED, []) : [];
  return [
    ...(await unknownToBroker(options, 'task lost', history)),
    ...(await unknownToBroker(options, 'outbox', outbox)),
    ...(await unknownToBroker(options, 'sync run', syncs)),
    ...(await lostEvents(options)),
    ...(await waitingAgain(options)),
  ];
}

const rowSchema = z.object({
  id: z.string(),
  name: z.string(),
  queue: z.string().nullable(),
  tenant: z.string().nullable(),
  at: z.date(),
});
type Row = z.infer<typeof rowSchema>;

/** Tasks that the history knows as waiting or running. */
const OPEN_RUNS = `SELECT run.id, name, queue, nullif(tenant_id, 0)::text AS tenant, changed_at AS at
  FROM task_open AS run JOIN task_name ON task_name.id = run.task ORDER BY changed_at LIMIT ${MAX_LOSSES}`;
/** Their reconciler publishes them again. */
const PUBLISHED = `SELECT task_id AS id, task AS name, queue, tenant, published_at AS at
  FROM stratum_outbox WHERE published_at IS NOT NULL ORDER BY published_at LIMIT ${MAX_LOSSES}`;
const OPEN_SYNCS = `SELECT task_id AS id, 'sync of account ' || account_id AS name, 'sync' AS queue, tenant_id::text AS tenant, started_at AS at
  FROM sync_run WHERE outcome = 'running' AND started_at >= $1 ORDER BY started_at LIMIT ${MAX_LOSSES}`;
const EVENTS = `SELECT id::text, type AS name, NULL AS queue, tenant_id::text AS tenant, published_at AS at
  FROM domain_event WHERE published_at >= $1 ORDER BY id LIMIT ${MAX_LOSSES}`;
const ENDED = `SELECT run.id, name, queue, nullif(tenant_id, 0)::text AS tenant, finished_at AS at, enqueued_at
  FROM task_run AS run JOIN task_name ON task_name.id = run.task
  WHERE run.id = ANY ($1) AND queue = $2 AND finished_at >= $3 ORDER BY finished_at`;

async function unknownToBroker(
  { client }: LostOptions,
  kind: LossKind,
  rows: readonly Row[],
): Promise<Loss[]> {
  const lost = new Set<Row>();
  await eachLimited(rows, async (row) => {
    const { id, queue } = row;
    if ((await client.status(id, queue === null ? {} : { queue })) === undefined) lost.add(row);
  });
  return rows.filter((row) => lost.has(row)).map((row) => lossOf(kind, row));
}

/** Tasks that have ended, and wait in a queue again. */
async function waitingAgain({ connection, topology, client, pool, since }: LostOptions): Promise<Loss[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const present = new Set(await discoverQueues(connection, topology.names.prefix));
  const found: Loss[] = [];
  for (const { name: queue } of topology.queues.filter(({ name }) => present.has(name))) {
    const waiting = await idsWaiting(manager, topology, queue);
    for (let start = 0; start < waiting.length && found.length < MAX_LOSSES; start += IDS_AT_ONCE) {
      const ids = waiting.slice(start, start + IDS_AT_ONCE);
      const { rows } = await pool.query(ENDED, [ids, queue, since]);
      for (const row of z.array(rowSchema.extend({ enqueued_at: z.date() })).parse(rows)) {
        // A replay of the same task has another time.
        const record = await client.status(row.id, { queue });
        if (record?.enqueued_at === row.enqueued_at.toISOString()) found.push(lossOf('runs again', row));
      }
    }
  }
  return found;
}

async function idsWaiting(manager: JetStreamManager, { names }: Topology, queue: string): Promise<string[]> {
  const parts = names.carriers(queue).map(async (carrier) => {
    const { state } = await manager.streams.info(names.queueStream(carrier), {
      subjects_filter: names.tasksFilter(carrier),
    });
    return Object.keys(state.subjects ?? {}).flatMap((subject) => names.parseTaskSubject(subject)?.id ?? []);
  });
  return (await Promise.all(parts)).flat();
}

/** Events that the database knows as published, and the stream does not hold. */
async function lostEvents({ connection, topology, pool, since }: LostOptions): Promise<Loss[]> {
  const published = await rowsOf(pool, EVENTS, [since]);
  if (published.length === 0) return [];
  const stream = scopedName(topology.names.prefix, 'DOMAIN_EVENTS');
  const stored = new Set<string>();
  // An ordered consumer of its own, which the server forgets: the stream allows no direct reads.
  const consumer = await jetstream(connection).consumers.get(stream);
  for (let left = (await consumer.info()).num_pending; left > 0;) {
    const messages = await consumer.fetch({ max_messages: EVENT_BATCH, expires: EVENT_WAIT_MS });
    let count = 0;
    for await (const message of messages) {
      count++;
      const { success, data: event } = eventSchema.safeParse(message.json());
      if (success) stored.add(event.id);
    }
    if (count === 0) throw new Error(`The stream ${stream} could not be read to its end.`);
    left -= count;
  }
  return published.filter(({ id }) => !stored.has(id)).map((row) => lossOf('event lost', row));
}

const eventSchema = z.object({ id: z.string() });

function lossOf(kind: LossKind, { id, name, queue, tenant, at }: Row): Loss {
  return { kind, id, name, queue, tenant, at: at.toISOString() };
}

async function rowsOf(pool: Pool, statement: string, values: readonly unknown[]): Promise<Row[]> {
  const { rows } = await pool.query(statement, [...values]);
  return z.array(rowSchema).parse(rows);
}

async function hasTable(pool: Pool, name: string): Promise<boolean> {
  const { rowCount } = await pool.query('SELECT WHERE to_regclass($1) IS NOT NULL', [name]);
  return rowCount === 1;
}

/** Lets the relay publish events again; it drops what it finds stored under the same id within ten minutes. */
export async function republishEvents(pool: Pool, losses: readonly Loss[]): Promise<number> {
  const ids = losses.filter(({ kind }) => kind === 'event lost').map(({ id }) => id);
  const { rowCount } = await pool.query(
    'UPDATE domain_event SET published_at = NULL WHERE id = ANY ($1::bigint[])',
    [ids],
  );
  return rowCount ?? 0;
}
