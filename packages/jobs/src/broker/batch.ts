/**
 * Reads many stored messages with one request. The library's own batches leave their subscription open when they end, which a process that
 * reads for months cannot afford, and wait without a limit for a message that gets lost in the middle.
 */
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { ServerHeader } from '../wire/headers.js';
import { headersOf } from './incoming-headers.js';
import { openRequest } from './requests.js';
import { ServerStatus } from '../wire/server-errors.js';
import type { StreamMessage } from './stored-message.js';

/** A message as its stream holds it. */
export interface StoredMessage extends StreamMessage {
  readonly subject: string;
  /** In its stream. */
  readonly seq: number;
  readonly headers: MsgHdrs;
  /** When it was stored, by the broker's clock. */
  readonly time: Date;
  /** Number of matching messages that follow. */
  readonly pending: number;
}

/** A query of JetStream for several messages. */
export type BatchQuery =
  | { seq: number; next_by_subj: string; batch: number; max_bytes: number }
  | { start_time: string; next_by_subj: string; batch: number; max_bytes: number }
  | { multi_last: readonly string[]; seq: number; max_bytes: number };

interface Patience {
  /** Of the wait for each message of a batch. */
  timeoutMs: number;
  tries: number;
}

/** Any replica of a cluster answers, and one may hang. */
const PATIENCE: Patience = { timeoutMs: 2_500, tries: 4 };
/** Of a batch in memory: some messages are large. */
export const BATCH_BYTES = 8 * 1024 * 1024;
const NONE_AT_ALL = 'No Results';

/** @throws JobsError `lookup_failed` when the stream cannot be read */
export async function readBatch(
  connection: NatsConnection,
  stream: string,
  query: BatchQuery,
  patience = PATIENCE,
): Promise<StoredMessage[]> {
  for (let tries = 1; ; tries++) {
    const batch = await readOnce(connection, stream, query, patience.timeoutMs);
    if (batch !== undefined) return batch;
    if (tries === patience.tries) throw unreadable(stream, 'the server does not respond', 0);
  }
}

/**
 * The newest message of each subject that matches one of the filters. Of a subject that is written to meanwhile there may be two: the last one
 * counts.
 * @throws JobsError `lookup_failed` as `readBatch` does
 */
export async function readNewest(
  connection: NatsConnection,
  stream: string,
  filters: readonly string[],
  patience = PATIENCE,
): Promise<StoredMessage[]> {
  const found: StoredMessage[] = [];
  for (let seq = 1; ;) {
    const query = { multi_last: filters, seq, max_bytes: BATCH_BYTES };
    const batch = await readBatch(connection, stream, query, patience);
    found.push(...batch);
    const last = batch.at(-1);
    if (last === undefined || last.pending <= 0) return found;
    seq = last.seq + 1;
  }
}

/** `undefined` when an answer is missing. */
function readOnce(
  connection: NatsConnection,
  stream: string,
  query: BatchQuery,
  timeoutMs: number,
): Promise<StoredMessage[] | undefined> {
  return new Promise((resolve, reject) => {
    const found: StoredMessage[] = [];
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      request.close();
      settle();
    };
    // Throws on a closed connection: before anything is there that would have to be undone.
    const request = openRequest(connection, {
      subject: `$JS.API.DIRECT.GET.${stream}`,
      body: JSON.stringify(query),
      onReply: (message) => {
        // The last one of a batch is a status without a body.
        const code = message.data.length === 0 ? (message.headers?.code ?? 0) : 0;
        if (code === ServerStatus.NotFound && 'multi_last' in query)
          // Otherwise one of them has gone in this moment, and the server leaves out those behind it.
          finish(() => resolve(message.headers?.description === NONE_AT_ALL ? found : undefined));
        else if (code === ServerStatus.EndOfBatch || code === ServerStatus.NotFound)
          finish(() => resolve(found));
        else if (code !== 0)
          finish(() => reject(unreadable(stream, message.headers?.description ?? '', code)));
        else {
          found.push(storedMessage(message));
          timer.refresh();
        }
      },
      onError: (error) => finish(() => reject(error)),
    });
    const timer = setTimeout(() => finish(() => resolve(undefined)), timeoutMs);
    request.send();
  });
}

function unreadable(stream: string, reason: string, code: number): JobsError {
  return new JobsError('lookup_failed', `The stream ${stream} could not be read: ${reason}.`, {
    details: { stream, code },
  });
}

function storedMessage(message: Msg): StoredMessage {
  const headers = headersOf(message);
  const { data } = message;
  if (headers === undefined)
    throw new JobsError('lookup_failed', 'The server answered without the headers of a stored message.');
  return {
    subject: headers.get(ServerHeader.Subject),
    seq: Number(headers.get(ServerHeader.Sequence)),
    headers,
    data,
    time: new Date(headers.get(ServerHeader.TimeStamp)),
    pending: Number(headers.get(ServerHeader.NumPending)),
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as the client's own messages
    json: <T>() => message.json<T>(),
    string: () => message.string(),
  };
}
