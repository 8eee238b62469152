/** Sends one dead letter back to work; what cannot be replayed stays, with the reason. */
import { JobsError, type JobsClient } from '@stratum/jobs';

export interface ReplayOutcome {
  /** Ids of tasks that run again. */
  replayed: string[];
  /** Letters that stay, each with the reason. */
  conflicts: { id: string; code: string; detail: string }[];
}

export async function replayLetter(
  { deadLetters }: Pick<JobsClient, 'deadLetters'>,
  id: string,
  outcome: ReplayOutcome,
): Promise<void> {
  try {
    await deadLetters.replay(id);
    outcome.replayed.push(id);
  } catch (error) {
    if (!(error instanceof JobsError)) throw error;
    outcome.conflicts.push({ id, code: error.code, detail: error.message });
  }
}
