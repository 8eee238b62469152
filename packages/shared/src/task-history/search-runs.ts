/** Searches the history, the newest first. It walks back until the page or its time is full, and says how far it came. */
import type { Pool } from 'pg';
import { transaction } from '../database/database.js';
import { isEnd, type RunState } from './run.js';
import type { Names } from './names.js';
import { STATE_CODES } from './rows.js';
import { isTaskOf, type TaskQuery } from './query.js';
import { toRunView, type RunView } from './run-view.js';
import { rowsWithin, walkBack } from './walk-back.js';

/** Whose runs may be seen: the platform sees those of all tenants. */
export type Scope = 'platform' | `${number}`;

export interface SearchOptions {
  scope: Scope;
  query: TaskQuery;
  /** The oldest end that is of interest. */
  from: Date;
  /** The newest, exclusive. */
  to: Date;
  /** Where the page before has ended. */
  after?: Place | undefined;
  limit: number;
  /** How long to go on looking, in milliseconds. Default 150. */
  budgetMs?: number;
}

/** A place in the order of ends. `id` is absent where a search was cut short between two runs. */
export interface Place {
  at: Date;
  id?: string | undefined;
}

export interface RunPage {
  items: RunView[];
  /** Where the next page begins; `undefined`: there is none. */
  next: Place | undefined;
  /** Everything that ended since then has been looked at. */
  searchedUntil: Date;
}

const BUDGET_MS = 150;
/** What a search looks at first, and in units of which it goes on. */
const STEP_MS = 3_600_000;
const MAX_OPEN = 500;

export async function searchEndedRuns(pool: Pool, names: Names, options: SearchOptions): Promise<RunPage> {
  const { scope, query, from, to, after, limit, budgetMs = BUDGET_MS } = options;
  const filter = endedFilter(query, names);
  const items: RunView[] = [];
  const newest = after === undefined ? to : new Date(after.at.getTime() + (after.id === undefined ? 0 : 1));
  if (filter === undefined) return { items, next: undefined, searchedUntil: from };
  const walk = { from, to: newest, budgetMs, stepMs: STEP_MS };
  const searchedUntil = await transaction(pool, (client) =>
    walkBack(walk, async (since, until, withinMs) => {
      const rows = await rowsWithin(
        client,
        withinMs,
        'SELECT * FROM search_ended_runs($1, $2, $3, $4, $5, $6, $7)',
        [
          scope,
          filter,
          since,
          until,
          after?.id === undefined ? null : after.at,
          after?.id ?? '',
          limit + 1 - items.length,
        ],
      );
      if (rows === undefined) return 'late';
      await names.learn(client, rows);
      items.push(...rows.map((row) => toRunView(row, names)));
      return items.length > limit ? 'enough' : 'on';
    }),
  );
  if (items.length > limit) return cut(items, limit);
  return { items, next: searchedUntil > from ? { at: searchedUntil } : undefined, searchedUntil };
}

function cut(items: RunView[], limit: number): RunPage {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  if (last?.finished_at === null || last === undefined)
    throw new Error('A page of ended runs has a last one.');
  const at = new Date(last.finished_at);
  return { items: page, next: { at, id: last.id }, searchedUntil: at };
}

/** Runs that have not ended, the latest changed first; at most 500. */
export async function searchOpenRuns(
  pool: Pool,
  names: Names,
  { scope, query }: Pick<SearchOptions, 'scope' | 'query'>,
): Promise<RunView[]> {
  const filter = filterOf(query, names, OPEN);
  if (filter === undefined) return [];
  const { rows } = await pool.query('SELECT * FROM search_open_runs($1, $2, $3)', [scope, filter, MAX_OPEN]);
  await names.learn(pool, rows);
  return rows.map((row) => toRunView(row, names));
}

const STATES: readonly RunState[] = [
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'EXPIRED',
  'STARTED',
  'RETRY',
  'SCHEDULED',
  'QUEUED',
];
const ENDS = STATES.filter(isEnd);
const OPEN = STATES.filter((state) => !isEnd(state));

/** What the database compares ended runs with. `undefined`: nothing can match. */
export function endedFilter(query: TaskQuery, names: Names): RunFilter | undefined {
  return filterOf(query, names, ENDS);
}

/** Conditions of `history_conditions` in the database, by name. */
export interface RunFilter extends Record<string, unknown> {
  states?: number[];
  tasks?: number[];
}

/** `undefined`: nothing can match. */
function filterOf(query: TaskQuery, names: Names, possible: readonly RunState[]): RunFilter | undefined {
  const states = query.states?.filter((state) => possible.includes(state));
  const tasks = tasksOf(query, names);
  const workers = query.workers && names.workersWhere((name) => query.workers?.includes(name) === true);
  const prefix = commonPrefix([...wordsAsIds(query, names), query.idPrefix ?? '']);
  if (prefix === undefined) return undefined;
  for (const list of [states, tasks, workers]) if (list?.length === 0) return undefined;
  return {
    ...(states === undefined ? {} : { states: states.map((state) => STATE_CODES[state]) }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(workers === undefined ? {} : { workers }),
    ...defined({
      tenants: query.tenants,
      groups: query.groups,
      labels: query.labels,
      ids: query.ids,
      id_prefix: prefix === '' ? undefined : prefix,
      workflow: query.workflow,
      schedule: query.schedule,
      trace: query.trace,
      error: query.error,
      slower_ms: query.slowerMs,
      more_retries: query.moreRetries,
    }),
  };
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** The longest of the beginnings, if each of the others is its beginning: no id begins in two ways. */
function commonPrefix(prefixes: readonly string[]): string | undefined {
  const longest = prefixes.reduce((one, other) => (other.length > one.length ? other : one));
  return prefixes.every((each) => longest.startsWith(each)) ? longest : undefined;
}

function isTaskWord(word: string, names: Names): boolean {
  return names.tasksWhere(({ name }) => name.includes(word)).length > 0;
}

/** A word that is part of a task's name means the task; any other is the beginning of an id. */
function wordsAsIds({ words = [] }: TaskQuery, names: Names): string[] {
  return words.filter((word) => !isTaskWord(word, names));
}

function tasksOf({ tasks, queues, words = [] }: TaskQuery, names: Names): number[] | undefined {
  const taskWords = words.filter((word) => isTaskWord(word, names));
  if (tasks === undefined && queues === undefined && taskWords.length === 0) return undefined;
  return names.tasksWhere(
    ({ queue, name }) =>
      (queues === undefined || queues.includes(queue)) &&
      isTaskOf(tasks, name) &&
      taskWords.every((word) => name.includes(word)),
  );
}
