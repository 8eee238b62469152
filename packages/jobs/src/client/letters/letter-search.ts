/** Finds dead letters by a filter, oldest first. */
import type { StoredMessage } from '../../broker/batch.js';
import { scanStream } from '../../broker/scan.js';
import type { Resources } from '../../resources/resources.js';
import { requireInstant, sequence } from '../../values/bounds.js';
import type { DeadReason } from '../../wire/dead-reason.js';
import { isToken } from '../../wire/names.js';
import { letterMessage, readLetter, type LetterMessage, type StoredLetter } from './letter.js';

export interface DeadLetterFilter {
  queue?: string;
  task?: string;
  tenant?: string;
  reason?: DeadReason;
  /** Only letters whose error contains this. */
  errorContains?: string;
  /** Only letters that the broker has stored at this time or later. */
  since?: Date;
  /** Only letters that the broker has stored before this time. */
  until?: Date;
  /** Only letters behind this sequence: the next page. */
  after?: number;
  /** Ends the search, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

type SearchParts = Pick<Resources, 'connection' | 'names' | 'streams' | 'letterIndex'>;

/** Letters that are read with one request. */
const BATCH = 128;

export class LetterSearch {
  constructor(private readonly parts: SearchParts) {}

  /** Letters that come after the search has begun may be among them. @throws JobsError `invalid_options` */
  async *matching(filter: DeadLetterFilter): AsyncGenerator<StoredLetter> {
    const after = sequence.optional('after', filter.after) ?? 0;
    const since = filter.since && requireInstant('since', filter.since);
    if (filter.until !== undefined) requireInstant('until', filter.until);
    // No letter has such a name.
    if ([filter.queue, filter.task, filter.tenant].some((name) => name !== undefined && !isToken(name)))
      return;
    let reached = after;
    if (filter.tenant !== undefined || filter.reason !== undefined) {
      const through = await this.parts.letterIndex.reach();
      yield* this.indexed(filter, { after, through, since });
      reached = Math.max(after, through);
    }
    yield* this.scanned(filter, reached, since);
  }

  private async *indexed(
    filter: DeadLetterFilter,
    range: { after: number; through: number; since: Date | undefined },
  ): AsyncGenerator<StoredLetter> {
    const { queue = '*', task = '*', tenant = '*', reason = '*' } = filter;
    let batch: { sequence: number; subject: string }[] = [];
    for await (const entry of this.parts.letterIndex.entries({ tenant, reason, queue, task }, range)) {
      batch.push(entry);
      if (batch.length < BATCH) continue;
      yield* this.read(batch, filter);
      batch = [];
    }
    yield* this.read(batch, filter);
  }

  private async *read(
    entries: readonly { sequence: number; subject: string }[],
    filter: DeadLetterFilter,
  ): AsyncGenerator<StoredLetter> {
    const { names, streams } = this.parts;
    const newest = await streams.getLast(
      names.deadStream,
      entries.map(({ subject }) => subject),
    );
    for (const { sequence: place, subject } of entries) {
      const last = newest.get(subject);
      // The task has a newer letter, too.
      const message =
        last === undefined || last.seq === place ? last && messageOf(last) : await this.readOlder(place);
      if (message !== undefined) yield* this.accepted(message, filter);
    }
  }

  private async readOlder(place: number): Promise<LetterMessage | undefined> {
    const message = await this.parts.streams.get(this.parts.names.deadStream, { seq: place });
    return message && letterMessage(message);
  }

  private async *scanned(
    filter: DeadLetterFilter,
    after: number,
    since: Date | undefined,
  ): AsyncGenerator<StoredLetter> {
    const { connection, names } = this.parts;
    const { queue = '*', task = '*' } = filter;
    const from = after === 0 && since !== undefined ? since : after + 1;
    const subjects = names.deadSubject(queue, task, '*');
    for await (const message of scanStream(connection, names.deadStream, subjects, from)) {
      if (filter.until !== undefined && message.time >= filter.until) return;
      yield* this.accepted(messageOf(message), filter);
    }
  }

  private *accepted(message: LetterMessage, filter: DeadLetterFilter): Generator<StoredLetter> {
    // Nobody may be waiting any more, and no letter may match for long.
    filter.signal?.throwIfAborted();
    const stored = readLetter(this.parts.names, message);
    if (matches(stored, filter)) yield stored;
  }
}

function messageOf({ subject, headers, data, seq, time }: StoredMessage): LetterMessage {
  return { subject, headers, data, sequence: seq, storedAt: time };
}

function matches(
  { letter, message }: StoredLetter,
  { tenant, reason, errorContains, since, until }: DeadLetterFilter,
): boolean {
  return (
    (tenant === undefined || letter.tenant === tenant) &&
    (reason === undefined || letter.reason === reason) &&
    (errorContains === undefined || letter.error.includes(errorContains)) &&
    (since === undefined || message.storedAt >= since) &&
    (until === undefined || message.storedAt < until)
  );
}
