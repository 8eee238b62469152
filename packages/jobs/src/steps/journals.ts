/** The journals of all runs: opened for attempts, and put away when their task has ended. */
import { readNewest } from '../broker/batch.js';
import { KeyValue } from '../broker/key-value.js';
import type { CalledTask } from './entry.js';
import { StoredJournal, type Journal, type JournalParts, type RunIdentity } from './journal.js';

export class Journals {
  /** By subject: what is remembered of each step. */
  readonly keys: KeyValue;

  constructor(private readonly parts: JournalParts) {
    const { names, publisher, streams } = parts;
    this.keys = new KeyValue({ publisher, streams, stream: names.stepStream });
  }

  open(run: RunIdentity): Journal {
    return new StoredJournal(run, this.parts);
  }

  /** The tasks that the run has called and waits for. */
  async openCalls(run: RunIdentity): Promise<CalledTask[]> {
    const journal = this.open(run);
    await journal.load();
    return [...journal.entries.values()].flatMap(({ state, called }) =>
      state === 'started' && called !== undefined ? [called] : [],
    );
  }

  /** The task has ended for good, and nobody will ask. */
  async remove(run: RunIdentity): Promise<void> {
    const { names, streams } = this.parts;
    await streams.purge(names.stepStream, names.stepKey(run, '*'));
  }

  /**
   * The task is a dead letter, and goes on from here if somebody replays it in time. What such a replay has written already stays.
   * @param ttlMs in milliseconds
   */
  async expire(run: RunIdentity, ttlMs: number): Promise<void> {
    const { connection, names } = this.parts;
    const messages = await readNewest(connection, names.stepStream, [names.stepKey(run, '*')]);
    await Promise.all(
      messages.map(({ subject, data, seq }) => this.keys.put(subject, data, { expected: seq, ttlMs })),
    );
  }
}
