/** Figures of the last hours for charts: at most 600 points, and nothing where nothing was measured. */
import type { Pool } from 'pg';
import { z } from 'zod';

export const SERIES = ['throughput', 'waiting', 'oldest', 'slots'] as const;
export type SeriesName = (typeof SERIES)[number];

export const series = z
  .object({
    at: z.array(z.int()).describe('Seconds since 1970.'),
    lines: z
      .record(z.string(), z.array(z.number().nullable()))
      .describe('By name; `null` where there is no measurement.'),
    unit: z.string(),
    step_s: z.int().positive(),
  })
  .meta({ id: 'Series' });
export type Series = z.output<typeof series>;

const MAX_POINTS = 600;
const SAMPLE_S = 10;

/** Expressions over the samples of one queue (`g`) in one step; `d` has the length of the step that they cover, in seconds. */
const LINES: Readonly<Record<SeriesName, { unit: string; lines: Record<string, string> }>> = {
  throughput: {
    unit: '/s',
    lines: {
      started:
        'greatest(0, max(delivered) - min(delivered)) / nullif(extract(epoch FROM max(at) - min(at)), 0)',
      finished:
        'greatest(0, max(acknowledged) - min(acknowledged)) / nullif(extract(epoch FROM max(at) - min(at)), 0)',
    },
  },
  waiting: {
    unit: 'tasks',
    lines: { high: 'avg(high)', normal: 'avg(normal)', low: 'avg(low)', delayed: 'avg(delayed)' },
  },
  oldest: {
    unit: 's',
    lines: { oldest: 'max(coalesce(greatest(0, extract(epoch FROM at - oldest_at)), 0))' },
  },
  slots: { unit: 'slots', lines: { used: 'avg(slots_used)', all: 'avg(slots)' } },
};
/** Of all queues together: ages do not add up. */
const TOGETHER: Readonly<Record<SeriesName, 'sum' | 'max'>> = {
  throughput: 'sum',
  waiting: 'sum',
  oldest: 'max',
  slots: 'sum',
};

export async function readSeries(
  pool: Pool,
  { metric, queue, hours }: { metric: SeriesName; queue?: string | undefined; hours: number },
): Promise<Series> {
  // Two samples at least in each step: a rate needs them.
  const step = Math.max(3 * SAMPLE_S, Math.ceil((hours * 3_600) / MAX_POINTS / SAMPLE_S) * SAMPLE_S);
  const { unit, lines } = LINES[metric];
  const names = Object.keys(lines);
  const each = names.map((name) => `${lines[name]} AS "${name}"`).join(', ');
  const all = names.map((name) => `${TOGETHER[metric]}("${name}") AS "${name}"`).join(', ');
  const { rows } = await pool.query<Record<string, string | null> & { slot: string }>(
    `SELECT slot, ${all} FROM (
       SELECT floor(extract(epoch FROM at) / $1)::bigint AS slot, queue, ${each} FROM gauge_10s
       WHERE at > now() - $2 * interval '1 hour' AND ($3::text IS NULL OR queue = $3) GROUP BY 1, 2) s GROUP BY 1 ORDER BY 1`,
    [step, hours, queue ?? null],
  );
  const found = new Map(rows.map((row) => [Number(row.slot), row]));
  const last = Math.floor(Date.now() / 1_000 / step);
  const count = Math.ceil((hours * 3_600) / step);
  const slots = Array.from({ length: count }, (_each, index) => last - count + 1 + index);
  const valueAt = (slot: number, name: string): number | null => {
    const value = found.get(slot)?.[name] ?? null;
    return value === null ? null : Number(Number(value).toPrecision(4));
  };
  return {
    at: slots.map((slot) => slot * step),
    lines: Object.fromEntries(names.map((name) => [name, slots.map((slot) => valueAt(slot, name))])),
    unit,
    step_s: step,
  };
}
