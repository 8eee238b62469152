/** Reads through the messages of a stream, a batch at a time. */
import { jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { isMessageNotFound } from './server-errors.js';

const BATCH = 256;

/** Yields every message whose subject matches, oldest first, starting at a sequence. */
export async function* scanStream(
  connection: NatsConnection,
  stream: string,
  subject: string,
  from = 1,
): AsyncGenerator<StoredMsg> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  for (let sequence = from; ;) {
    let count = 0;
    try {
      const batch = await manager.direct.getBatch(stream, {
        seq: sequence,
        next_by_subj: subject,
        batch: BATCH,
      });
      for await (const message of batch) {
        yield message;
        sequence = message.seq + 1;
        count++;
      }
    } catch (error) {
      // The client reports "nothing (more) matches" as an error.
      if (!isMessageNotFound(error)) throw error;
    }
    if (count < BATCH) return;
  }
}
