/** A tenant's funnels and what came of them. All of it inside the caller's transaction, as the tenant. */
import type { PoolClient } from 'pg';
import { DefinitionError } from '../definition-error.js';
import { funnelSchema, type Funnel } from './funnel.js';

export interface StoredFunnel {
  id: number;
  name: string;
  definition: Funnel;
  lastComputedAt: Date | null;
}

export interface StepReport {
  step: number;
  event: string;
  /** Profiles that came at least so far. */
  profiles: number;
  /** Share of those of the step before. */
  conversion: number | null;
  /** Share of those of the first step. */
  overall: number | null;
  /** The 95 % interval of the overall share. */
  interval: { low: number; high: number } | null;
  /** Profiles that came so far and no further. */
  dropped: number;
  /** From the step before, in seconds. */
  median_seconds: number | null;
}

export interface FunnelReport {
  computedAt: Date;
  /** When first steps were looked for. */
  since: Date;
  until: Date;
  steps: StepReport[];
  breakdown: { value: string; steps: StepReport[] }[];
}

interface FunnelRow {
  id: string;
  name: string;
  definition: Funnel;
  last_computed_at: Date | null;
}

export async function listFunnels(client: PoolClient): Promise<StoredFunnel[]> {
  const { rows } = await client.query<FunnelRow>(
    'SELECT id, name, definition, last_computed_at FROM cdp_funnel ORDER BY name',
  );
  return rows.map(({ id, name, definition, last_computed_at: lastComputedAt }) => ({
    id: Number(id),
    name,
    definition,
    lastComputedAt,
  }));
}

/**
 * Creates the funnel, or replaces the definition of the one of that name. Returns its id.
 * @throws DefinitionError
 */
export async function saveFunnel(
  client: PoolClient,
  { name, definition }: { name: string; definition: unknown },
): Promise<number> {
  const parsed = funnelSchema.safeParse(definition);
  if (!parsed.success) throw new DefinitionError('funnel', parsed.error);
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO cdp_funnel (tenant_id, name, definition) VALUES (current_tenant(), $1, $2)
     ON CONFLICT (tenant_id, name) DO UPDATE SET definition = $2 RETURNING id`,
    [name, JSON.stringify(parsed.data)],
  );
  return Number(rows[0]?.id);
}

export async function latestFunnelReport(
  client: PoolClient,
  funnelId: number,
): Promise<FunnelReport | undefined> {
  const { rows } = await client.query<FunnelReport>(
    `SELECT computed_at AS "computedAt", since, until, steps, breakdown FROM cdp_funnel_result
     WHERE funnel_id = $1 ORDER BY computed_at DESC LIMIT 1`,
    [funnelId],
  );
  return rows[0];
}
