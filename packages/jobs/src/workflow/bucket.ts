/**
 * The bucket of the workflows, laid out as a NATS key-value bucket:
 *
 *     active.<id>            somebody has to look after it: not ended, or failed with members that still run
 *     manifest.<id>          the definition, who started it, when; never changes
 *     part.<id>.<i>          the definition, in parts, where it does not fit into one message
 *     state.<id>             how it stands as a whole
 *     entry.<id>.<node>      from when on what starts at this node was enqueued, and whether all of it is
 *     end.<id>.<node>        the final record of a step's task
 *     tally.<id>.<node>…     which members of a group have ended, a bit each
 *
 * A step's end costs one key of its own and its bit; nothing that 10,000 members would have to share is written by each of them.
 */
import type { StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { KeyValue, type StoredValue } from '../broker/key-value.js';
import { scanStream } from '../broker/scan.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Names } from '../wire/names.js';

export const workflowKeys = {
  active: (id: string) => `active.${id}`,
  manifest: (id: string) => `manifest.${id}`,
  part: (id: string, part: number | '*') => `part.${id}.${part}`,
  state: (id: string) => `state.${id}`,
  entry: (id: string, node: number | '*') => `entry.${id}.${node}`,
  end: (id: string, node: number | '*') => `end.${id}.${node}`,
  tally: (id: string, node: number, shard?: number) =>
    shard === undefined ? `tally.${id}.${node}` : `tally.${id}.${node}.${shard}`,
  /** Everything of a workflow, the manifest last: as long as that stands, it can be removed again. */
  all: (id: string) => [
    `active.${id}`,
    `tally.${id}.>`,
    `end.${id}.*`,
    `entry.${id}.*`,
    `part.${id}.*`,
    `state.${id}`,
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
   * Returns the new sequence, or `undefined` when the key holds something else than expected.
   * @param expected the sequence of the value that this one replaces, 0 for none; default: whatever is there
   */
  put(key: string, body: string | Uint8Array, expected?: number): Promise<number | undefined> {
    return this.values.put(key, body, { expected });
  }

  /** Replaces what is there by what `next` makes of it; see `KeyValue.change`. */
  change(
    key: string,
    next: (stored: StoredValue | undefined) => string | Uint8Array | undefined,
  ): Promise<number | undefined> {
    return this.values.change(key, (stored) => {
      const body = next(stored);
      return body === undefined ? undefined : { body };
    });
  }

  /** Everything under a pattern such as `end.<id>.*`, the oldest first. */
  scan(pattern: string, from = 1): AsyncGenerator<StoredMsg> {
    const { names } = this;
    return scanStream(this.connection, names.workflowStream, names.workflowKey(pattern), from);
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
