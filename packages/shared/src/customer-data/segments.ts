/** A tenant's segments. Inside the caller's transaction, as the tenant. */
import type { PoolClient } from 'pg';
import type { SegmentTree } from './segment-tree.js';

export interface Segment {
  id: number;
  name: string;
  definition: SegmentTree;
  /** Ids of the segments that the definition names. */
  dependsOn: number[];
  /** `null` until it was computed for the first time. */
  profileCount: number | null;
  lastComputedAt: Date | null;
}

interface SegmentRow {
  id: string;
  name: string;
  definition: SegmentTree;
  depends_on: string[];
  profile_count: string | null;
  last_computed_at: Date | null;
}

export async function listSegments(client: PoolClient): Promise<Segment[]> {
  const { rows } = await client.query<SegmentRow>(
    'SELECT id, name, definition, depends_on, profile_count, last_computed_at FROM cdp_segment ORDER BY name',
  );
  return rows.map((row) => ({
    id: Number(row.id),
    name: row.name,
    definition: row.definition,
    dependsOn: row.depends_on.map(Number),
    profileCount: row.profile_count === null ? null : Number(row.profile_count),
    lastComputedAt: row.last_computed_at,
  }));
}
