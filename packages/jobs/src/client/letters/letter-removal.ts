/**
 * Removes the letters of a bulk replay. It begins with the oldest, so most of the time those that are done at once are the oldest of all and go
 * with one request; a deletion for each is the dearest part of a replay.
 */
import { Gathering } from '../../broker/gathering.js';
import { removeLeading } from '../../broker/remove-leading.js';
import type { Resources } from '../../resources/resources.js';
import type { DeadLetterFilter } from './letter-search.js';

interface Removal {
  readonly sequence: number;
  readonly resolve: (removed: Promise<unknown> | undefined) => void;
}

/** Fewer are quicker removed one by one. */
const FEW = 4;
const MOST_AT_ONCE = 128;
/** In turns. */
const LONGEST_PAUSE = 63;

export class LetterRemoval {
  private readonly gathering = new Gathering<Removal>(MOST_AT_ONCE, (removals) => this.removeAll(removals));
  private readonly subjects: string;
  /** An older letter stays, of another tenant for example: so many turns pass before the next look at the oldest. */
  private pause = 0;
  private turnsToPass = 0;

  constructor(
    private readonly resources: Resources,
    { queue, task }: Pick<DeadLetterFilter, 'queue' | 'task'>,
  ) {
    const { names } = resources;
    this.subjects =
      queue === undefined && task === undefined
        ? names.deadFilter
        : names.deadSubject(queue ?? '*', task ?? '*', '*');
  }

  /** Resolves once the letter is gone. */
  remove(sequence: number): Promise<unknown> {
    return new Promise((resolve) => this.gathering.add({ sequence, resolve }));
  }

  private async removeAll(removals: readonly Removal[]): Promise<void> {
    const removedThrough = await this.removeOldest(removals);
    const { names, streams } = this.resources;
    const deletions: Promise<unknown>[] = [];
    for (const { sequence, resolve } of removals) {
      if (sequence > removedThrough) deletions.push(streams.delete(names.deadStream, sequence));
      resolve(sequence > removedThrough ? deletions.at(-1) : undefined);
    }
    // Those that are done meanwhile go together in turn.
    await Promise.allSettled(deletions);
  }

  private async removeOldest(removals: readonly Removal[]): Promise<number> {
    if (removals.length < FEW || this.turnsToPass-- > 0) return 0;
    const sequences = new Set(removals.map(({ sequence }) => sequence));
    const { deadStream: stream } = this.resources.names;
    const leading = {
      stream,
      subjects: this.subjects,
      most: sequences.size,
      mayGo: ({ seq }: { seq: number }) => sequences.has(seq),
    };
    try {
      const { through } = await removeLeading(this.resources, leading);
      const helps = removals.some(({ sequence }) => sequence <= through);
      this.passTurns(helps ? 0 : Math.min(LONGEST_PAUSE, 1 + 2 * this.pause));
      return through;
    } catch {
      // One by one they wait for the server. Or this process's user has the rights of an earlier version.
      this.passTurns(LONGEST_PAUSE);
      return 0;
    }
  }

  private passTurns(turns: number): void {
    this.pause = turns;
    this.turnsToPass = turns;
  }
}
