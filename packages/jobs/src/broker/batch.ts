/**
 * Reads many stored messages with one request. The library's own batches leave their subscription open when they end, which a process that
 * reads for months cannot afford, and wait without a limit for a message that gets lost in the middle.
 */
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { ServerHeader } from '../wire/headers.js';
import { inboxOf } from './inbox.js';
import { outboxOf } from './outbox.js';
import { ServerStatus } from './server-errors.js';

/** A message as its stream holds it. */
export interface StoredMessage {
  readonly subject: string;
  /** In its stream. */
  readonly seq: number;
  readonly header: MsgHdrs;
  readonly data: Uint8Array;
  /** When it was stored, by the broker's clock. */
  readonly time: Date;
  /** Number of matching messages that follow. */
  readonly pending: number;
  /** @throws SyntaxError for a body that is not JSON */
  json(): unknown;
}

/** A query of JetStream for several messages. */
export type BatchQuery =
  | { seq: number; next_by_subj: string; batch: number; max_bytes: number }
  | { start_time: string; next_by_subj: string; batch: number; max_bytes: number }
  | { multi_last: readonly string[] };

/** Of the wait for each message of a batch. */
const TIMEOUT_MS = 2_500;
/** Any replica of a cluster answers, and one may hang. */
const TRIES = 4;

/** @throws JobsError `lookup_failed` when the stream cannot be read */
export async function readBatch(
  connection: NatsConnection,
  stream: string,
  query: BatchQuery,
): Promise<StoredMessage[]> {
  for (let tries = 1; ; tries++) {
    const batch = await readOnce(connection, stream, query);
    if (batch !== undefined) return batch;
    if (tries === TRIES) throw unreadable(stream, 'the server does not respond', 0);
  }
}

/** `undefined` when an answer is missing. */
function readOnce(
  connection: NatsConnection,
  stream: string,
  query: BatchQuery,
): Promise<StoredMessage[] | undefined> {
  // A read sees what was sent before it.
  outboxOf(connection).flush();
  return new Promise((resolve, reject) => {
    const found: StoredMessage[] = [];
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      if (!subscription.isClosed()) subscription.unsubscribe();
      settle();
    };
    const inbox = inboxOf(connection);
    // Throws on a closed connection: before anything is there that would have to be undone.
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        const code = message.headers?.code ?? 0;
        if (error !== null) finish(() => reject(error));
        else if (code === ServerStatus.EndOfBatch || code === ServerStatus.NotFound)
          finish(() => resolve(found));
        else if (code !== 0)
          finish(() => reject(unreadable(stream, message.headers?.description ?? '', code)));
        else {
          found.push(storedMessage(message));
          timer.refresh();
        }
      },
    });
    const timer = setTimeout(() => finish(() => resolve(undefined)), TIMEOUT_MS);
    try {
      connection.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { reply: inbox });
    } catch (error) {
      finish(() => reject(error));
    }
  });
}

function unreadable(stream: string, reason: string, code: number): JobsError {
  return new JobsError('lookup_failed', `The stream ${stream} could not be read: ${reason}.`, {
    details: { stream, code },
  });
}

function storedMessage(message: Msg): StoredMessage {
  const { headers, data } = message;
  if (headers === undefined)
    throw new JobsError('lookup_failed', 'The server answered without the headers of a stored message.');
  return {
    subject: headers.get(ServerHeader.Subject),
    seq: Number(headers.get(ServerHeader.Sequence)),
    header: headers,
    data,
    time: new Date(headers.get(ServerHeader.TimeStamp)),
    pending: Number(headers.get(ServerHeader.NumPending)),
    json: () => message.json(),
  };
}
