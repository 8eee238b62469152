/**
 * Finds dead letters by tenant and reason. The subject of a letter has neither, so a second stream holds one short message for each
 * letter, in the order of the letters:
 *
 *     <prefix>.dead_index.<tenant>.<reason>.<queue>.<task>.<sequence of the letter>        body: the subject of the letter
 *
 * The reaper writes the index, from letters of every version. Its last entry says how far it reaches; readers look through the letters
 * behind it themselves. Each write expects the sequence of the one before, so that of two writers one gives up.
 */
import type { StoredMessage } from '../broker/batch.js';
import { headers as newHeaders, type NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { eachLimited } from '../broker/each-limited.js';
import { removeLeading } from '../broker/remove-leading.js';
import { scanStream } from '../broker/scan.js';
import { isNoResponders } from '../wire/server-errors.js';
import { storedSubject } from '../broker/stored-message.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { ServerHeader } from '../wire/headers.js';
import type { DeadIndexEntry, Names } from '../wire/names.js';

export interface IndexedLetter extends DeadIndexEntry {
  sequence: number;
  subject: string;
}

/** A place in the index. */
interface IndexRange {
  /** Sequence of the letter behind which to begin. */
  after: number;
  /** Sequence of the last letter. */
  through: number;
  since: Date | undefined;
}

/** Fewer are quicker removed one by one. */
const FEW_REMOVALS = 4;

export class LetterIndex {
  constructor(
    private readonly connection: NatsConnection,
    private readonly publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
    private readonly names: Names,
  ) {}

  /** Sequence of the last letter that the index has; 0 if there is none, or no index. */
  async reach(): Promise<number> {
    const { deadIndexStream, deadIndexFilter } = this.names;
    try {
      const last = await this.streams.get(deadIndexStream, { last_by_subj: deadIndexFilter });
      return last === undefined ? 0 : sequenceOf(storedSubject(last));
    } catch (error) {
      // Processes of the version before have not created it.
      if (isNoResponders(error)) return 0;
      throw error;
    }
  }

  /** Adds entries behind `last`, the sequence of the last message that the index has had. Rejects if somebody else writes, too. */
  async append(letters: readonly IndexedLetter[], last: number): Promise<void> {
    await Promise.all(
      letters.map(({ subject, ...entry }, place) => {
        const headers = newHeaders();
        headers.set(ServerHeader.ExpectedLastSequence, String(last + place));
        return this.publisher.publish(this.names.deadIndexSubject(entry), subject, { headers });
      }),
    );
  }

  /** Yields what the index has in a range, oldest first. */
  async *entries(
    filter: Omit<DeadIndexEntry, 'sequence'>,
    range: IndexRange,
  ): AsyncGenerator<{ sequence: number; subject: string }> {
    const subjects = this.names.deadIndexSubject({ ...filter, sequence: '*' });
    const stream = this.names.deadIndexStream;
    for await (const entry of scanStream(this.connection, stream, subjects, await this.start(range))) {
      const sequence = sequenceOf(entry.subject);
      if (sequence > range.through) return;
      if (sequence > range.after) yield { sequence, subject: textOf(entry) };
    }
  }

  /** Removes the entries of letters that are gone. */
  async remove(entries: readonly DeadIndexEntry[]): Promise<void> {
    const groups = new Map<string, DeadIndexEntry[]>();
    for (const entry of entries) {
      const subjects = this.names.deadIndexSubject({ ...entry, sequence: '*' });
      const group = groups.get(subjects);
      if (group === undefined) groups.set(subjects, [entry]);
      else group.push(entry);
    }
    for (const [subjects, group] of groups) {
      const rest = await this.removeOldest(subjects, group);
      await eachLimited(rest, (entry) => this.removeOne(entry));
    }
  }

  /** Whoever removes many begins with the oldest: one request removes those in front of the first that stays. Returns the others. */
  private async removeOldest(
    subjects: string,
    entries: readonly DeadIndexEntry[],
  ): Promise<readonly DeadIndexEntry[]> {
    if (entries.length < FEW_REMOVALS) return entries;
    const gone = new Set(entries.map(({ sequence }) => sequence));
    try {
      const { messages } = await removeLeading(
        { connection: this.connection, streams: this.streams },
        {
          stream: this.names.deadIndexStream,
          subjects,
          most: entries.length,
          mayGo: ({ subject }) => gone.has(sequenceOf(subject)),
        },
      );
      for (const { subject } of messages) gone.delete(sequenceOf(subject));
    } catch {
      // One by one they wait for the server.
      return entries;
    }
    return entries.filter(({ sequence }) => gone.has(sequence));
  }

  private async removeOne(entry: DeadIndexEntry): Promise<void> {
    try {
      await this.streams.purge(this.names.deadIndexStream, this.names.deadIndexSubject(entry));
    } catch (error) {
      if (!isNoResponders(error)) throw error;
    }
  }

  private async start({ after, since }: IndexRange): Promise<number | Date> {
    if (after === 0) return since ?? 1;
    const anywhere = { tenant: '*', reason: '*', queue: '*', task: '*' };
    const entry = await this.streams.get(this.names.deadIndexStream, {
      last_by_subj: this.names.deadIndexSubject({ ...anywhere, sequence: after }),
    });
    // The letter has gone meanwhile: entries in front of it are passed over one by one.
    return entry === undefined ? (since ?? 1) : Number(entry.headers?.get(ServerHeader.Sequence) ?? 1);
  }
}

/** Of the letter, from the subject of an entry. */
export function sequenceOf(subject: string): number {
  return Number(subject.slice(subject.lastIndexOf('.') + 1));
}

function textOf({ data }: StoredMessage): string {
  return Buffer.from(data).toString('utf8');
}
