/** The way back through the history: window by window from the newest end, for as long as one request may take. */
import type { PoolClient, QueryResultRow } from 'pg';

export interface Walk {
  from: Date;
  /** Exclusive. */
  to: Date;
  /** How long to go on, in milliseconds. */
  budgetMs: number;
  /** Windows are whole steps of so many milliseconds back from `to`. The first one is a single step. */
  stepMs: number;
}

/** The next window is so many times as long, unless there is no time for it. */
const GROWTH = 4;

/** What a look came to: go on, it is enough, or it was given up because its time was over. */
export type Looked = 'on' | 'enough' | 'late';

/**
 * Looks at windows until one of them is enough, the beginning is reached, or the time is over. Nobody knows beforehand whether an index
 * answers a search or a million rows have to be read for it, so that the first window is short, and each next one as long as what the last
 * ones took allows: a request ends in time, however many runs a day has.
 *
 * @param look has to give up after `withinMs`; the first one has all the time, so that each request comes further
 * @returns where it stopped: everything from there to `to` has been looked at
 */
export async function walkBack(
  { from, to, budgetMs, stepMs }: Walk,
  look: (since: Date, until: Date, withinMs: number | undefined) => Promise<Looked>,
): Promise<Date> {
  const startedAt = performance.now();
  let until = to;
  let withinMs: number | undefined;
  let before: Pace | undefined;
  for (let steps = 1; until > from;) {
    // Whoever asks for what comes after now, because clocks differ, gets the newest that there is in the same look: it may be the only one that there is time for.
    const newest = Math.min(until.getTime(), Date.now());
    const since = new Date(Math.max(from.getTime(), newest - steps * stepMs));
    const windowStart = performance.now();
    const looked = await look(since, until, withinMs);
    if (looked === 'late') break;
    until = since;
    if (looked === 'enough') break;
    const now = performance.now();
    withinMs = budgetMs - (now - startedAt);
    if (withinMs <= 0) break;
    const pace = { steps, tookMs: now - windowStart };
    steps = Math.max(1, Math.min(steps * GROWTH, affordable(withinMs, pace, before)));
    before = pace;
  }
  return until;
}

/** What a window took. */
interface Pace {
  steps: number;
  tookMs: number;
}

/** How many steps there is time for: each look takes some time of its own, and some for each step, as the last two tell. */
function affordable(leftMs: number, { steps, tookMs }: Pace, before: Pace | undefined): number {
  if (before === undefined) return Infinity;
  const perStepMs =
    steps > before.steps ? Math.max(0, (tookMs - before.tookMs) / (steps - before.steps)) : tookMs / steps;
  return perStepMs === 0 ? Infinity : Math.floor((leftMs - (tookMs - perStepMs * steps)) / perStepMs);
}

const CANCELLED = '57014';

/**
 * The rows of a query, or `undefined` if it takes longer. Inside a transaction, which can only be ended then.
 * @param ms `undefined`: as long as the connection allows
 */
export async function rowsWithin<Row extends QueryResultRow>(
  client: PoolClient,
  ms: number | undefined,
  text: string,
  values: readonly unknown[],
): Promise<Row[] | undefined> {
  if (ms !== undefined)
    await client.query("SELECT set_config('statement_timeout', $1, true)", [
      String(Math.max(1, Math.ceil(ms))),
    ]);
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } catch (error) {
    if (ms !== undefined && isCancelled(error)) return undefined;
    throw error;
  }
}

function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === CANCELLED;
}
