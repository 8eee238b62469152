/**
 * Shards: a queue whose tasks are kept in several streams, because one stream has one leader and one order of writing.
 *
 *     <prefix>.tasks.<shard>.<queue>.<priority>.<tenant>.<task>.<id>    in the stream QUEUE_<QUEUE>~<shard>
 *     <prefix>.delayed.<shard>.<queue>.<id>                             the same, for later
 *
 * A carrier says which part of a queue is meant: `sync` is the queue's own stream, `0.sync` its first shard. Every name that is made of a queue
 * (`queueStream`, `laneFilter`, `delayedSubject`, …) is made of a carrier in the same way.
 */
import { JobsError } from '../errors.js';
import { MAX_SHARDS } from '../values/bounds.js';

export interface QueueShards {
  /** Streams that new tasks are spread over; 1: the queue's own stream. Default 1. */
  shards?: number;
  /** Shards whose tasks are worked on: more than `shards` while former ones are emptied. Default: as many as `shards`. */
  drain?: number;
}

/** What is read and written of one queue. */
export interface ShardPlan {
  readonly shards: number;
  readonly drain: number;
}

/** @throws JobsError `invalid_options` */
export function shardPlan(queue: string, { shards = 1, drain }: QueueShards): ShardPlan {
  const read = drain ?? (shards === 1 ? 0 : shards);
  const isSmaller = shards > 1 && read < shards;
  for (const [field, value, least] of [
    ['shards', shards, 1],
    ['drain', read, 0],
  ] as const)
    if (!Number.isInteger(value) || value < least || value > MAX_SHARDS || isSmaller)
      throw new JobsError(
        'invalid_options',
        isSmaller
          ? `The queue "${queue}" has ${shards} shards and drains ${read}; it must drain those that it fills.`
          : `${field} of the queue "${queue}" is ${value}; it must be a whole number from ${least} to ${MAX_SHARDS}.`,
        { details: { queue, field } },
      );
  return { shards, drain: read };
}

/** Of the shards that were found on a server. A single one is what was left to be emptied. */
export function discoveredShards(count: number): QueueShards {
  return count > 1 ? { shards: count } : { drain: count };
}

/**
 * The shard of a task follows from its id alone: whoever knows the id finds the task, its retries and its copies in one stream, and a single large
 * tenant is spread over all of them. FNV-1a of 32 bits, modulo the count: the server's own `partition(n, …)` gives the same for a subject mapping.
 */
export function shardOfId(id: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}

/** @param shard `undefined`: the queue's own stream */
export function carrierOf({ queue, shard }: { queue: string; shard?: number | undefined }): string {
  return shard === undefined ? queue : `${shard}.${queue}`;
}

/** `QUEUE_SYNC`, `QUEUE_SYNC~0`: no queue can have such a name, because "~" is not allowed in one. */
export function streamOfCarrier(carrier: string): string {
  const [first = '', queue] = carrier.split('.');
  return queue === undefined ? `QUEUE_${first.toUpperCase()}` : `QUEUE_${queue.toUpperCase()}~${first}`;
}
