/** The outbox's table and its statements. */
import { JobsError } from '../errors.js';

const DEFAULT_TABLE = 'stratum_outbox';
const TABLE = /^(?:[a-z_][a-z0-9_]{0,39}\.)?[a-z_][a-z0-9_]{0,39}$/;

/**
 * SQL that creates the outbox's table and indexes where they are missing, for a migration of your own. Whoever enqueues needs `INSERT` and
 * `SELECT` on the table; the relay needs `SELECT`, `UPDATE` and `DELETE`.
 * @param table with its schema, if that is not the first of the search path. Default `stratum_outbox`
 * @throws JobsError `invalid_options` for a name that is more than lower-case letters, digits and `_`
 */
export function outboxTable(table?: string): string {
  const name = tableName(table);
  const index = name.replace('.', '_');
  return `
    create table if not exists ${name} (
      id bigint generated always as identity primary key,
      task_id text not null,
      queue text not null,
      task text not null,
      tenant text,
      priority text not null,
      payload text not null,
      options jsonb not null,
      order_key text,
      created_at timestamptz not null default clock_timestamp(),
      published_at timestamptz,
      seen_at timestamptz,
      check_at timestamptz,
      failed_at timestamptz,
      error text
    );
    create index if not exists ${index}_waiting on ${name} (id)
      where published_at is null and failed_at is null and order_key is null;
    create index if not exists ${index}_ordered on ${name} (order_key, id)
      where published_at is null and failed_at is null and order_key is not null;
    create index if not exists ${index}_unconfirmed on ${name} (check_at) where published_at is not null;
  `;
}

/** @throws JobsError `invalid_options` */
export function tableName(table = DEFAULT_TABLE): string {
  if (TABLE.test(table)) return table;
  throw new JobsError(
    'invalid_options',
    'table must be lower-case letters, digits and "_", at most 40, perhaps with a schema before it.',
  );
}

export interface Statements {
  readonly channel: string;
  readonly insert: string;
  readonly takeAny: string;
  readonly listKeys: string;
  readonly lockKeys: string;
  readonly takeOrdered: string;
  readonly markPublished: string;
  readonly setAside: string;
  readonly remove: string;
  readonly takeUnconfirmed: string;
  readonly keep: string;
  readonly reopen: string;
  readonly depth: string;
}

const WAITING = 'published_at is null and failed_at is null';
/** The id is text, because JavaScript would round it; so order by `o.id`, which is the number. */
const ROW = `o.id::text, task_id, queue, task, tenant, priority, payload, options,
  extract(epoch from clock_timestamp() - created_at)::float8 * 1000 as age_ms`;

/** Every statement, for a table whose name was checked. */
export function statementsOf(table: string): Statements {
  const channel = table.replace('.', '_');
  return {
    channel,
    // The lock comes before the numbers: within a key, the order of ids is the order of commits.
    insert: `
      with given as (
        select * from rows from (json_to_recordset($1::json) as (task_id text, queue text, task text, tenant text,
          priority text, payload text, options jsonb, order_key text)) with ordinality as g(task_id, queue, task, tenant,
          priority, payload, options, order_key, place)
      ), locked as materialized (
        select pg_advisory_xact_lock(hashtextextended('${table} enqueue ' || k.order_key, 0))
        from (select distinct order_key from given where order_key is not null order by order_key) k
      ), stored as (
        insert into ${table} (task_id, queue, task, tenant, priority, payload, options, order_key)
        select task_id, queue, task, tenant, priority, payload, options, order_key from given
        where (select count(*) from locked) >= 0 order by place
        returning id
      )
      select pg_notify('${channel}', '')::text from stored limit 1`,
    takeAny: `select ${ROW} from ${table} o where ${WAITING} and order_key is null
      order by o.id limit $1 for update skip locked`,
    // One step of the index for each key, however many rows it has.
    listKeys: `
      with recursive keys as (
        (select order_key from ${table} where ${WAITING} and order_key > $1 order by order_key limit 1)
        union all
        select (select order_key from ${table} where ${WAITING} and order_key > keys.order_key order by order_key limit 1)
        from keys where keys.order_key is not null
      )
      select order_key from keys where order_key is not null limit $2`,
    lockKeys: `select k as order_key from unnest($1::text[]) k
      where pg_try_advisory_xact_lock(hashtextextended('${table} relay ' || k, 0))`,
    takeOrdered: `select row.* , k as order_key from unnest($1::text[]) k
      cross join lateral (select ${ROW} from ${table} o where ${WAITING} and order_key = k order by o.id limit $2) row`,
    markPublished: `update ${table} set published_at = clock_timestamp(), seen_at = clock_timestamp(),
      check_at = clock_timestamp() + make_interval(secs => $2::float8 / 1000) where id = any($1::bigint[])`,
    setAside: `update ${table} set failed_at = clock_timestamp(), error = $2 where id = $1::bigint`,
    remove: `delete from ${table} where id = any($1::bigint[])`,
    takeUnconfirmed: `
      with due as (
        select id from ${table} where published_at is not null and check_at <= clock_timestamp()
        order by check_at limit $1 for update skip locked
      )
      update ${table} o set check_at = clock_timestamp() + make_interval(secs => 60) from due where o.id = due.id
      returning o.id::text, o.task_id, o.queue, o.task, o.tenant,
        extract(epoch from clock_timestamp() - o.seen_at)::float8 * 1000 as unseen_ms`,
    keep: `update ${table} set seen_at = clock_timestamp(), check_at = clock_timestamp()
        + least(interval '10 minutes', greatest(clock_timestamp() - published_at, make_interval(secs => $2::float8 / 1000)))
      where id = any($1::bigint[])`,
    reopen: `
      with lost as (
        update ${table} set published_at = null, seen_at = null, check_at = null where id = any($1::bigint[]) returning id
      )
      select pg_notify('${channel}', '')::text from lost limit 1`,
    depth: `select count(*) filter (where failed_at is null)::float8 as waiting,
        coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where failed_at is null)), 0)::float8 * 1000 as oldest_ms,
        count(*) filter (where failed_at is not null)::float8 as set_aside
      from ${table} where published_at is null`,
  };
}
