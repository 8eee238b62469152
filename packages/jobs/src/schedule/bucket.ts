/**
 * The bucket of the schedule, laid out as a NATS key-value bucket:
 *
 *     entry.<name>      the entry's definition                     written by clients and at start-up
 *     state.<name>      its ticks and runs so far                  written by the leading scheduler
 *     backfill.<name>   past ticks that are still to run           written by clients, emptied by the leader
 *     leader            the leading scheduler                      expires without renewal
 *     member.<name>     a running scheduler                        expires without renewal
 */
import { once } from 'node:events';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { scanStream } from '../broker/scan.js';
import type { Resources } from '../resources/resources.js';
import { storedSequence, type StreamAccess } from '../broker/stream-access.js';
import { isConflict } from '../broker/server-errors.js';
import { ServerHeader } from '../wire/headers.js';
import type { Names } from '../wire/names.js';

export interface BucketValue {
  /** `undefined` where the key was deleted. */
  value: unknown;
  sequence: number;
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
  private readonly publisher: AckMultiplexer;
  private readonly streams: StreamAccess;

  constructor({
    connection,
    names,
    publisher,
    streams,
  }: Pick<Resources, 'connection' | 'names' | 'publisher' | 'streams'>) {
    this.connection = connection;
    this.names = names;
    this.publisher = publisher;
    this.streams = streams;
  }

  async get(key: string): Promise<BucketValue | undefined> {
    const message = await this.streams.get(this.names.scheduleStream, {
      last_by_subj: this.names.scheduleKey(key),
    });
    if (message === undefined) return undefined;
    return { value: valueOf(message), sequence: storedSequence(message) };
  }

  /** Returns the new sequence, or `undefined` on a conflict with `expected`. */
  async put(key: string, value: unknown, options: WriteOptions = {}): Promise<number | undefined> {
    return this.write(key, JSON.stringify(value), options);
  }

  async delete(key: string, options: WriteOptions = {}): Promise<number | undefined> {
    return this.write(key, '', options);
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

  /** Delivers the present values, then every change. Resolves once the present values have been delivered. */
  async follow(
    keys: readonly string[],
    onChange: (change: BucketChange) => void,
  ): Promise<{ stop(): Promise<void> }> {
    const consumer = await jetstream(this.connection).consumers.get(this.names.scheduleStream, {
      deliver_policy: DeliverPolicy.LastPerSubject,
      filter_subjects: keys.map((key) => this.names.scheduleKey(key)),
    });
    const { num_pending: standing } = await consumer.info();
    const caughtUp = new AbortController();
    let seen = 0;
    const messages = await consumer.consume({
      max_messages: 1_000,
      callback: (message) => {
        onChange(this.changeOf(message));
        if (++seen === standing) caughtUp.abort();
      },
    });
    if (seen < standing) await once(caughtUp.signal, 'abort');
    return {
      stop: async () => {
        await messages.close();
      },
    };
  }

  private changeOf(message: {
    subject: string;
    seq: number;
    data: Uint8Array;
    json(): unknown;
  }): BucketChange {
    const key = message.subject.slice(this.names.scheduleKey('').length);
    return { key, value: valueOf(message), sequence: message.seq };
  }

  private async write(key: string, body: string, options: WriteOptions): Promise<number | undefined> {
    const headers = newHeaders();
    if (body === '') headers.set('KV-Operation', 'DEL');
    if (options.expected !== undefined)
      headers.set(ServerHeader.ExpectedLastSubjectSequence, String(options.expected));
    if (options.ttlSeconds !== undefined) headers.set(ServerHeader.Ttl, `${options.ttlSeconds}s`);
    try {
      const ack = await this.publisher.publish(this.names.scheduleKey(key), body, {
        headers,
        ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
      });
      return ack.sequence;
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }
}

function valueOf(message: { data: Uint8Array; json(): unknown }): unknown {
  return message.data.length === 0 ? undefined : message.json();
}
