/** The newest facts in the database: the last sample, what became of attempts lately, how far the history has come. */
import type { WorkerView } from '@stratum/jobs';
import { STATE_CODES } from '@stratum/shared/task-history';
import type { Pool } from 'pg';
import { z } from 'zod';
import { percentile } from '../history/roll-up.js';
import { NO_SIGNALS, queueFacts, type FailureFacts, type Signals } from '../overview/facts.js';

export const queueSnapshot = queueFacts
  .extend({
    drain_s: z
      .number()
      .nullable()
      .describe('How long the backlog takes at the rate of the last minute; `null`: it does not shrink.'),
    wait_p95_ms: z.number().nullable().describe('Of attempts in the last 15 minutes: 95 % took less.'),
    run_p95_ms: z.number().nullable(),
    failed_15m: z.int(),
    ended_15m: z.int(),
  })
  .meta({ id: 'QueueSnapshot' });
export type QueueSnapshot = z.output<typeof queueSnapshot>;

/** What the database knows at one moment. */
export interface State {
  /** The newest sample: when it was taken, and the last event that it saw in the stream. `null`: there is none. */
  sample: { at: Date; streamLast: number } | null;
  queues: QueueSnapshot[];
  workers: WorkerView[];
  schedulers: { name: string; leads: boolean }[];
  signals: Signals;
  failures: FailureFacts[];
  history: { sequence: number; gaps: number };
}

export async function readState(pool: Pool, stream: string): Promise<State> {
  const [sample, gauges, attempts, projector, gaps] = await Promise.all([
    pool.query<SampleRow>('SELECT at, workers, schedulers, stream_last, signals FROM latest_sample'),
    pool.query<GaugeRow>(GAUGES),
    pool.query<AttemptRow>(ATTEMPTS),
    pool.query<{ sequence: string }>('SELECT sequence FROM projector WHERE stream = $1', [stream]),
    pool.query<{ gaps: string }>('SELECT count(*) AS gaps FROM projector_gap WHERE stream = $1', [stream]),
  ]);
  const newest = sample.rows[0];
  return {
    sample: newest === undefined ? null : { at: newest.at, streamLast: Number(newest.stream_last) },
    queues: queuesOf(gauges.rows, attempts.rows),
    workers: newest?.workers ?? [],
    schedulers:
      newest?.schedulers.members.map(({ name }) => ({
        name,
        leads: name === newest.schedulers.leader?.name,
      })) ?? [],
    // A sample of an older version lacks what is new.
    signals: { ...NO_SIGNALS, ...newest?.signals },
    failures: await readFailures(pool, attempts.rows),
    history: { sequence: Number(projector.rows[0]?.sequence ?? 0), gaps: Number(gaps.rows[0]?.gaps ?? 0) },
  };
}

interface SampleRow {
  at: Date;
  workers: WorkerView[];
  schedulers: { leader: { name: string } | null; members: { name: string }[] };
  stream_last: string;
  signals: Partial<Signals> | null;
}

interface GaugeRow {
  at: Date;
  before_at: Date | null;
  queue: string;
  high: string;
  normal: string;
  low: string;
  delayed: string;
  running: string;
  paused: boolean;
  oldest_at: Date | null;
  slots: number;
  slots_used: number;
  /** Ended since, and what more there is than then. */
  ended: string | null;
  grown: string | null;
}

/** The newest sample of each queue beside that of a minute before. */
const GAUGES = `SELECT g.*, b.at AS before_at, g.acknowledged - b.acknowledged AS ended,
    (g.high + g.normal + g.low + g.delayed + g.running) - (b.high + b.normal + b.low + b.delayed + b.running) AS grown
  FROM gauge_10s g LEFT JOIN LATERAL (
    SELECT * FROM gauge_10s b WHERE b.queue = g.queue AND b.at < g.at AND b.at >= g.at - interval '65 seconds' ORDER BY b.at LIMIT 1) b ON true
  WHERE g.at = (SELECT max(at) FROM gauge_10s) ORDER BY g.queue`;

interface AttemptRow {
  queue: string;
  task: string;
  task_id: number;
  outcome: number;
  n: string;
  wait: [number, number][] | null;
  run: [number, number][] | null;
}

const ATTEMPTS = `SELECT t.queue, t.name AS task, t.id AS task_id, m.outcome, sum(m.n) AS n,
    (SELECT jsonb_agg(jsonb_build_array(b, c)) FROM (SELECT u.b, sum(u.c) AS c FROM task_minute x, unnest(x.wait_b, x.wait_n) AS u (b, c)
       WHERE x.task = m.task AND x.outcome = m.outcome AND x.at >= now() - interval '15 minutes' GROUP BY 1) w) AS wait,
    (SELECT jsonb_agg(jsonb_build_array(b, c)) FROM (SELECT u.b, sum(u.c) AS c FROM task_minute x, unnest(x.run_b, x.run_n) AS u (b, c)
       WHERE x.task = m.task AND x.outcome = m.outcome AND x.at >= now() - interval '15 minutes' GROUP BY 1) r) AS run
  FROM task_minute m JOIN task_name t ON t.id = m.task
  WHERE m.at >= now() - interval '15 minutes' GROUP BY m.task, m.outcome, t.id, t.queue, t.name`;

const FAILED = new Set([STATE_CODES.FAILURE, STATE_CODES.RETRY]);
const SECOND_MS = 1_000;

function queuesOf(gauges: readonly GaugeRow[], attempts: readonly AttemptRow[]): QueueSnapshot[] {
  return gauges.map((row) => {
    const own = attempts.filter(({ queue }) => queue === row.queue);
    const seconds = row.before_at === null ? 0 : (row.at.getTime() - row.before_at.getTime()) / SECOND_MS;
    const out = seconds === 0 ? null : Math.max(0, Number(row.ended)) / seconds;
    const grown = seconds === 0 ? null : Number(row.grown) / seconds;
    const backlog = Number(row.high) + Number(row.normal) + Number(row.low);
    const shrinks = grown !== null && out !== null && grown < 0;
    return {
      queue: row.queue,
      high: Number(row.high),
      normal: Number(row.normal),
      low: Number(row.low),
      delayed: Number(row.delayed),
      running: Number(row.running),
      paused: row.paused,
      oldest_at: row.oldest_at?.toISOString() ?? null,
      slots: row.slots,
      slots_used: row.slots_used,
      out_per_s: out,
      in_per_s: out === null || grown === null ? null : Math.max(0, out + grown),
      drain_s: shrinks && backlog > 0 ? Math.round(backlog / -grown) : null,
      wait_p95_ms: percentile(together(own.map(({ wait }) => wait)), 0.95),
      run_p95_ms: percentile(together(own.map(({ run }) => run)), 0.95),
      failed_15m: sum(own.filter(({ outcome }) => FAILED.has(outcome))),
      ended_15m: sum(own),
    };
  });
}

/** Looked at more closely: what their newest attempts came to. */
const SUSPECT_LEAST = 5;
const MAX_SUSPECTS = 50;
const NEWEST = 10;

/** Tasks that failed often within 15 minutes. */
async function readFailures(pool: Pool, attempts: readonly AttemptRow[]): Promise<FailureFacts[]> {
  const tasks = new Map<number, Omit<FailureFacts, 'newest'>>();
  for (const { queue, task, task_id: id, outcome, n } of attempts) {
    const facts = tasks.get(id) ?? { task, queue, failed: 0, ended: 0 };
    facts.ended += Number(n);
    if (FAILED.has(outcome)) facts.failed += Number(n);
    tasks.set(id, facts);
  }
  const suspects = [...tasks]
    .filter(([, { failed }]) => failed >= SUSPECT_LEAST)
    .toSorted(([, a], [, b]) => b.failed - a.failed)
    .slice(0, MAX_SUSPECTS);
  if (suspects.length === 0) return [];
  const { rows } = await pool.query<{ task: number; ended: string; failed: string; error: string | null }>(
    "SELECT * FROM newest_attempts($1, now() - interval '15 minutes', $2)",
    [suspects.map(([id]) => id), NEWEST],
  );
  const newest = new Map(rows.map((row) => [row.task, row]));
  return suspects.flatMap(([id, facts]) => {
    const seen = newest.get(id);
    if (seen === undefined) return [];
    return [
      { ...facts, newest: { failed: Number(seen.failed), ended: Number(seen.ended), error: seen.error } },
    ];
  });
}

function sum(attempts: readonly AttemptRow[]): number {
  return attempts.reduce((total, { n }) => total + Number(n), 0);
}

function together(histograms: readonly ([number, number][] | null)[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [bucket, n] of histograms.flatMap((each) => each ?? []))
    counts.set(bucket, (counts.get(bucket) ?? 0) + n);
  return counts;
}
