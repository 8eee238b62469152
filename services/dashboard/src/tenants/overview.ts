/** What each tenant does now and did within a day. Read once in ten seconds, however many look. */
import type { JobsClient, LaneDepths } from '@stratum/jobs';
import type { Pool } from 'pg';
import { z } from 'zod';

const tenantRow = z
  .object({
    tenant_id: z.int(),
    name: z.string(),
    plan: z.string(),
    running: z.int(),
    retrying: z.int().describe('Will be tried again.'),
    ended: z.int().describe('Within a day.'),
    failed: z.int(),
    run_ms: z.number(),
    last_end: z.iso.datetime().nullable(),
    queued: z
      .int()
      .nullable()
      .describe(
        'In the queues, running ones included; `null` beyond the first tenants, for which the broker is not asked.',
      ),
  })
  .meta({ id: 'TenantRow' });
export type TenantRow = z.output<typeof tenantRow>;

export const tenantOverview = z.object({
  rows: z.array(tenantRow),
  more: z.boolean().describe('Whether more tenants exist than are listed.'),
  run_ms: z.number().describe('Of all tenants listed, within a day.'),
  now: z.iso.datetime(),
});
export type TenantOverview = z.output<typeof tenantOverview>;

const count = z.coerce.number();
const rowSchema = tenantRow.omit({ queued: true }).extend({
  tenant_id: count,
  running: count,
  retrying: count,
  ended: count,
  failed: count,
  run_ms: count,
  last_end: z
    .date()
    .nullable()
    .transform((at) => at?.toISOString() ?? null),
});

const MAX_ROWS = 500;
/** The broker is asked for each of them. */
const MAX_ASKED = 25;
const FRESH_MS = 10_000;

export class TenantOverviews {
  private kept: Promise<TenantOverview> | undefined;
  private readAt = -Infinity;

  constructor(
    private readonly pool: Pool,
    private readonly client: Pick<JobsClient, 'waitingOf'>,
  ) {}

  read(): Promise<TenantOverview> {
    if (this.kept === undefined || performance.now() - this.readAt > FRESH_MS) {
      this.readAt = performance.now();
      const reading = this.load();
      this.kept = reading;
      reading.catch(() => (this.kept = undefined));
    }
    return this.kept;
  }

  private async load(): Promise<TenantOverview> {
    const { rows } = await this.pool.query('SELECT * FROM tenant_overview($1)', [MAX_ROWS + 1]);
    const tenants = rows.slice(0, MAX_ROWS).map((row) => rowSchema.parse(row));
    const queued = await Promise.all(
      tenants
        .slice(0, MAX_ASKED)
        .map(async ({ tenant_id: id }) => sumOf(await this.client.waitingOf(String(id)))),
    );
    return {
      rows: tenants.map((tenant, index) => ({ ...tenant, queued: queued[index] ?? null })),
      more: rows.length > MAX_ROWS,
      run_ms: tenants.reduce((sum, { run_ms: ms }) => sum + ms, 0),
      now: new Date().toISOString(),
    };
  }
}

export function sumOf(depths: Record<string, LaneDepths>): number {
  return Object.values(depths)
    .flatMap((lanes) => Object.values(lanes))
    .reduce((sum, n) => sum + n, 0);
}
