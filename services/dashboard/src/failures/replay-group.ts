/** Sends the dead letters of one failure group back to work. */
import type { JobsClient } from '@stratum/jobs';
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  type Names,
  type Place,
  type RunView,
  type Scope,
  searchEndedRuns,
} from '@stratum/shared/task-history';
import { replayLetter, replayOutcome } from './replay-letter.js';

const PAGE = 200;
/** Of runs of the platform itself. */
const NO_TENANT = '0';

export const groupReplay = replayOutcome
  .extend({ more: z.boolean().describe('Whether letters may be left that were not looked at.') })
  .meta({ id: 'GroupReplay' });
export type GroupReplay = z.output<typeof groupReplay>;

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
      await replayLetterOf(client, run, outcome);
    }
    after = page.next;
  }
  return { ...outcome, more: false };
}

async function replayLetterOf(client: JobsClient, run: RunView, outcome: GroupReplay): Promise<void> {
  const letter = await client.deadLetters.get(run.id);
  // Another tenant's task may have the same id.
  if (letter?.task !== run.task || (letter.tenant ?? NO_TENANT) !== run.tenant_id) return;
  await replayLetter(client, run.id, outcome);
}
