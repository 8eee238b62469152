/** What an entry did, from the history, and what it will do. */
import type { Schedules } from '@stratum/jobs';
import type { Pool } from 'pg';
import {
  type Names,
  type RunView,
  type Scope,
  searchEndedRuns,
  searchOpenRuns,
} from '@stratum/shared/task-history';

/** A run of an entry. */
export interface PastTick extends Pick<
  RunView,
  'id' | 'state' | 'started_at' | 'finished_at' | 'runtime_ms'
> {
  /** The time that it was due at, RFC 3339. */
  tick: string;
}

export interface EntryTicks {
  /** The newest first. */
  past: PastTick[];
  /** RFC 3339, the next first. */
  upcoming: string[];
}

export interface TickOptions {
  scope: Scope;
  entry: string;
  from: Date;
  /** The most of each. */
  limit: number;
}

export async function readTicks(
  { pool, names, schedules }: { pool: Pool; names: Names; schedules: Schedules },
  { scope, entry, from, limit }: TickOptions,
): Promise<EntryTicks> {
  const query = { schedule: entry };
  const [open, ended, upcoming] = await Promise.all([
    searchOpenRuns(pool, names, { scope, query }),
    searchEndedRuns(pool, names, { scope, query, from, to: new Date(), limit }),
    schedules.upcoming(entry, limit),
  ]);
  return {
    past: [...open.slice(0, limit), ...ended.items].flatMap((run) =>
      run.tick === null
        ? []
        : [
            {
              id: run.id,
              tick: run.tick,
              state: run.state,
              started_at: run.started_at,
              finished_at: run.finished_at,
              runtime_ms: run.runtime_ms,
            },
          ],
    ),
    upcoming: upcoming.map((tick) => tick.toISOString()),
  };
}
