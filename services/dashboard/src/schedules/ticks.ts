/** What an entry did, from the history, and what it will do. */
import type { Schedules } from '@stratum/jobs';
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  type Names,
  runViewSchema,
  type Scope,
  searchEndedRuns,
  searchOpenRuns,
} from '@stratum/shared/task-history';

const pastTick = runViewSchema
  .pick({ id: true, state: true, started_at: true, finished_at: true, runtime_ms: true })
  .extend({ tick: z.iso.datetime().describe('When it was due.') })
  .meta({ id: 'Tick', description: 'A run of an entry.' });
export type PastTick = z.output<typeof pastTick>;

export const entryTicks = z
  .object({
    past: z.array(pastTick).describe('The newest first.'),
    upcoming: z.array(z.iso.datetime()).describe('The next first.'),
  })
  .meta({ id: 'EntryTicks' });
export type EntryTicks = z.output<typeof entryTicks>;

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
