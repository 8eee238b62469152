/**
 * The bucket of the schedule, laid out as a NATS key-value bucket:
 *
 *     entry.<name>      the entry's definition                     written by clients and at start-up
 *     state.<name>      its ticks and runs so far                  written by the leading scheduler
 *     place.<name>      what an entry of the code keeps if another version removes it    written by the leader
 *     backfill.<name>   past ticks that are still to run           written by clients, emptied by the leader
 *     leader            the leading scheduler                      expires without renewal
 *     member.<name>     a running scheduler                        expires without renewal
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { scanStream } from '../broker/scan.js';
import { StreamFollower } from '../broker/stream-follower.js';
import { KeyValue, type WriteOptions as KeyValueWriteOptions } from '../broker/key-value.js';
import type { Resources } from '../resources/resources.js';
import type { Logger } from '../telemetry/logger.js';
import { readExactJson, readJson, roundingProblem } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';

export interface BucketValue {
  /** `undefined` where the key was deleted. */
  value: unknown;
  sequence: number;
}

/** Stands for a value with a number that JavaScript would round: nothing acts on another number than its writer wrote. */
export class RoundedValue {
  constructor(
    /** Names the field. */
    readonly problem: string,
    /** To be shown: the number is text with the same digits. */
    readonly shown: unknown,
  ) {}
}

export interface StoredBucketValue extends BucketValue {
  /** By the broker's clock, in milliseconds since 1970. */
  storedAt: number;
  /** The broker removes the key unless it is renewed. */
  expires: boolean;
}

export interface BucketChange extends BucketValue {
  key: string;
}

export interface WriteOptions {
  /** The sequence of the value that this one replaces; 0 if the key must not exist. Default: no check. */
  expected?: number;
  /** Time to live, in whole seconds. Default: until it is replaced. */
  ttlSeconds?: number;
  deadlineMs?: number;
}

export class ScheduleBucket {
  private readonly connection: NatsConnection;
  private readonly names: Names;
  private readonly streams: Resources['streams'];
  private readonly values: KeyValue;

  constructor({
    connection,
    names,
    publisher,
    streams,
  }: Pick<Resources, 'connection' | 'names' | 'publisher' | 'streams'>) {
    this.connection = connection;
    this.names = names;
    this.streams = streams;
    this.values = new KeyValue({
      publisher,
      streams,
      stream: names.scheduleStream,
      subjectOf: (key) => names.scheduleKey(key),
    });
  }

  async get(key: string): Promise<StoredBucketValue | undefined> {
    const stored = await this.values.get(key);
    if (stored === undefined) return undefined;
    const { message, sequence } = stored;
    const storedAt = Date.parse(message.headers?.get(ServerHeader.TimeStamp) ?? '');
    const expires = message.headers?.has(ServerHeader.Ttl) === true;
    return { value: valueOf(message), sequence, storedAt, expires };
  }

  /** Returns the new sequence, or `undefined` on a conflict with `expected`. */
  put(key: string, value: unknown, options: WriteOptions = {}): Promise<number | undefined> {
    return this.values.put(key, JSON.stringify(value), toWriteOptions(options));
  }

  delete(key: string, options: WriteOptions = {}): Promise<number | undefined> {
    return this.values.delete(key, toWriteOptions(options));
  }

  /**
   * Replaces a value by what `next` returns for it, so that two concurrent changes both apply.
   * @param next is given `undefined` where there is no value
   */
  async change(key: string, next: (value: unknown) => unknown): Promise<void> {
    await this.values.change(key, (stored) => ({
      body: JSON.stringify(next(stored && valueOf(stored.message))),
    }));
  }

  /** All values under a pattern such as `entry.*`. */
  async *list(pattern: string): AsyncGenerator<BucketChange> {
    const { names } = this;
    for await (const message of scanStream(
      this.connection,
      names.scheduleStream,
      names.scheduleKey(pattern),
    )) {
      if (message.data.length > 0) yield this.changeOf(message);
    }
  }

  /** The keys under a pattern such as `entry.*`, those of deleted values among them. */
  async keys(pattern: string): Promise<string[]> {
    const { names } = this;
    const subjects = await this.streams.subjects(names.scheduleStream, names.scheduleKey(pattern));
    return subjects.map((subject) => this.keyOf(subject));
  }

  /** The values of those keys that have one. @param keys at most 1,024, as many as the server takes in a request */
  async getAll(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const { names } = this;
    const stored = await this.streams.getLast(
      names.scheduleStream,
      keys.map((key) => names.scheduleKey(key)),
    );
    const values = [...stored.values()].map(
      (message) => [this.keyOf(message.subject), valueOf(message)] as const,
    );
    return new Map(values.filter(([, value]) => value !== undefined));
  }

  /** Delivers the present values, then every change, once it is started. A removed key has a sequence of 0 if no marker of it is left. */
  follower(
    keys: readonly string[],
    onChange: (change: BucketChange) => void,
    logger: Logger,
  ): StreamFollower {
    return new StreamFollower({
      connection: this.connection,
      stream: this.names.scheduleStream,
      filters: keys.map((key) => this.names.scheduleKey(key)),
      onChange: (subject, message) =>
        onChange(
          message === undefined
            ? { key: this.keyOf(subject), value: undefined, sequence: 0 }
            : this.changeOf(message),
        ),
      logger,
    });
  }

  private keyOf(subject: string): string {
    return subject.slice(this.names.scheduleKey('').length);
  }

  private changeOf(message: {
    subject: string;
    seq: number;
    data: Uint8Array;
    json(): unknown;
  }): BucketChange {
    return { key: this.keyOf(message.subject), value: valueOf(message), sequence: message.seq };
  }
}

function toWriteOptions({ ttlSeconds, ...options }: WriteOptions): KeyValueWriteOptions {
  return { ...options, ttlMs: ttlSeconds === undefined ? undefined : ttlSeconds * 1_000 };
}

function valueOf(message: { data: Uint8Array; json(): unknown }): unknown {
  if (message.data.length === 0) return undefined;
  // A value that is not JSON is none: one bad key must not keep others from being followed.
  const value = readJson(message) ?? null;
  const problem = value === null ? undefined : roundingProblem(message);
  return problem === undefined ? value : new RoundedValue(problem, readExactJson(message.data));
}
