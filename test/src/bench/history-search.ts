/** How fast searches are in a large history: each as the page asks it, the platform's and a tenant's. */
import { Names, parseQuery, searchEndedRuns, type SearchOptions } from '@stratum/dashboard';
import type { Pool } from 'pg';

export interface SearchFigure {
  search: string;
  scope: SearchOptions['scope'];
  /** Median and slowest of the repetitions after the first. */
  medianMs: number;
  worstMs: number;
  found: number;
  /** Whether one request has searched everything. */
  complete: boolean;
}

const DAYS = 30;
const DAY_MS = 86_400_000;
const PAGE = 50;
const REPETITIONS = 8;
/** Of one statement: a progress report between two of them. */
const CHUNK = 250_000;

/** A tenant with a hundredth of the runs, one in twenty fails, one in a thousand is slow. */
const GENERATE = `INSERT INTO task_run (finished_at, enqueued_at, ready_at, started_at, tenant_id, error_group, wait_ms, runtime_ms, worker, task,
    priority, state, retries, attempts_made, delivery, id, root_id, error_type, error_message, labels)
  SELECT at, at - interval '5 seconds', at - interval '4 seconds', at - interval '3 seconds', 1 + n % 100,
    CASE WHEN n % 20 = 0 THEN n % 500 END, 1000, CASE WHEN n % 1000 = 0 THEN 20000 ELSE 3000 END, 1 + n % 8, 1 + n % 40,
    2, CASE WHEN n % 20 = 0 THEN 2 ELSE 1 END, 0, 1, 1, 'run-' || lpad(n::text, 9, '0'), NULL,
    CASE WHEN n % 20 = 0 THEN 'Error' END, CASE WHEN n % 20 = 0 THEN 'no answer from account ' || n % 9973 END,
    jsonb_build_object('campaign', (n % 20000)::text)
  FROM (SELECT n, $3::timestamptz - (n::float8 / $4) * $5 * interval '1 day' AS at FROM generate_series($1::bigint, $2::bigint) n) g`;

const SEARCHES = [
  '',
  'id:run-00000777',
  'task:task_7',
  'state:failure',
  'state:failure task:task_20 tenant:41',
  'label.campaign:17',
  'error:"account 977"',
  'error:"no such text"',
  'slow:>10s',
  'slow:>10s retries:>3 queue:sync',
  'worker:worker-3 state:failure',
  'tenant:7 retries:>5',
] as const;

export async function fillHistory(owner: Pool, runs: number, say: (message: string) => void): Promise<void> {
  const now = new Date();
  for (let day = 0; day <= DAYS; day++)
    await owner.query('SELECT ensure_history_day($1)', [
      new Date(now.getTime() - day * DAY_MS).toISOString().slice(0, 10),
    ]);
  await owner.query(
    `INSERT INTO task_name (queue, name) SELECT CASE WHEN n % 2 = 0 THEN 'sync' ELSE 'default' END, 'task_' || n FROM generate_series(1, 40) n`,
  );
  await owner.query(`INSERT INTO worker_name (name) SELECT 'worker-' || n FROM generate_series(1, 8) n`);
  for (let first = 1; first <= runs; first += CHUNK) {
    const last = Math.min(runs, first + CHUNK - 1);
    await owner.query(GENERATE, [first, last, now, runs, DAYS - 1]);
    say(`${last.toLocaleString('en')} of ${runs.toLocaleString('en')} runs made`);
  }
  await owner.query('VACUUM ANALYZE task_run');
}

export async function measureSearches(pool: Pool): Promise<SearchFigure[]> {
  const names = new Names();
  await names.load(pool);
  const range = { from: new Date(Date.now() - DAYS * DAY_MS), to: new Date(Date.now() + DAY_MS) };
  const figures: SearchFigure[] = [];
  for (const scope of ['platform', '7'] as const)
    for (const search of SEARCHES) {
      const times: number[] = [];
      let page = await searchEndedRuns(pool, names, {
        scope,
        query: parseQuery(search),
        ...range,
        limit: PAGE,
      });
      for (let n = 0; n < REPETITIONS; n++) {
        const startedAt = performance.now();
        page = await searchEndedRuns(pool, names, {
          scope,
          query: parseQuery(search),
          ...range,
          limit: PAGE,
        });
        times.push(performance.now() - startedAt);
      }
      times.sort((a, b) => a - b);
      figures.push({
        search,
        scope,
        medianMs: times[Math.floor(times.length / 2)] ?? 0,
        worstMs: times.at(-1) ?? 0,
        found: page.items.length,
        complete: page.next === undefined || page.items.length === PAGE,
      });
    }
  return figures;
}
