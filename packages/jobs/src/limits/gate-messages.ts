/** The entries of gates as the bucket of locks holds them, unread: mostly there are none, and then nobody needs what reads them. */
import type { NatsConnection } from '@nats-io/nats-core';
import { readBatch, type StoredMessage } from '../broker/batch.js';
import type { Names } from '../wire/names.js';

const MOST = 1_000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** At most 1,000. @param gates a pattern of their ids, for example `<task>.>` */
export function gateMessages(
  { connection, names }: { connection: NatsConnection; names: Names },
  gates: string,
): Promise<StoredMessage[]> {
  const query = { seq: 1, next_by_subj: names.gateKey(gates), batch: MOST, max_bytes: BATCH_BYTES };
  return readBatch(connection, names.lockStream, query);
}
