/** The newest state of the whole platform, in memory: however many people look, it is read once. */
import { BackgroundLoop } from '@stratum/jobs/internal';
import type { WorkerView } from '@stratum/jobs';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import { bucketStart } from '../history/roll-up.js';
import { STATE_CODES } from '@stratum/shared/task-history';
import {
  findProblems,
  type FailureFacts,
  type Problem,
  type QueueFacts,
  type Verdict,
} from '../overview/problems.js';

export interface QueueSnapshot extends QueueFacts {
  /** How long the backlog takes at the rate of the last minute, in seconds; `null`: it does not shrink. */
  drain_s: number | null;
  /** Of attempts in the last 15 minutes, in milliseconds: 95 % took less. */
  wait_p95_ms: number | null;
  run_p95_ms: number | null;
  failed_15m: number;
  ended_15m: number;
}

export interface Snapshot {
  /** When the facts were put together. */
  at: string;
  sampled_at: string | null;
  verdict: Verdict;
  problems: Problem[];
  queues: QueueSnapshot[];
  workers: WorkerView[];
  schedulers: { name: string; leads: boolean }[];
  history: { sequence: number; behind_events: number; behind_ms: number; gaps: number };
}

const EVERY_MS = 2_000;
const EMPTY: Snapshot = {
  at: new Date(0).toISOString(),
  sampled_at: null,
  verdict: 'unknown',
  problems: [],
  queues: [],
  workers: [],
  schedulers: [],
  history: { sequence: 0, behind_events: 0, behind_ms: 0, gaps: 0 },
};

export class Snapshots {
  private readonly loop: BackgroundLoop;
  private readonly listeners = new Set<(snapshot: Snapshot) => void>();
  private readonly expected = new Map<string, { paused: boolean; at: number }>();
  private latest = EMPTY;
  private failures: readonly FailureFacts[] = [];
  /** When the history was last seen to have read everything. */
  private caughtUpAt = Date.now();

  constructor(
    private readonly pool: Pool,
    private readonly stream: string,
    logger: Logger,
  ) {
    this.loop = new BackgroundLoop({
      everyMs: EVERY_MS,
      run: async () => {
        this.publish(this.withExpected(await this.read()));
        return undefined;
      },
      onFailure: (error) => {
        logger.warn({ err: error }, 'the state of the platform could not be read, trying again');
        this.publish(this.judged(this.latest, this.failures));
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  get current(): Snapshot {
    return this.latest;
  }

  /** What a control has just done, before a sample shows it. */
  expectPaused(queue: string, paused: boolean): void {
    this.expected.set(queue, { paused, at: Date.now() });
    this.publish(this.withExpected(this.latest));
  }

  private withExpected(snapshot: Snapshot): Snapshot {
    const sampledAt = Date.parse(snapshot.sampled_at ?? '');
    for (const [queue, { at }] of this.expected) if (sampledAt > at) this.expected.delete(queue);
    if (this.expected.size === 0) return snapshot;
    const queues = snapshot.queues.map((each) => ({
      ...each,
      paused: this.expected.get(each.queue)?.paused ?? each.paused,
    }));
    return this.judged({ ...snapshot, queues }, this.failures);
  }

  /** Returns what ends it. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private publish(snapshot: Snapshot): void {
    this.latest = snapshot;
    for (const listener of this.listeners) listener(snapshot);
  }

  private async read(): Promise<Snapshot> {
    const [sample, gauges, attempts, projector, gaps] = await Promise.all([
      this.pool.query<SampleRow>('SELECT at, workers, schedulers, stream_last FROM latest_sample'),
      this.pool.query<GaugeRow>(GAUGES),
      this.pool.query<AttemptRow>(ATTEMPTS),
      this.pool.query<{ sequence: string }>('SELECT sequence FROM projector WHERE stream = $1', [
        this.stream,
      ]),
      this.pool.query<{ gaps: string }>('SELECT count(*) AS gaps FROM projector_gap WHERE stream = $1', [
        this.stream,
      ]),
    ]);
    const newest = sample.rows[0];
    const sequence = Number(projector.rows[0]?.sequence ?? 0);
    const behindEvents = Math.max(0, Number(newest?.stream_last ?? 0) - sequence);
    if (behindEvents === 0) this.caughtUpAt = Date.now();
    this.failures = failuresOf(attempts.rows);
    return this.judged(
      {
        ...EMPTY,
        sampled_at: newest?.at.toISOString() ?? null,
        queues: queuesOf(gauges.rows, attempts.rows),
        workers: newest?.workers ?? [],
        schedulers:
          newest?.schedulers.members.map(({ name }) => ({
            name,
            leads: name === newest.schedulers.leader?.name,
          })) ?? [],
        history: {
          sequence,
          behind_events: behindEvents,
          behind_ms: Date.now() - this.caughtUpAt,
          gaps: Number(gaps.rows[0]?.gaps ?? 0),
        },
      },
      this.failures,
    );
  }

  private judged(snapshot: Snapshot, failures: readonly FailureFacts[]): Snapshot {
    const now = new Date();
    const { verdict, problems } = findProblems({
      now,
      sampledAt: snapshot.sampled_at === null ? null : new Date(snapshot.sampled_at),
      historyBehindMs: snapshot.history.behind_ms,
      queues: snapshot.queues,
      workers: snapshot.workers,
      schedulers: snapshot.schedulers.length,
      failures,
    });
    return { ...snapshot, at: now.toISOString(), verdict, problems };
  }
}

interface SampleRow {
  at: Date;
  workers: WorkerView[];
  schedulers: { leader: { name: string } | null; members: { name: string }[] };
  stream_last: string;
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
  outcome: number;
  n: string;
  wait: [number, number][] | null;
  run: [number, number][] | null;
}

const ATTEMPTS = `SELECT t.queue, t.name AS task, m.outcome, sum(m.n) AS n,
    (SELECT jsonb_agg(jsonb_build_array(b, c)) FROM (SELECT u.b, sum(u.c) AS c FROM task_minute x, unnest(x.wait_b, x.wait_n) AS u (b, c)
       WHERE x.task = m.task AND x.outcome = m.outcome AND x.at >= now() - interval '15 minutes' GROUP BY 1) w) AS wait,
    (SELECT jsonb_agg(jsonb_build_array(b, c)) FROM (SELECT u.b, sum(u.c) AS c FROM task_minute x, unnest(x.run_b, x.run_n) AS u (b, c)
       WHERE x.task = m.task AND x.outcome = m.outcome AND x.at >= now() - interval '15 minutes' GROUP BY 1) r) AS run
  FROM task_minute m JOIN task_name t ON t.id = m.task
  WHERE m.at >= now() - interval '15 minutes' GROUP BY m.task, m.outcome, t.queue, t.name`;

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
      wait_p95_ms: percentile(
        own.map(({ wait }) => wait),
        0.95,
      ),
      run_p95_ms: percentile(
        own.map(({ run }) => run),
        0.95,
      ),
      failed_15m: sum(own.filter(({ outcome }) => FAILED.has(outcome))),
      ended_15m: sum(own),
    };
  });
}

function failuresOf(attempts: readonly AttemptRow[]): FailureFacts[] {
  const tasks = new Map<string, FailureFacts>();
  for (const { queue, task, outcome, n } of attempts) {
    const key = `${queue} ${task}`;
    const facts = tasks.get(key) ?? { task, queue, failed: 0, ended: 0 };
    facts.ended += Number(n);
    if (FAILED.has(outcome)) facts.failed += Number(n);
    tasks.set(key, facts);
  }
  return [...tasks.values()];
}

function sum(attempts: readonly AttemptRow[]): number {
  return attempts.reduce((total, { n }) => total + Number(n), 0);
}

/** Within the width of a bucket, 19 %; `null` without counts. */
function percentile(histograms: readonly ([number, number][] | null)[], share: number): number | null {
  const counts = new Map<number, number>();
  for (const [bucket, n] of histograms.flatMap((each) => each ?? []))
    counts.set(bucket, (counts.get(bucket) ?? 0) + n);
  const buckets = [...counts].toSorted(([a], [b]) => a - b);
  let left = share * buckets.reduce((total, [, n]) => total + n, 0);
  for (const [bucket, n] of buckets) {
    left -= n;
    if (left <= 0) return Math.round(bucketStart(bucket + 1));
  }
  return null;
}
