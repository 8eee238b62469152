/** Ended runs of a search over time: how many, in which state, how long they waited and ran. */
import { transaction } from '@stratum/shared';
import {
  endedFilter,
  isEnd,
  type Names,
  rowsWithin,
  type RunFilter,
  type Scope,
  STATE_CODES,
  stateOfCode,
  type TaskQuery,
  walkBack,
} from '@stratum/shared/task-history';
import type { Pool } from 'pg';
import { z } from 'zod';
import { BUCKETS_PER_OCTAVE, percentile } from '../history/roll-up.js';

export const MEASURES = ['state', 'wait', 'run'] as const;
export type Measure = (typeof MEASURES)[number];

const count = z.int().nonnegative();
export const runHistogram = z
  .object({
    measure: z.enum(MEASURES),
    step_s: z.int().positive().describe('How long a column is, in seconds.'),
    at: z.array(z.int()).describe('The beginnings of the columns, in seconds since 1970, the oldest first.'),
    rows: z
      .array(
        z.object({
          state: z.string().nullable().describe('`null` unless the measure is `state`.'),
          from_ms: z.number().nullable().describe('Where the band begins, unless the measure is `state`.'),
          to_ms: z.number().nullable(),
          counts: z.array(count).describe('Runs in each column.'),
        }),
      )
      .describe('States, or bands of times that double, the shortest first.'),
    median_ms: z.array(z.number().nullable()).describe('Of each column, unless the measure is `state`.'),
    p95_ms: z.array(z.number().nullable()),
    counted_since: z.iso.datetime().describe('All runs that ended since then are counted.'),
    complete: z.boolean(),
    as_of: z.iso.datetime(),
  })
  .meta({ id: 'RunHistogram' });
export type RunHistogram = z.output<typeof runHistogram>;

export interface HistogramOptions {
  scope: Scope;
  query: TaskQuery;
  measure: Measure;
  from: Date;
  /** Exclusive. */
  to: Date;
  /** How long to go on counting, in milliseconds. Default 150. */
  budgetMs?: number;
}

const BUDGET_MS = 150;
const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_MS = 86_400_000;
const MAX_COLUMNS = 60;
/** Roll-ups by the minute are kept for three days. */
const MINUTES_KEPT_MS = 2.9 * DAY_MS;
const STEPS_S = [1, 10, 30, 60, 300, 900, 1_800, HOUR_S, 10_800, 21_600, 43_200, 86_400, 604_800] as const;
const LONGEST_STEP_S = 2_419_200;
const END_CODES = Object.values(STATE_CODES).filter((code) => isEnd(stateOfCode.parse(code)));
/** As the database numbers them. */
const KINDS: Readonly<Record<Measure, number>> = { state: 1, wait: 2, run: 3 };

/** Counts from the newest column back, for as long as one request may take, and says how far it came. */
export async function readHistogram(
  pool: Pool,
  names: Names,
  { scope, query, measure, from, to, budgetMs = BUDGET_MS }: HistogramOptions,
): Promise<RunHistogram> {
  const step = stepOf(to.getTime() - from.getTime());
  const stepMs = step * SECOND_MS;
  const first = Math.floor(from.getTime() / stepMs);
  const end = Math.max(first + 1, Math.ceil(to.getTime() / stepMs));
  const slots = Array.from({ length: end - first }, (_each, index) => first + index);
  const counts = new Map<number, Map<number, number>>();
  const filter = endedFilter(query, names);
  const beginning = new Date(first * stepMs);
  let since = beginning;
  if (filter !== undefined) {
    const counting = countingOf({ scope, filter, step, since: beginning, measure });
    const walk = { from: beginning, to: new Date(end * stepMs), budgetMs, stepMs };
    since = await transaction(pool, (client) =>
      walkBack(walk, async (begin, until, withinMs) => {
        const rows = await rowsWithin<CountRow>(client, withinMs, ...counting(begin, until));
        if (rows === undefined) return 'late';
        for (const { slot, key, n } of rows) {
          const column = counts.get(Number(slot)) ?? new Map<number, number>();
          counts.set(Number(slot), column.set(key, (column.get(key) ?? 0) + Number(n)));
        }
        return 'on';
      }),
    );
  }
  const columns = slots.map((slot) => counts.get(slot) ?? new Map<number, number>());
  const isTimed = measure !== 'state';
  return {
    measure,
    step_s: step,
    at: slots.map((slot) => slot * step),
    rows: isTimed ? bandsOf(columns) : statesOf(columns),
    median_ms: isTimed ? columns.map((column) => percentile(column, 0.5)) : [],
    p95_ms: isTimed ? columns.map((column) => percentile(column, 0.95)) : [],
    counted_since: since.toISOString(),
    complete: since <= beginning,
    as_of: new Date().toISOString(),
  };
}

function stepOf(lengthMs: number): number {
  return STEPS_S.find((step) => Math.floor(lengthMs / SECOND_MS / step) <= MAX_COLUMNS) ?? LONGEST_STEP_S;
}

interface CountRow {
  slot: string;
  key: number;
  n: string;
}

interface Counting {
  scope: Scope;
  filter: RunFilter;
  step: number;
  since: Date;
  measure: Measure;
}

/** A query and its values for a window. Roll-ups know tasks and states of all tenants together; all else is counted in the runs themselves. */
function countingOf({
  scope,
  filter,
  step,
  since,
  measure,
}: Counting): (from: Date, until: Date) => [text: string, values: unknown[]] {
  const { states = END_CODES, tasks, ...others } = filter;
  const table = rolledUpIn(step, since);
  if (scope !== 'platform' || Object.keys(others).length > 0 || table === undefined)
    return (from, until) => [
      'SELECT slot, key, n FROM histogram_of_runs($1, $2, $3, $4, $5) WHERE kind = $6',
      [scope, filter, from, until, step, KINDS[measure]],
    ];
  const unnested = `CROSS JOIN LATERAL unnest(counted.${measure}_b, counted.${measure}_n) AS u (b, c)`;
  const text = `SELECT floor(extract(epoch FROM at) / $1)::bigint AS slot, ${ROLLED_UP[measure]}
    FROM ${table} AS counted ${measure === 'state' ? '' : unnested}
    WHERE at >= $2 AND at < $3 AND outcome = ANY ($4) AND ($5::smallint[] IS NULL OR task = ANY ($5)) GROUP BY 1, 2`;
  return (from, until) => [text, [step, from, until, states, tasks ?? null]];
}

function rolledUpIn(step: number, since: Date): 'task_hour' | 'task_minute' | undefined {
  if (step % HOUR_S === 0) return 'task_hour';
  return step % MINUTE_S === 0 && Date.now() - since.getTime() < MINUTES_KEPT_MS ? 'task_minute' : undefined;
}

const ROLLED_UP: Readonly<Record<Measure, string>> = {
  state: 'outcome::integer AS key, sum(n) AS n',
  wait: 'u.b::integer AS key, sum(u.c) AS n',
  run: 'u.b::integer AS key, sum(u.c) AS n',
};

type Column = ReadonlyMap<number, number>;

function statesOf(columns: readonly Column[]): RunHistogram['rows'] {
  return END_CODES.map((code) => ({
    state: stateOfCode.parse(code),
    from_ms: null,
    to_ms: null,
    counts: columns.map((column) => column.get(code) ?? 0),
  })).filter(({ counts }) => counts.some((n) => n > 0));
}

/** A band for each doubling, without empty ones at either end. */
function bandsOf(columns: readonly Column[]): RunHistogram['rows'] {
  const octaves = columns.map((column) => {
    const sums = new Map<number, number>();
    for (const [bucket, n] of column) {
      const octave = Math.floor(bucket / BUCKETS_PER_OCTAVE);
      sums.set(octave, (sums.get(octave) ?? 0) + n);
    }
    return sums;
  });
  const known = octaves.flatMap((column) => [...column.keys()]);
  if (known.length === 0) return [];
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return Array.from({ length: most - least + 1 }, (_each, index) => {
    const octave = least + index;
    return {
      state: null,
      // What took less than a millisecond is in the first one.
      from_ms: octave === 0 ? 0 : 2 ** octave,
      to_ms: 2 ** (octave + 1),
      counts: octaves.map((column) => column.get(octave) ?? 0),
    };
  });
}

/** When the first of the viewer's runs ended that the history still has. */
export async function firstRunAt(pool: Pool, scope: Scope, oldest: Date): Promise<Date | null> {
  const { rows } = await pool.query<{ at: Date | null }>('SELECT first_run_at($1, $2) AS at', [
    scope,
    oldest,
  ]);
  return rows[0]?.at ?? null;
}
