/**
 * The keys of one NATS key-value bucket, and the only compare-and-set on them. A write may state the sequence of the value that it
 * replaces; `change` reads, decides and writes, and repeats on a conflict.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { PublishError } from '../errors.js';
import { ServerHeader } from '../wire/headers.js';
import type { AckMultiplexer } from './ack-multiplexer.js';
import { OutgoingHeaders } from './outgoing-headers.js';
import { isConflict } from '../wire/server-errors.js';
import { storedSequence, type StreamMessage } from './stored-message.js';
import type { StreamAccess } from './stream-access.js';

export interface KeyValueOptions {
  publisher: AckMultiplexer;
  streams: StreamAccess;
  /** The bucket's stream. */
  stream: string;
  /** Default: keys are whole subjects. */
  subjectOf?: (key: string) => string;
}

export interface StoredValue {
  message: StreamMessage;
  sequence: number;
}

export interface WriteOptions {
  /** The sequence of the value that this one replaces; 0 if the key must be empty. Default: no check. */
  expected?: number | undefined;
  /** Time to live in milliseconds; the server rounds to whole seconds. Default: until it is replaced. */
  ttlMs?: number | undefined;
  /** Overrides the publisher's deadline, in milliseconds. */
  deadlineMs?: number | undefined;
}

type Body = string | Uint8Array;

/** The new value of a key. `body: undefined` deletes it, which leaves a marker. */
export interface Replacement extends Pick<WriteOptions, 'ttlMs'> {
  body: Body | undefined;
}

/** Limit of conflicts: enough for hundreds of writers of one key. */
const TRIES = 30;
const LONGEST_PAUSE_MS = 250;

export class KeyValue {
  private readonly options: Required<KeyValueOptions>;

  constructor({ subjectOf = (key) => key, ...options }: KeyValueOptions) {
    this.options = { ...options, subjectOf };
  }

  /** The newest value, which may be the marker of a deletion: its body is empty. */
  async get(key: string): Promise<StoredValue | undefined> {
    const { streams, stream, subjectOf } = this.options;
    const message = await streams.newest(stream, subjectOf(key));
    return message && { message, sequence: storedSequence(message) };
  }

  /** Returns the new sequence, or `undefined` on a conflict with `expected`. */
  put(key: string, body: Body, options: WriteOptions = {}): Promise<number | undefined> {
    return this.write(key, body, options);
  }

  /**
   * Stores the first value of a key. Returns its sequence, or the value that stands there already. A server of a cluster refuses what conflicts
   * with a write that is still on its way, and so cannot be read: both are asked again until one of them is certain.
   * @throws PublishError `publish_conflict` where neither is
   */
  async create(
    key: string,
    body: Body,
    options: Omit<WriteOptions, 'expected'> = {},
  ): Promise<{ sequence: number; standing?: undefined } | { standing: StoredValue }> {
    for (let tries = 1; tries <= TRIES; tries++) {
      const sequence = await this.write(key, body, { ...options, expected: 0 });
      if (sequence !== undefined) return { sequence };
      const standing = await this.get(key);
      if (standing !== undefined) return { standing };
      await pause(tries);
    }
    throw this.conflict(key);
  }

  /** Leaves a marker in place of the value. Returns as `put` does. */
  delete(key: string, options: WriteOptions = {}): Promise<number | undefined> {
    return this.write(key, undefined, options);
  }

  /**
   * Replaces the value by the result of `next`. Returns the new sequence, or `undefined` if `next` returns `undefined`.
   * @param next may be called several times, each time with the current value
   * @param isUnique no other writer writes the same body, so a value equal to the one just sent is its own: only the confirmation was lost
   * @throws PublishError `publish_conflict` after too many conflicts
   */
  async change(
    key: string,
    next: (stored: StoredValue | undefined) => Replacement | undefined | Promise<Replacement | undefined>,
    { isUnique = false }: { isUnique?: boolean } = {},
  ): Promise<number | undefined> {
    let last: Body | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      if (tries > 1) await pause(tries);
      const stored = await this.get(key);
      // The previous write was stored, and only its confirmation was lost.
      if (isUnique && stored !== undefined && last !== undefined && isSame(stored.message.data, last))
        return stored.sequence;
      const replacement = await next(stored);
      if (replacement === undefined) return undefined;
      last = replacement.body;
      const expected = stored?.sequence ?? 0;
      const sequence = await this.write(key, last, { expected, ttlMs: replacement.ttlMs });
      if (sequence !== undefined) return sequence;
    }
    throw this.conflict(key);
  }

  private conflict(key: string): PublishError {
    const subject = this.options.subjectOf(key);
    return new PublishError(
      'publish_conflict',
      `The key ${subject} was changed concurrently ${TRIES} times; try again.`,
      { details: { subject, tries: TRIES } },
    );
  }

  private async write(
    key: string,
    body: Body | undefined,
    { expected, ttlMs, deadlineMs }: WriteOptions,
  ): Promise<number | undefined> {
    const headers = new OutgoingHeaders();
    if (body === undefined) headers.put('KV-Operation', 'DEL');
    if (expected !== undefined) headers.put(ServerHeader.ExpectedLastSubjectSequence, String(expected));
    if (ttlMs !== undefined) headers.put(ServerHeader.Ttl, `${Math.max(1, Math.ceil(ttlMs / 1000))}s`);
    const { publisher, subjectOf } = this.options;
    try {
      const options = deadlineMs === undefined ? { headers } : { headers, deadlineMs };
      return (await publisher.publish(subjectOf(key), body ?? '', options)).sequence;
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }
}

function pause(tries: number): Promise<void> {
  return delay(Math.random() * Math.min(LONGEST_PAUSE_MS, 2 ** tries));
}

function isSame(stored: Uint8Array, written: Body): boolean {
  return Buffer.compare(stored, typeof written === 'string' ? Buffer.from(written) : written) === 0;
}
