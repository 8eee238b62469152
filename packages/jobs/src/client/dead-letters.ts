/** Looks at dead letters, sends them back to work, or throws them away. */
import type { Resources } from '../resources/resources.js';
import { JobsError } from '../errors.js';
import { pageSize, sequence } from '../values/bounds.js';
import { requireToken, type DeadIndexEntry } from '../wire/names.js';
import { ahead } from './letters/ahead.js';
import { LetterSearch, type DeadLetterFilter } from './letters/letter-search.js';
import { keepLetter, restoreLetter, type KeptLetter } from './letters/kept-letter.js';
import { LetterRemoval } from './letters/letter-removal.js';
import { letterMessage, readLetter, type DeadLetter, type StoredLetter } from './letters/letter.js';
import { replayMany, type ReplayManyOptions } from './letters/replay-many.js';
import { indexEntryOf, Replayer, type ReplayOptions } from './letters/replay.js';

export interface DeadLetters {
  /** The oldest first. At most `limit` (100 by default). */
  list(filter?: DeadLetterFilter & { limit?: number }): Promise<DeadLetter[]>;
  /** The newest dead letter of a task; `undefined` when it has none. */
  get(id: string): Promise<DeadLetter | undefined>;
  /**
   * Runs the task again with fresh retries; the dead letter is gone then. The new task's header points back to it.
   * @throws JobsError `unknown_dead_letter`; or, and the letter stays: `publish_conflict` while a task of that id is queued or running,
   *   `dead_letter_changed` when it is no longer the one of `ifSequence`, `unique_key_held` while another task holds its unique key,
   *   `dead_letter_expired` unless `expires` is given, `payload_omitted` unless `payload` is given, `invalid_options` for a letter that
   *   names no task
   */
  replay(id: string, options?: ReplayOptions): Promise<void>;
  /**
   * Replays all that match and were there when it began, oldest first. Yields each as it is done; `onConflict` receives those that stay.
   * @throws JobsError `invalid_options`; or what concerns all letters, such as a broker that does not respond
   */
  replayMany(filter: DeadLetterFilter, options?: ReplayManyOptions): AsyncGenerator<DeadLetter>;
  /** Throws the dead letter away; `false` when there was none. */
  discard(id: string, options?: DiscardOptions): Promise<boolean>;
  /** Puts a discarded letter back, at the end of the stream. `false`: the task has a newer letter, which stays. @throws JobsError `invalid_options` */
  restore(letter: KeptLetter): Promise<boolean>;
  /** Throws away all that match and were there when it began. Yields each. */
  discardMany(filter: DeadLetterFilter): AsyncGenerator<DeadLetter>;
}

export interface DiscardOptions {
  /** Receives the letter as it is stored, for `restore`; the letter goes once this has resolved. */
  keep?: (letter: KeptLetter) => Promise<unknown>;
}

const PAGE = 100;
const DISCARDED_AT_ONCE = 128;
const LEAVE_INDEX_AT = 512;

export function deadLettersOf(resources: Resources): DeadLetters {
  return new DeadLetterBox(resources);
}

class DeadLetterBox implements DeadLetters {
  private readonly search: LetterSearch;
  private readonly replayer: Replayer;

  constructor(private readonly resources: Resources) {
    this.search = new LetterSearch(resources);
    this.replayer = new Replayer(resources);
  }

  async list({ limit = PAGE, ...filter }: DeadLetterFilter & { limit?: number } = {}): Promise<DeadLetter[]> {
    pageSize.require('limit', limit);
    const found: DeadLetter[] = [];
    for await (const { letter } of this.search.matching(filter)) {
      if (found.push(letter) >= limit) break;
    }
    return found;
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    return (await this.find(id))?.letter;
  }

  async replay(id: string, options: ReplayOptions = {}): Promise<void> {
    const stored = await this.find(id);
    if (stored === undefined) {
      throw new JobsError('unknown_dead_letter', `There is no dead letter of a task "${id}".`, {
        details: { id },
      });
    }
    const { ifSequence } = options;
    if (ifSequence !== undefined && sequence.require('ifSequence', ifSequence) !== stored.letter.sequence) {
      throw new JobsError(
        'dead_letter_changed',
        `The dead letter of "${id}" has changed meanwhile: the task ran and failed again. Look at it before it is replayed.`,
        { details: { id, sequence: stored.letter.sequence } },
      );
    }
    await this.replayer.replay(stored, options);
    await this.resources.letterIndex.remove([indexEntryOf(stored.letter)]);
  }

  replayMany(filter: DeadLetterFilter, options: ReplayManyOptions = {}): AsyncGenerator<DeadLetter> {
    const removal = new LetterRemoval(this.resources, filter);
    const replayer = new Replayer(this.resources, (letter) => removal.remove(letter));
    return this.leavingIndex((left) => {
      const replay: Replayer['replay'] = async (stored, how) => {
        await replayer.replay(stored, how);
        left(stored.letter);
      };
      // What fails again meanwhile is not replayed again.
      return replayMany(this.present(filter), { replay }, options);
    });
  }

  async discard(id: string, { keep }: DiscardOptions = {}): Promise<boolean> {
    const stored = await this.find(id);
    if (stored === undefined) return false;
    await keep?.(keepLetter(stored.message));
    const isRemoved = await this.remove(stored);
    await this.resources.letterIndex.remove([indexEntryOf(stored.letter)]);
    return isRemoved;
  }

  restore(letter: KeptLetter): Promise<boolean> {
    return restoreLetter(this.resources, letter);
  }

  async *discardMany(filter: DeadLetterFilter): AsyncGenerator<DeadLetter> {
    const letters = this.leavingIndex((left) =>
      ahead(this.present(filter), DISCARDED_AT_ONCE, async (stored) => {
        const isRemoved = await this.remove(stored);
        left(stored.letter);
        return isRemoved ? stored.letter : undefined;
      }),
    );
    for await (const letter of letters) if (letter !== undefined) yield letter;
  }

  private remove({ letter }: StoredLetter): Promise<boolean> {
    const { streams, names } = this.resources;
    return streams.delete(names.deadStream, letter.sequence);
  }

  /**
   * Letters that are gone leave the index a few hundred at a time, which costs the broker little more than one. Until then, searches pass
   * over their entries.
   * @param work calls `left` with each letter that is gone
   */
  private async *leavingIndex<Result>(
    work: (left: (letter: DeadLetter) => void) => AsyncGenerator<Result>,
  ): AsyncGenerator<Result> {
    const gone: DeadIndexEntry[] = [];
    const { letterIndex } = this.resources;
    try {
      for await (const result of work((letter) => void gone.push(indexEntryOf(letter)))) {
        if (gone.length >= LEAVE_INDEX_AT) await letterIndex.remove(gone.splice(0));
        yield result;
      }
    } finally {
      await letterIndex.remove(gone);
    }
  }

  /** Those that are there now. */
  private async *present(filter: DeadLetterFilter): AsyncGenerator<StoredLetter> {
    const { streams, names } = this.resources;
    const last = await streams.get(names.deadStream, { last_by_subj: names.deadFilter });
    const end = last === undefined ? 0 : letterMessage(last).sequence;
    for await (const stored of this.search.matching(filter)) {
      if (stored.letter.sequence > end) return;
      yield stored;
    }
  }

  private async find(id: string): Promise<StoredLetter | undefined> {
    const { names, streams } = this.resources;
    const message = await streams.get(names.deadStream, {
      last_by_subj: names.deadById(requireToken(id, 'id')),
    });
    return message && readLetter(names, letterMessage(message));
  }
}
