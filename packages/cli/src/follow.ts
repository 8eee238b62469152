/** Waits for a task, and shows how far it is. */
import { isFinal, type JobsClient, type TaskRecord } from '@stratum/jobs';
import { progressBar } from './progress.js';

/** Resolves with the final record. Throws `ResultTimeoutError`. */
export async function followToEnd(
  client: Pick<JobsClient, 'result' | 'watch'>,
  id: string,
  timeoutMs: number,
): Promise<TaskRecord> {
  const waiting = new AbortController();
  const showing = showProgress(client, id, waiting.signal);
  try {
    return await client.result(id, { timeoutMs });
  } finally {
    waiting.abort();
    await showing;
  }
}

async function showProgress(
  client: Pick<JobsClient, 'watch'>,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  if (!process.stderr.isTTY) return;
  const bar = progressBar('');
  try {
    for await (const { state, progress } of client.watch(id, { signal })) {
      if (isFinal(state)) return;
      if (progress === null) bar.wait(state.toLowerCase());
      else bar.advance(progress.done, progress.total, progress.note ?? '');
    }
  } catch {
    // It is only shown; the wait itself tells what is wrong.
  } finally {
    bar.stop();
  }
}
