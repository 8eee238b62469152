/** Who runs and waits under limits by key, for people. */
import type { NatsConnection } from '@nats-io/nats-core';
import { eachLimited } from '../broker/each-limited.js';
import { readBatch } from '../broker/batch.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { readJson } from '../values/read-json.js';
import { isToken, type Names } from '../wire/names.js';
import { liveHolders, readGate } from './gate.js';

/** A key under whose limit tasks run or wait. */
export interface KeyWait {
  /** As the header `Task-Key-Wait` of those who wait says. */
  gate: string;
  task: string;
  /** Name of the limit. */
  name: string;
  /** One line, cut to 100 characters. */
  key: string;
  /** Tasks of the key at once, as the last one was let in. */
  concurrency: number;
  running: number;
  /** Tasks that left the line within the last second may be among them. */
  waiting: number;
}

const MOST = 1_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** At most 1,000 keys. */
export async function readKeyWaits(
  connection: NatsConnection,
  streams: StreamAccess,
  names: Names,
  now: () => number,
): Promise<KeyWait[]> {
  const prefix = names.gateKey('');
  const query = { seq: 1, next_by_subj: names.gateKey('>'), batch: MOST, max_bytes: BATCH_BYTES };
  const views: KeyWait[] = [];
  await eachLimited(await readBatch(connection, names.lockStream, query), async (message) => {
    const gate = message.data.length === 0 ? undefined : readGate(readJson(message));
    const id = message.subject.slice(prefix.length);
    const [task, name] = id.split('.');
    if (gate === undefined || !isToken(task) || !isToken(name)) return;
    const { key, concurrency, refused_at: refusedAt } = gate;
    const running = liveHolders(gate, now()).length;
    const waiting = refusedAt > 0 ? await streams.count(names.lockStream, names.gateWaitKey(id, '*.*')) : 0;
    if (running + waiting > 0) views.push({ gate: id, task, name, key, concurrency, running, waiting });
  });
  return views.toSorted((a, b) => b.waiting - a.waiting);
}
