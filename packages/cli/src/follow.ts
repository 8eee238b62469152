/** Waits for a task, and shows how far it is and what holds it up. */
import { isFinal, ResultTimeoutError, type JobsClient, type TaskRecord } from '@stratum/jobs';
import { typed } from './frame/invocation.js';
import { progressBar } from './progress.js';
import { printFinal } from './record-view.js';

const INTERRUPTED = 130;

export interface FollowOptions {
  timeoutMs: number;
  /** Of the task; unknown before anyone has seen it. */
  queue: string | undefined;
  json: boolean | undefined;
}

/** Prints the final record. Ctrl-C ends the waiting and leaves the task alone. */
export async function followAndPrint(client: JobsClient, id: string, options: FollowOptions): Promise<void> {
  const interrupted = new Promise<'interrupted'>((resolve) => {
    process.once('SIGINT', () => resolve('interrupted'));
  });
  const ended = await Promise.race([interrupted, followToEnd(client, id, options)]);
  if (ended !== 'interrupted') {
    printFinal(ended, options.json);
    return;
  }
  console.error(`\nStopped waiting. The task goes on; see it with: ${typed(`result ${id} --wait 60s`)}`);
  process.exit(INTERRUPTED);
}

/** @throws ResultTimeoutError */
async function followToEnd(
  client: JobsClient,
  id: string,
  { timeoutMs, queue }: FollowOptions,
): Promise<TaskRecord> {
  const waiting = new AbortController();
  const showing = Promise.all([
    showProgress(client, id, waiting.signal),
    warnOfObstacle(client, queue, waiting.signal),
  ]);
  try {
    return await client.result(id, { timeoutMs });
  } catch (error) {
    if (!(error instanceof ResultTimeoutError)) throw error;
    throw Object.assign(
      new Error(
        `Task ${id} has not ended within ${timeoutMs / 1000} s. It goes on; see it with: ${typed(`result ${id} --wait 60s`)}`,
        { cause: error },
      ),
      { code: error.code },
    );
  } finally {
    waiting.abort();
    await showing;
  }
}

/** A paused queue or a missing worker explains a wait that does not end. */
async function warnOfObstacle(
  client: JobsClient,
  queue: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (queue === undefined) return;
  try {
    const [depths, workers] = await Promise.all([client.queues(), client.control.workers()]);
    if (signal.aborted) return;
    if (depths.some((depth) => depth.queue === queue && depth.paused))
      console.error(
        `Queue ${queue} is paused; the task waits. Resume it with: ${typed(`control resume ${queue}`)}`,
      );
    if (!workers.some(({ queues }) => queues.includes(queue)))
      console.error(
        `No worker serves queue ${queue}; the task waits. Start one with: ${typed(`worker -Q ${queue}`)}`,
      );
  } catch {
    // It only explains the wait; the wait itself reports what is wrong.
  }
}

async function showProgress(client: JobsClient, id: string, signal: AbortSignal): Promise<void> {
  if (!process.stderr.isTTY) return;
  const bar = await progressBar('');
  try {
    for await (const { state, progress } of client.watch(id, { signal })) {
      if (isFinal(state)) return;
      if (progress === null) bar.wait(state.toLowerCase());
      else bar.advance(progress.done, progress.total, progress.note ?? '');
    }
  } catch {
    // It is only shown; the wait itself reports what is wrong.
  } finally {
    bar.stop();
  }
}
