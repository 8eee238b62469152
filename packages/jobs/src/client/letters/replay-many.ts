/** Sends many dead letters back to work, several at once and in order. */
import { setTimeout as delay } from 'node:timers/promises';
import { JobsError, type JobsErrorCode } from '../../errors.js';
import { count, rate } from '../../values/bounds.js';
import type { DeadLetter, StoredLetter } from './letter.js';
import type { Replayer, ReplayOptions } from './replay.js';

export interface ReplayManyOptions extends Pick<ReplayOptions, 'expires'> {
  /** Most replays per second. Default 2,000. */
  ratePerSecond?: number;
  /** Most letters to replay. Default: all. */
  limit?: number;
  /** Receives each letter that cannot be replayed now and stays, with the reason. The others go on. */
  onConflict?: (letter: DeadLetter, error: JobsError) => void;
  /** Ends after this many conflicts. Default: never. */
  mostConflicts?: number;
}

/** They concern one letter; the others can be replayed all the same. */
const CONFLICTS: ReadonlySet<JobsErrorCode> = new Set<JobsErrorCode>([
  'publish_conflict',
  'unique_key_held',
  'dead_letter_expired',
  'payload_omitted',
  'payload_too_large',
  'invalid_options',
  'topology_missing',
]);
const DEFAULT_RATE = 2_000;
const MOST_AT_ONCE = 128;
/** At a low rate each letter is reported before the next few begin. */
const AT_ONCE_PER_RATE = 0.1;

interface Replayed {
  letter: DeadLetter;
  error?: JobsError;
}

/** Yields each letter that was replayed. Leaving the loop waits for those that have begun. */
export async function* replayMany(
  letters: AsyncIterable<StoredLetter>,
  replayer: Pick<Replayer, 'replay'>,
  {
    ratePerSecond = DEFAULT_RATE,
    limit = Infinity,
    mostConflicts = Infinity,
    expires,
    onConflict,
  }: ReplayManyOptions,
): AsyncGenerator<DeadLetter> {
  rate.require('ratePerSecond', ratePerSecond);
  for (const [field, most] of Object.entries({ limit, mostConflicts }))
    if (most !== Infinity) count.within({ min: 1 }).require(field, most);
  const atOnce = Math.max(1, Math.min(MOST_AT_ONCE, ratePerSecond * AT_ONCE_PER_RATE));
  const source = letters[Symbol.asyncIterator]();
  const begun: Promise<Replayed>[] = [];
  const startedAt = performance.now();
  let started = 0;
  let replayed = 0;
  let conflicts = 0;
  let isExhausted = false;
  const hasRoom = (): boolean => replayed + begun.length < limit && conflicts + begun.length < mostConflicts;
  const begin = async ({ letter, message }: StoredLetter): Promise<Replayed> => {
    try {
      await replayer.replay({ letter, message }, expires === undefined ? {} : { expires });
      return { letter };
    } catch (error) {
      if (error instanceof JobsError && CONFLICTS.has(error.code)) return { letter, error };
      throw error;
    }
  };
  try {
    for (;;) {
      while (!isExhausted && begun.length < atOnce && hasRoom()) {
        const next = await source.next();
        isExhausted = next.done === true;
        if (next.done === true) break;
        const wait = startedAt + (started++ * 1000) / ratePerSecond - performance.now();
        // A timer takes a millisecond at least.
        if (wait >= 1) await delay(wait);
        const job = begin(next.value);
        // It is awaited in its turn.
        job.catch(() => undefined);
        begun.push(job);
      }
      const first = begun.shift();
      if (first === undefined) return;
      const { letter, error } = await first;
      if (error !== undefined) {
        conflicts++;
        onConflict?.(letter, error);
      } else {
        replayed++;
        yield letter;
      }
    }
  } finally {
    await Promise.allSettled(begun);
    await source.return?.(undefined);
  }
}
