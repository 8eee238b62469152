/** Over how many streams each queue is spread: `sync=4,rules=2`, or `sync=2/4` while the shards from the third on are emptied. */
import type { QueueShards } from '@stratum/jobs';
import { MAX_SHARDS } from '@stratum/jobs/bounds';
import { QUEUES, type QueueName } from '../queue-names.js';
import { SettingProblem, withDefault, type Setting } from './settings.js';

export type ShardsByQueue = ReadonlyMap<QueueName, Required<QueueShards>>;

const PART = /^([a-z]+)=(\d{1,2})(?:\/(\d{1,2}))?$/;

export function queueShards(): Setting<ShardsByQueue> {
  return withDefault<ShardsByQueue, ShardsByQueue>(parse, new Map(), print);
}

function parse(text: string): ShardsByQueue {
  const found = new Map<QueueName, Required<QueueShards>>();
  for (const part of text.split(',').map((each) => each.trim())) {
    const [, name, first, second] = PART.exec(part) ?? [];
    const queue = QUEUES.find((each) => each.name === name)?.name;
    const shards = Number(first);
    const drain = second === undefined ? (shards === 1 ? 0 : shards) : Number(second);
    const isInBounds = shards >= 1 && Math.max(shards, drain) <= MAX_SHARDS;
    const isServed = shards === 1 || drain >= shards;
    if (queue === undefined || found.has(queue) || !isInBounds || !isServed)
      throw new SettingProblem(
        `must name each queue once with 1 to ${MAX_SHARDS} shards, such as sync=4,rules=2, or sync=2/4 to empty those from the third on`,
      );
    found.set(queue, { shards, drain });
  }
  return found;
}

function print(shards: ShardsByQueue): string {
  return [...shards]
    .map(([queue, { shards: filled, drain }]) => `${queue}=${filled}${drain > filled ? `/${drain}` : ''}`)
    .join(',');
}
