/** Reads through the messages of a stream, a batch at a time. */
import type { NatsConnection } from '@nats-io/nats-core';
import { BATCH_BYTES, readBatch, type StoredMessage } from './batch.js';

const BATCH = 256;

/** Yields every message whose subject matches, oldest first, starting at a sequence or a time. */
export async function* scanStream(
  connection: NatsConnection,
  stream: string,
  subject: string,
  from: number | Date = 1,
): AsyncGenerator<StoredMessage> {
  const limits = { next_by_subj: subject, batch: BATCH, max_bytes: BATCH_BYTES };
  for (let start = from; ;) {
    const place = typeof start === 'number' ? { seq: start } : { start_time: start.toISOString() };
    const batch = await readBatch(connection, stream, { ...place, ...limits });
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || last.pending <= 0) return;
    start = last.seq + 1;
  }
}

/** All of them at once: for few. */
export async function scanAll(
  connection: NatsConnection,
  stream: string,
  subject: string,
): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for await (const message of scanStream(connection, stream, subject)) messages.push(message);
  return messages;
}
