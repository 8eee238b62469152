/** Removes the oldest messages of a stream with two requests, however many they are. */
import type { NatsConnection } from '@nats-io/nats-core';
import { BATCH_BYTES, readBatch, type StoredMessage } from './batch.js';
import type { StreamAccess } from './stream-access.js';

interface Leading {
  /** Whose subject matches, in the stream. */
  stream: string;
  subjects: string;
  /** Most messages to look at. */
  most: number;
  mayGo: (message: StoredMessage) => boolean;
}

interface Removed {
  /** In order. */
  messages: readonly StoredMessage[];
  /** Nothing that may go is left up to this sequence, whoever has removed it. */
  through: number;
}

/** Removes all messages in front of the first that has to stay. Streams only grow at their end, so nothing can have come in between. */
export async function removeLeading(
  { connection, streams }: { connection: NatsConnection; streams: StreamAccess },
  { stream, subjects, most, mayGo }: Leading,
): Promise<Removed> {
  const query = { seq: 1, next_by_subj: subjects, batch: most, max_bytes: BATCH_BYTES };
  const oldest = await readBatch(connection, stream, query);
  const staying = oldest.find((message) => !mayGo(message));
  const messages = staying === undefined ? oldest : oldest.slice(0, oldest.indexOf(staying));
  const last = messages.at(-1)?.seq ?? 0;
  if (last > 0) await streams.purge(stream, subjects, last + 1);
  return { messages, through: staying === undefined ? last : staying.seq - 1 };
}
