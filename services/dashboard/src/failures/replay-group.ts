/** Sends the dead letters of one failure group back to work. */
import { JobsError, type JobsClient } from '@stratum/jobs';
import type { Pool } from 'pg';
import type { Names } from '../history/names.js';
import type { RunView } from '../search/run-view.js';
import { searchEndedRuns, type Place, type Scope } from '../search/search-runs.js';

const PAGE = 200;
/** Of runs of the platform itself. */
const NO_TENANT = '0';

export interface GroupReplay {
  /** Ids of tasks that run again. */
  replayed: string[];
  /** Letters that stay, each with the reason. */
  conflicts: { id: string; code: string; detail: string }[];
  /** Whether letters may be left that were not looked at. */
  more: boolean;
}

export interface GroupReplayOptions {
  scope: Scope;
  group: string;
  from: Date;
  /** The most letters to replay. */
  most: number;
}

/** Replays the newest letters of the group. A run whose letter has been replayed or discarded before is passed. */
export async function replayGroup(
  { pool, names, client }: { pool: Pool; names: Names; client: JobsClient },
  { scope, group, from, most }: GroupReplayOptions,
): Promise<GroupReplay> {
  const outcome: GroupReplay = { replayed: [], conflicts: [], more: true };
  const seen = new Set<string>();
  const query = { groups: [group], states: ['FAILURE' as const] };
  let after: Place | undefined = { at: new Date() };
  while (after !== undefined) {
    const page = await searchEndedRuns(pool, names, {
      scope,
      query,
      from,
      to: new Date(),
      after,
      limit: PAGE,
    });
    for (const run of page.items) {
      if (seen.has(run.id)) continue;
      if (outcome.replayed.length >= most || outcome.conflicts.length >= most) return outcome;
      seen.add(run.id);
      await replayLetter(client, run, outcome);
    }
    after = page.next;
  }
  return { ...outcome, more: false };
}

async function replayLetter({ deadLetters }: JobsClient, run: RunView, outcome: GroupReplay): Promise<void> {
  const { id } = run;
  const letter = await deadLetters.get(id);
  // Another tenant's task may have the same id.
  if (letter?.task !== run.task || (letter.tenant ?? NO_TENANT) !== run.tenant_id) return;
  try {
    await deadLetters.replay(id);
    outcome.replayed.push(id);
  } catch (error) {
    if (!(error instanceof JobsError)) throw error;
    outcome.conflicts.push({ id, code: error.code, detail: error.message });
  }
}
