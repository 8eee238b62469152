/** Parses what came from a site in a thread, which is ended when it takes too long or too much memory: it costs its own task and no other. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SiteError } from '../safe-fetch/index.js';
import type { SiteFacts } from './page-facts.js';

/** Work for the thread. */
export type ParseRequest =
  | { kind: 'page'; url: string; html: string; headers: Readonly<Record<string, string>> }
  | { kind: 'robots'; url: string; text: string; page: string };

interface Results {
  page: SiteFacts;
  robots: boolean;
}

export type ParseAnswer = { value: SiteFacts | boolean } | { problem: string };

/** Threads load JavaScript only, so the built module serves where this one runs from its source, too. */
const MODULE = new URL('../../dist/sites/parse-thread.js', import.meta.url);
/** The start of the thread included, in milliseconds. An ordinary page takes some tens. */
const TIME_LIMIT_MS = 10_000;
const MEMORY_LIMIT_MB = 256;

/** A thread that has done its work and waits for more. */
let idle: Worker | undefined;

function startThread(): Worker {
  const worker = new Worker(MODULE, { resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MB } });
  // Whoever waits for it hears of its end; an idle one that ends is forgotten.
  worker.on('error', () => undefined);
  worker.once('exit', () => {
    if (idle === worker) idle = undefined;
  });
  return worker;
}

/** @throws SiteError that is not to be retried; the signal's reason when it aborts */
export async function parseInThread<Kind extends ParseRequest['kind']>(
  request: Extract<ParseRequest, { kind: Kind }>,
  signal: AbortSignal,
): Promise<Results[Kind]> {
  const worker = idle ?? startThread();
  idle = undefined;
  worker.ref();
  const timeout = AbortSignal.timeout(TIME_LIMIT_MS);
  let isReusable = false;
  try {
    worker.postMessage(request);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the thread's own answer
    const [answer] = (await once(worker, 'message', { signal: AbortSignal.any([signal, timeout]) })) as [
      ParseAnswer,
    ];
    isReusable = true;
    if ('problem' in answer) throw new SiteError(answer.problem, false);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the answer to this kind of request
    return answer.value as Results[Kind];
  } catch (error) {
    if (error instanceof SiteError) throw error;
    signal.throwIfAborted();
    throw new SiteError(
      timeout.aborted
        ? `reading the page takes more than ${TIME_LIMIT_MS / 1_000} s`
        : 'reading the page takes too much memory',
      false,
    );
  } finally {
    worker.unref();
    if (isReusable && idle === undefined) idle = worker;
    else await worker.terminate();
  }
}
