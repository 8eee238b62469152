/** A producer's requests, in batches, each repeated under its own id until the answer is certain. */
import { setTimeout as delay } from 'node:timers/promises';
import { JobsError } from '@stratum/jobs';
import type { Journal } from './journal.js';

const BATCH = 20;

export interface Request {
  id: string;
  /** Resolves with the id that it was answered to be. */
  ask: () => Promise<string>;
}

/** @param seconds how long all of them may take */
export async function askForAll(
  journal: Journal,
  requests: readonly Request[],
  seconds: number,
): Promise<void> {
  const pauseMs = (seconds * 1_000) / Math.max(1, requests.length / BATCH);
  const open = requests.filter(({ id }) => !journal.isSettled(id));
  for (let start = 0; start < open.length; start += BATCH) {
    await askFor(journal, open.slice(start, start + BATCH));
    await delay(pauseMs);
  }
}

async function askFor(journal: Journal, batch: readonly Request[]): Promise<void> {
  for (let left = batch; left.length > 0;) {
    await journal.asking(left.map(({ id }) => id));
    const unknown: Request[] = [];
    const answers: { id: string; holder: string }[] = [];
    await Promise.all(
      left.map(async (request) => {
        try {
          answers.push({ id: request.id, holder: await request.ask() });
        } catch (error) {
          const code = error instanceof JobsError ? error.code : String(error).replaceAll(/\s/g, '_');
          if (code === 'publish_unconfirmed') unknown.push(request);
          else await journal.refused(request.id, code);
        }
      }),
    );
    await journal.accepted(answers);
    left = unknown;
  }
}
