/** Writes a segment with what it depends on; refuses one that would depend on itself. */
import type { PoolClient } from 'pg';
import type { Queryable } from '../database/database.js';
import { DefinitionError } from '../definition-error.js';
import { dependenciesOf, segmentTreeSchema } from './segment-tree.js';

/** The segment would be a part of itself. */
export class SegmentCycleError extends Error {
  readonly code = 'segment_cycle';
  readonly retryable = false;

  constructor(path: readonly number[]) {
    super(`A segment cannot depend on itself: ${path.join(' → ')}.`);
    this.name = 'SegmentCycleError';
  }
}

/**
 * Inside the caller's transaction, as the tenant; creates the segment, or replaces the definition of the one of that name. Returns its id.
 * @throws DefinitionError; SegmentCycleError
 */
export async function saveSegment(
  client: PoolClient,
  { name, definition }: { name: string; definition: unknown },
): Promise<number> {
  const parsed = segmentTreeSchema.safeParse(definition);
  if (!parsed.success) throw new DefinitionError('segment', parsed.error);
  const tree = parsed.data;
  const dependencies = dependenciesOf(tree);
  await lockSegments(client);
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO cdp_segment (tenant_id, name, definition, depends_on) VALUES (current_tenant(), $1, $2, $3)
     ON CONFLICT (tenant_id, name) DO UPDATE SET definition = excluded.definition, depends_on = excluded.depends_on
     RETURNING id`,
    [name, JSON.stringify(tree), dependencies],
  );
  const id = Number(rows[0]?.id);
  await refuseCycle(client, id);
  return id;
}

/** One change at a time: two that are harmless alone could close a circle together. */
export async function lockSegments(client: Queryable): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('stratum.segments'), current_tenant()::int)`);
}

/** @throws SegmentCycleError */
export async function refuseCycle(client: Queryable, id: number): Promise<void> {
  const { rows } = await client.query<{ path: string[] }>(
    `WITH RECURSIVE reach AS (
       SELECT dependency AS id, ARRAY[s.id, dependency] AS path FROM cdp_segment s, unnest(s.depends_on) dependency WHERE s.id = $1
       UNION ALL
       SELECT dependency, path || dependency FROM reach JOIN cdp_segment s ON s.id = reach.id, unnest(s.depends_on) dependency
       WHERE reach.id <> $1 AND NOT dependency = ANY(path[2:])
     )
     SELECT path FROM reach WHERE id = $1 LIMIT 1`,
    [id],
  );
  if (rows[0] !== undefined) throw new SegmentCycleError(rows[0].path.map(Number));
}
