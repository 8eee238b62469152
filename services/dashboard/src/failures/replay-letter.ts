/** Sends one dead letter back to work; what cannot be replayed stays, with the reason. */
import { JobsError, type JobsClient } from '@stratum/jobs';
import { z } from 'zod';

export const replayOutcome = z
  .object({
    replayed: z.array(z.string()).describe('Ids of tasks that run again.'),
    conflicts: z
      .array(z.object({ id: z.string(), code: z.string(), detail: z.string() }))
      .describe('Letters that stay, each with the reason.'),
  })
  .meta({ id: 'ReplayOutcome' });
export type ReplayOutcome = z.output<typeof replayOutcome>;

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
