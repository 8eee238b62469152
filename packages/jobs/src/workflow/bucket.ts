/**
 * The bucket of the workflows, laid out as a NATS key-value bucket:
 *
 *     active.<id>            needs maintenance: not ended, or failed with members that still run
 *     owner.<tenant>.<id>    by which a tenant's workflows are listed without those of others; written before the manifest
 *     manifest.<id>          the definition, its starter and time; never changes
 *     part.<id>.<i>          a part of a definition that does not fit into one message
 *     state.<id>             state of the whole workflow
 *     entry.<id>.<node>      when the steps that start at this node were enqueued, and whether all of them are
 *     end.<id>.<node>        the final record of a step's task
 *     tally.<id>.<node>…     ended members of a group, one bit each
 *
 * The end of a step writes one key and one bit. No key is written by each of 10,000 members.
 */
import type { StoredMessage } from '../broker/batch.js';
import type { NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue, type Replacement, type StoredValue } from '../broker/key-value.js';
import { scanStream } from '../broker/scan.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Names } from '../wire/names.js';

export const workflowKeys = {
  active: (id: string) => `active.${id}`,
  owner: (tenant: string, id: string) => `owner.${tenant}.${id}`,
  manifest: (id: string) => `manifest.${id}`,
  part: (id: string, part: number | '*') => `part.${id}.${part}`,
  state: (id: string) => `state.${id}`,
  entry: (id: string, node: number | '*') => `entry.${id}.${node}`,
  end: (id: string, node: number | '*') => `end.${id}.${node}`,
  tally: (id: string, node: number, shard?: number) =>
    shard === undefined ? `tally.${id}.${node}` : `tally.${id}.${node}.${shard}`,
  /** All keys of a workflow, the manifest last: while it exists, the removal can be repeated. */
  all: (id: string) => [
    `active.${id}`,
    `tally.${id}.>`,
    `end.${id}.*`,
    `entry.${id}.*`,
    `part.${id}.*`,
    `state.${id}`,
    `owner.*.${id}`,
    `manifest.${id}`,
  ],
} as const;

export class WorkflowBucket {
  private readonly values: KeyValue;

  constructor(
    private readonly connection: NatsConnection,
    private readonly names: Names,
    publisher: AckMultiplexer,
    private readonly streams: StreamAccess,
  ) {
    this.values = new KeyValue({
      publisher,
      streams,
      stream: names.workflowStream,
      subjectOf: (key) => names.workflowKey(key),
    });
  }

  get(key: string): Promise<StoredValue | undefined> {
    return this.values.get(key);
  }

  /**
   * Returns the new sequence, or `undefined` on a conflict with `expected`.
   * @param expected the sequence of the value that this one replaces, 0 for none; default: no check
   */
  put(key: string, body: string | Uint8Array, expected?: number): Promise<number | undefined> {
    return this.values.put(key, body, { expected });
  }

  /** Stores the first value of a key; see `KeyValue.create`. Returns what stands there already, or `undefined`. */
  async create(key: string, body: string | Uint8Array): Promise<StoredValue | undefined> {
    return (await this.values.create(key, body)).standing;
  }

  /** Replaces the value by the result of `next`; see `KeyValue.change`. */
  change(
    key: string,
    next: (stored: StoredValue | undefined) => string | Uint8Array | undefined,
    options?: { isUnique?: boolean },
  ): Promise<number | undefined> {
    const change = (stored: StoredValue | undefined): Replacement | undefined => {
      const body = next(stored);
      return body === undefined ? undefined : { body };
    };
    return this.values.change(key, change, options);
  }

  /** All values under a pattern such as `end.<id>.*`, oldest first. */
  scan(pattern: string, from = 1): AsyncGenerator<StoredMessage> {
    const { names } = this;
    return scanStream(this.connection, names.workflowStream, names.workflowKey(pattern), from);
  }

  /** The workflows that have keys under a pattern that ends in their id. Reads no values. */
  async ids(pattern: string): Promise<string[]> {
    const subjects = await this.streams.subjects(this.names.workflowStream, this.names.workflowKey(pattern));
    return subjects.map((subject) => subject.slice(subject.lastIndexOf('.') + 1));
  }

  /** Removes a key, or all under a pattern. */
  async remove(pattern: string): Promise<void> {
    await this.streams.purge(this.names.workflowStream, this.names.workflowKey(pattern));
  }

  /** The last token of a key. */
  static nodeOf(subject: string): number {
    return Number(subject.slice(subject.lastIndexOf('.') + 1));
  }
}
