/** Stores a batch of events with the position in their stream, in one transaction: a batch is applied once or not at all. */
import { transaction } from '@stratum/shared';
import type { TaskEvent } from '@stratum/jobs';
import type { Pool, PoolClient } from 'pg';
import {
  fromEndedRow,
  fromOpenRow,
  identityOf,
  keyRow,
  mergeRuns,
  type Names,
  type Run,
  runOf,
  textOf,
  toEndedRow,
  toOpenRow,
} from '@stratum/shared/task-history';
import { RollUp, type Count } from './roll-up.js';

/** Somebody else has moved the position: this projector leads no longer. */
export class PositionMovedError extends Error {
  constructor(stream: string) {
    super(`The position in the stream ${stream} has been moved by another projector.`);
    this.name = 'PositionMovedError';
  }
}

export interface EventBatch {
  stream: string;
  events: readonly TaskEvent[];
  /** The position that the batch follows. */
  after: number;
  /** Sequence of its last message, and when that was stored. */
  position: { sequence: number; at: Date };
}

/** A worker's clock may be so much ahead, in milliseconds. */
const CLOCK_SKEW_MS = 3_600_000;

/** @throws PositionMovedError and stores nothing, unless the stored position is `after` */
export async function applyEvents(pool: Pool, names: Names, batch: EventBatch): Promise<void> {
  const fresh = fold(batch.events);
  const runs = [...fresh.values()];
  await names.add(pool, runs, workersOf(runs));
  await transaction(pool, async (client) => {
    await movePosition(client, batch);
    if (runs.length === 0) return;
    const stored = await storedRuns(client, names, runs);
    const rollUp = new RollUp(names);
    const changes = changesOf(fresh, stored, names, rollUp);
    await client.query(
      'SELECT store_history($1, $2, $3, $4)',
      changes.map((rows) => JSON.stringify(rows)),
    );
    await addCounts(client, 'task_minute', rollUp.minutes);
    await addCounts(client, 'task_hour', rollUp.hours);
  });
}

function fold(events: readonly TaskEvent[]): Map<string, Run> {
  const runs = new Map<string, Run>();
  for (const event of events) {
    const run = runOf(event);
    if (run === undefined) continue;
    const key = identityOf(run);
    const known = runs.get(key);
    runs.set(key, known === undefined ? run : mergeRuns(known, run));
  }
  return runs;
}

function workersOf(runs: readonly Run[]): Set<string> {
  const moments = runs.flatMap(({ attempts, latest, end }) => [...attempts, latest, ...(end ? [end] : [])]);
  return new Set(moments.flatMap(({ worker }) => (worker === null ? [] : [worker])));
}

async function movePosition(client: PoolClient, { stream, after, position }: EventBatch): Promise<void> {
  const values = [stream, position.sequence, position.at];
  const { rowCount } =
    after === 0
      ? await client.query(
          `INSERT INTO projector (stream, sequence, at) VALUES ($1, $2, $3)
           ON CONFLICT (stream) DO UPDATE SET sequence = $2, at = $3, applied_at = now() WHERE projector.sequence = 0`,
          values,
        )
      : await client.query(
          'UPDATE projector SET sequence = $2, at = $3, applied_at = now() WHERE stream = $1 AND sequence = $4',
          [...values, after],
        );
  if (rowCount !== 1) throw new PositionMovedError(stream);
}

async function storedRuns(client: PoolClient, names: Names, runs: readonly Run[]): Promise<Map<string, Run>> {
  const enqueued = runs.map(({ enqueued_at: at }) => at);
  const earliest = Math.min(...enqueued.map((at) => Date.parse(at))) - CLOCK_SKEW_MS;
  const { rows } = await client.query<{ open_run: unknown; ended_run: unknown }>(
    'SELECT open_run, ended_run FROM history_runs($1, $2, $3)',
    [runs.map(({ id }) => id), enqueued, new Date(earliest)],
  );
  const stored = rows.map(({ open_run: open, ended_run: ended }) =>
    open === null ? fromEndedRow(ended, names) : fromOpenRow(open, names),
  );
  return new Map(stored.map((run) => [identityOf(run), run]));
}

type Rows = Readonly<Record<string, unknown>>[];

/** Rows that leave and enter the table of open runs, and the same of ended ones. */
function changesOf(
  fresh: ReadonlyMap<string, Run>,
  stored: ReadonlyMap<string, Run>,
  names: Names,
  rollUp: RollUp,
): [closed: Rows, opened: Rows, moved: Rows, ended: Rows] {
  const [closed, opened, moved, ended]: [Rows, Rows, Rows, Rows] = [[], [], [], []];
  for (const [key, run] of fresh) {
    const before = stored.get(key);
    const after = before === undefined ? run : mergeRuns(before, run);
    if (before !== undefined && comparable(before) === comparable(after)) continue;
    rollUp.addChange(before, after);
    if (before?.end !== undefined) moved.push({ ...keyRow(before, names), finished_at: before.end.at });
    else if (before !== undefined) closed.push(keyRow(before, names));
    if (after.end === undefined) opened.push(toOpenRow(after, names));
    else ended.push(toEndedRow(after, after.end, names));
  }
  return [closed, opened, moved, ended];
}

/** What is stored of a run, as text. */
function comparable(run: Run): string {
  return textOf(run.end === undefined ? run : { ...run, latest: run.end });
}

interface StoredCount {
  at: Date;
  task: number;
  outcome: number;
  n: string;
  wait_b: number[];
  wait_n: number[];
  run_b: number[];
  run_n: number[];
}

async function addCounts(
  client: PoolClient,
  table: 'task_minute' | 'task_hour',
  counts: readonly Count[],
): Promise<void> {
  if (counts.length === 0) return;
  const { rows } = await client.query<StoredCount>(
    `SELECT c.* FROM ${table} c JOIN unnest($1::timestamptz[], $2::smallint[], $3::smallint[]) AS key (at, task, outcome)
       ON c.at = key.at AND c.task = key.task AND c.outcome = key.outcome`,
    [counts.map(({ at }) => at), counts.map(({ task }) => task), counts.map(({ outcome }) => outcome)],
  );
  const stored = new Map(rows.map((row) => [`${row.at.toISOString()} ${row.task} ${row.outcome}`, row]));
  const sums = counts.map(({ at, task, outcome, n, wait, run }) => {
    const before = stored.get(`${at} ${task} ${outcome}`);
    const [waitB, waitN] = added(before?.wait_b, before?.wait_n, wait);
    const [runB, runN] = added(before?.run_b, before?.run_n, run);
    const total = Number(before?.n ?? 0) + n;
    return { at, task, outcome, n: total, wait_b: waitB, wait_n: waitN, run_b: runB, run_n: runN };
  });
  await client.query(
    `INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1)
     ON CONFLICT (at, task, outcome) DO UPDATE SET n = excluded.n, wait_b = excluded.wait_b, wait_n = excluded.wait_n,
       run_b = excluded.run_b, run_n = excluded.run_n`,
    [JSON.stringify(sums)],
  );
}

/** Two histograms as one, in the order of the buckets. */
function added(
  buckets: readonly number[] = [],
  counts: readonly number[] = [],
  more: ReadonlyMap<number, number>,
): [number[], number[]] {
  const sum = new Map(buckets.map((bucket, index) => [bucket, counts[index] ?? 0]));
  for (const [bucket, n] of more) sum.set(bucket, (sum.get(bucket) ?? 0) + n);
  const entries = [...sum].filter(([, n]) => n !== 0).toSorted(([a], [b]) => a - b);
  return [entries.map(([bucket]) => bucket), entries.map(([, n]) => n)];
}
