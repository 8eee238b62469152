/** Operations as they are stored. */
import type { KeptLetter } from '@stratum/jobs';
import { randomBytes } from 'node:crypto';
import { transaction } from '../database/database.js';
import type { Pool } from 'pg';
import { z } from 'zod';
import { VERBS, type FoundItems, type Verb } from './find-items.js';

export const OPERATION_STATES = [
  'draft',
  'running',
  'paused',
  'stopped',
  'ended',
  'undoing',
  'undone',
] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

const instant = z.iso.datetime();
const count = z.int().nonnegative();
export const operationSchema = z
  .object({
    id: z.string(),
    verb: z.enum(VERBS),
    query: z.string(),
    as_of: instant,
    complete: z.boolean().describe('Whether it has all that matched.'),
    state: z.enum(OPERATION_STATES),
    rate: z.int().describe('Most tasks a second.'),
    actor: z.string(),
    begins_at: instant.nullable().describe('Until then it can be stopped without an effect.'),
    ended_at: instant.nullable(),
    counted: count,
    done: count,
    kept: count.describe('Could not be done.'),
    gone: count.describe('Nothing was left to do.'),
    restored: count.describe('Were discarded, and are back.'),
    undo_until: instant.nullable().describe('Until then what it discarded can be put back.'),
  })
  .meta({ id: 'Operation' });
export type Operation = z.output<typeof operationSchema>;

const storedTime = z.date().transform((at) => at.toISOString());
const storedCount = z.coerce.number();
const rowSchema = operationSchema.extend({
  as_of: storedTime,
  begins_at: storedTime.nullable(),
  ended_at: storedTime.nullable(),
  undo_until: storedTime.nullable(),
  counted: storedCount,
  done: storedCount,
  kept: storedCount,
  gone: storedCount,
  restored: storedCount,
});

const itemSchema = z
  .object({
    place: z.int(),
    id: z.string().describe('Of the task.'),
    task: z.string(),
    queue: z.string(),
    tenant: z.string().describe('0: the platform itself.'),
    was: z.string().describe('Its state when it was found.'),
    outcome: z
      .enum(['done', 'kept', 'gone', 'restored'])
      .nullable()
      .describe('`null`: its turn has not come.'),
    detail: z.string().nullable().describe('Why it could not be done.'),
  })
  .meta({ id: 'OperationItem' });
export type OperationItem = z.output<typeof itemSchema>;

const groupCounts = z.array(z.object({ name: z.string(), n: z.number() }));
export const operationDetailSchema = operationSchema
  .extend({
    by: z
      .object({ queue: groupCounts, task: groupCounts, tenant: groupCounts, was: groupCounts })
      .describe('How many tasks, the largest groups first.'),
    items: z
      .array(itemSchema)
      .describe('The first that could not be done; before it begins, the first of all.'),
  })
  .meta({ id: 'OperationDetail' });
export type OperationDetail = z.output<typeof operationDetailSchema>;

const ID_BYTES = 12;
const MAX_LISTED = 100;
const SHOWN = 10;
const READ = `SELECT o.*, i.* FROM operation o CROSS JOIN LATERAL (
    SELECT count(*) AS counted, count(*) FILTER (WHERE outcome = 'done') AS done, count(*) FILTER (WHERE outcome = 'kept') AS kept,
      count(*) FILTER (WHERE outcome = 'gone') AS gone, count(*) FILTER (WHERE outcome = 'restored') AS restored,
      CASE WHEN o.verb = 'discard' AND o.state IN ('stopped', 'ended') AND o.ended_at > now() - interval '1 day' AND bool_or(letter IS NOT NULL) THEN o.ended_at + interval '1 day' END AS undo_until
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
  return rows.map((row) => rowSchema.parse(row));
}

export async function findOperation(pool: Pool, id: string): Promise<OperationDetail | undefined> {
  const { rows } = await pool.query(`${READ} WHERE o.id = $1`, [id]);
  if (rows[0] === undefined) return undefined;
  const operation = rowSchema.parse(rows[0]);
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
       ended_at = CASE WHEN $3 IN ('stopped', 'ended') THEN now() WHEN $3 IN ('undoing', 'undone') THEN ended_at END
     WHERE id = $1 AND state = ANY ($2)`,
    [id, change.from, change.to, change.rate ?? null, change.beginsInMs ?? null],
  );
  return rowCount === 1;
}

/** Operations that go on now. */
export type DueOperation = Pick<Operation, 'id' | 'verb' | 'rate' | 'state'>;

export async function dueOperations(pool: Pool): Promise<DueOperation[]> {
  const { rows } = await pool.query<DueOperation>(
    "SELECT id, verb, rate, state FROM operation WHERE state IN ('running', 'undoing') AND begins_at <= now() ORDER BY begins_at",
  );
  return rows;
}

/** Before it is discarded. */
export async function keepItemLetter(
  pool: Pool,
  id: string,
  place: number,
  letter: KeptLetter,
): Promise<void> {
  await pool.query('UPDATE operation_item SET letter = $3 WHERE operation_id = $1 AND place = $2', [
    id,
    place,
    JSON.stringify(letter),
  ]);
}

export interface KeptItem {
  place: number;
  letter: KeptLetter;
}

/** Discarded letters that can be put back. */
export async function keptItems(pool: Pool, id: string, most: number): Promise<KeptItem[]> {
  const { rows } = await pool.query<KeptItem>(
    `SELECT place, letter FROM operation_item
     WHERE operation_id = $1 AND letter IS NOT NULL AND outcome IN ('done', 'gone') ORDER BY place LIMIT $2`,
    [id, most],
  );
  return rows;
}

/** @param detail why the letter is not back */
export async function recordRestored(
  pool: Pool,
  id: string,
  { place, detail }: { place: number; detail: string | null },
): Promise<void> {
  await pool.query(
    `UPDATE operation_item SET letter = NULL, detail = $3, outcome = CASE WHEN $3::text IS NULL THEN 'restored' ELSE 'kept' END
     WHERE operation_id = $1 AND place = $2`,
    [id, place, detail],
  );
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
