/** Operations as they are stored. */
import { randomBytes } from 'node:crypto';
import { transaction } from '@stratum/shared';
import type { Pool } from 'pg';
import { z } from 'zod';
import { VERBS, type FoundItems, type Verb } from './find-items.js';

const STATES = ['draft', 'running', 'paused', 'stopped', 'ended'] as const;
export type OperationState = (typeof STATES)[number];

const time = z
  .date()
  .nullable()
  .transform((at) => at?.toISOString() ?? null);
const count = z.coerce.number();
const operationSchema = z.object({
  id: z.string(),
  verb: z.enum(VERBS),
  query: z.string(),
  as_of: z.date().transform((at) => at.toISOString()),
  /** Whether it has all that matched. */
  complete: z.boolean(),
  state: z.enum(STATES),
  /** Tasks a second. */
  rate: z.number(),
  actor: z.string(),
  /** Until then it can be stopped without an effect. */
  begins_at: time,
  ended_at: time,
  counted: count,
  done: count,
  /** Could not be done. */
  kept: count,
  /** Nothing was left to do. */
  gone: count,
});
export type Operation = z.output<typeof operationSchema>;

const itemSchema = z.object({
  place: z.number(),
  id: z.string(),
  task: z.string(),
  queue: z.string(),
  tenant: z.string(),
  was: z.string(),
  outcome: z.enum(['done', 'kept', 'gone']).nullable(),
  detail: z.string().nullable(),
});
export type OperationItem = z.output<typeof itemSchema>;

export interface OperationDetail extends Operation {
  by: Record<'queue' | 'task' | 'tenant' | 'was', { name: string; n: number }[]>;
  /** The first that could not be done; before it begins, the first of all. */
  items: OperationItem[];
}

const ID_BYTES = 12;
const MAX_LISTED = 100;
const SHOWN = 10;
const READ = `SELECT o.*, i.* FROM operation o CROSS JOIN LATERAL (
    SELECT count(*) AS counted, count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome = 'kept') AS kept,
      count(*) FILTER (WHERE outcome = 'gone') AS gone
    FROM operation_item WHERE operation_id = o.id) i`;

/** Stores what was found; nothing is done yet. Returns its id. */
export async function draftOperation(
  pool: Pool,
  { verb, query, actor, found }: { verb: Verb; query: string; actor: string; found: FoundItems },
): Promise<string> {
  const id = randomBytes(ID_BYTES).toString('base64url');
  await transaction(pool, async (client) => {
    await client.query(
      'INSERT INTO operation (id, verb, query, as_of, complete, actor) VALUES ($1, $2, $3, now(), $4, $5)',
      [id, verb, query, found.complete, actor],
    );
    await client.query(
      `INSERT INTO operation_item (operation_id, place, id, task, queue, tenant, was)
       SELECT $1, ordinality, x.item ->> 'id', x.item ->> 'task', x.item ->> 'queue', x.item ->> 'tenant', x.item ->> 'was'
       FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS x (item, ordinality)`,
      [id, JSON.stringify(found.items)],
    );
  });
  return id;
}

/** The newest first, without drafts. */
export async function listOperations(pool: Pool): Promise<Operation[]> {
  const { rows } = await pool.query(
    `${READ} WHERE o.state <> 'draft' ORDER BY o.created_at DESC LIMIT ${MAX_LISTED}`,
  );
  return rows.map((row) => operationSchema.parse(row));
}

export async function findOperation(pool: Pool, id: string): Promise<OperationDetail | undefined> {
  const { rows } = await pool.query(`${READ} WHERE o.id = $1`, [id]);
  if (rows[0] === undefined) return undefined;
  const operation = operationSchema.parse(rows[0]);
  const [groups, items] = await Promise.all([
    pool.query<{ by: 'queue' | 'task' | 'tenant' | 'was'; name: string; n: string }>(
      `SELECT g.by, g.name, count(*) AS n FROM operation_item CROSS JOIN LATERAL (VALUES ('queue', queue), ('task', task), ('tenant', tenant), ('was', was)) AS g (by, name)
       WHERE operation_id = $1 GROUP BY g.by, g.name ORDER BY n DESC, g.name`,
      [id],
    ),
    pool.query(
      `SELECT place, id, task, queue, tenant, was, outcome, detail FROM operation_item
       WHERE operation_id = $1 AND ($2 OR outcome = 'kept') ORDER BY place LIMIT ${SHOWN}`,
      [id, operation.state === 'draft'],
    ),
  ]);
  const by: OperationDetail['by'] = { queue: [], task: [], tenant: [], was: [] };
  for (const { by: kind, name, n } of groups.rows)
    if (by[kind].length < SHOWN) by[kind].push({ name, n: Number(n) });
  return { ...operation, by, items: items.rows.map((row) => itemSchema.parse(row)) };
}

/** Returns whether the operation was in one of the states before. */
export async function changeOperation(
  pool: Pool,
  id: string,
  change: { from: readonly OperationState[]; to: OperationState; rate?: number; beginsInMs?: number },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `UPDATE operation SET state = $3, rate = coalesce($4, rate),
       begins_at = coalesce(begins_at, now() + $5 * interval '1 millisecond'),
       ended_at = CASE WHEN $3 IN ('stopped', 'ended') THEN now() END
     WHERE id = $1 AND state = ANY ($2)`,
    [id, change.from, change.to, change.rate ?? null, change.beginsInMs ?? null],
  );
  return rowCount === 1;
}

/** Operations that go on now. */
export async function dueOperations(pool: Pool): Promise<Pick<Operation, 'id' | 'verb' | 'rate'>[]> {
  const { rows } = await pool.query<Pick<Operation, 'id' | 'verb' | 'rate'>>(
    "SELECT id, verb, rate FROM operation WHERE state = 'running' AND begins_at <= now() ORDER BY begins_at",
  );
  return rows;
}

export async function nextItems(pool: Pool, id: string, most: number): Promise<OperationItem[]> {
  const { rows } = await pool.query(
    `SELECT place, id, task, queue, tenant, was, outcome, detail FROM operation_item
     WHERE operation_id = $1 AND outcome IS NULL ORDER BY place LIMIT $2`,
    [id, most],
  );
  return rows.map((row) => itemSchema.parse(row));
}

export async function recordOutcomes(
  pool: Pool,
  id: string,
  outcomes: readonly Pick<OperationItem, 'place' | 'outcome' | 'detail'>[],
): Promise<void> {
  await pool.query(
    `UPDATE operation_item AS item SET outcome = x.outcome, detail = x.detail
     FROM jsonb_to_recordset($2::jsonb) AS x (place integer, outcome text, detail text)
     WHERE item.operation_id = $1 AND item.place = x.place AND item.outcome IS NULL`,
    [id, JSON.stringify(outcomes)],
  );
}
