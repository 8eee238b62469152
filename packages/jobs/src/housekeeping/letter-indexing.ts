/** Keeps the index of dead letters up to date; see `record/letter-index.ts`. */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { StoredMessage } from '../broker/batch.js';
import { scanStream } from '../broker/scan.js';
import { isApiError, isConflict, ServerCode } from '../wire/server-errors.js';
import { readLetter } from '../client/letters/letter.js';
import { indexEntryOf } from '../client/letters/replay.js';
import { sequenceOf, type IndexedLetter } from '../record/letter-index.js';
import type { Resources } from '../resources/resources.js';
import { isToken, type Names } from '../wire/names.js';

/** Entries that are on their way at once. */
const BATCH = 64;
const UNREADABLE = 'unknown';

export class LetterIndexing {
  constructor(private readonly parts: Pick<Resources, 'connection' | 'names' | 'letterIndex'>) {}

  /** Adds the letters that the index does not have yet. */
  async search(manager: JetStreamManager, signal: AbortSignal): Promise<void> {
    const { connection, names, letterIndex } = this.parts;
    const index = await lastEntry(manager, names);
    // Nobody has reconciled the topology since this version came: readers look through all letters.
    if (index === undefined) return;
    let last = index.sequence;
    let batch: IndexedLetter[] = [];
    const append = async (): Promise<void> => {
      await letterIndex.append(batch, last);
      last += batch.length;
      batch = [];
    };
    try {
      const from = index.letter + 1;
      for await (const message of scanStream(connection, names.deadStream, names.deadFilter, from)) {
        if (signal.aborted) return;
        batch.push(this.entryOf(message));
        if (batch.length >= BATCH) await append();
      }
      await append();
    } catch (error) {
      // Another reaper adds them.
      if (!isConflict(error)) throw error;
    }
  }

  private entryOf({ subject, headers, data, seq, time }: StoredMessage): IndexedLetter {
    const message = { subject, headers, data, sequence: seq, storedAt: time };
    const entry = indexEntryOf(readLetter(this.parts.names, message).letter);
    return { ...entry, queue: token(entry.queue), task: token(entry.task), subject };
  }
}

/**
 * The last sequence that the index has had, and the letter of its last entry. Both from the stream's leader: a replica that lags behind
 * would have letters indexed twice.
 */
async function lastEntry(
  manager: JetStreamManager,
  { deadIndexStream, deadIndexFilter }: Names,
): Promise<{ sequence: number; letter: number } | undefined> {
  try {
    const { state } = await manager.streams.info(deadIndexStream);
    const last = await manager.streams.getMessage(deadIndexStream, { last_by_subj: deadIndexFilter });
    return { sequence: state.last_seq, letter: last === null ? 0 : sequenceOf(last.subject) };
  } catch (error) {
    if (isApiError(error, ServerCode.StreamNotFound)) return undefined;
    throw error;
  }
}

function token(text: string): string {
  return isToken(text) ? text : UNREADABLE;
}
