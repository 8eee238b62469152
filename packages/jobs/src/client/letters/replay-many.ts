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
  /**
   * Runs each replay; for limits of the caller's own. Its error stops the others: no further letter is begun, those that have been are
   * yielded, and then it is thrown.
   */
  within?: (letter: DeadLetter, replay: () => Promise<void>) => Promise<void>;
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
  /** It stays. */
  conflict?: JobsError;
  /** It stays, and so do the others. */
  stop?: { error: unknown };
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
    within = (_letter, replay) => replay(),
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
  let stop: Replayed['stop'];
  const hasRoom = (): boolean => replayed + begun.length < limit && conflicts + begun.length < mostConflicts;
  const begin = async (stored: StoredLetter): Promise<Replayed> => {
    const { letter } = stored;
    try {
      await within(letter, () => replayer.replay(stored, expires === undefined ? {} : { expires }));
      return { letter };
    } catch (error) {
      if (error instanceof JobsError && CONFLICTS.has(error.code)) return { letter, conflict: error };
      return { letter, stop: { error } };
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
        begun.push(begin(next.value));
      }
      const first = begun.shift();
      if (first === undefined) {
        if (stop !== undefined) throw stop.error;
        return;
      }
      const { letter, conflict, stop: stopped } = await first;
      if (stopped !== undefined) {
        stop ??= stopped;
        isExhausted = true;
      } else if (conflict !== undefined) {
        conflicts++;
        onConflict?.(letter, conflict);
      } else {
        replayed++;
        yield letter;
      }
    }
  } finally {
    await Promise.all(begun);
    await source.return?.(undefined);
  }
}
