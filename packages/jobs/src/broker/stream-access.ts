/** Reads and removes single messages of streams. */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { readBatch, type StoredMessage } from './batch.js';
import { outboxOf } from './outbox.js';
import { ServerCode, ServerStatus } from './server-errors.js';
import { ServerHeader } from '../wire/headers.js';

const REQUEST_TIMEOUT_MS = 5_000;
/** The sequence holds no message, or no longer does. */
const GONE: ReadonlySet<number> = new Set([
  ServerCode.MessageNotFound,
  ServerCode.SequenceNotFound,
  ServerCode.StreamMessageDeleteFailed,
]);

/** A query of JetStream for a message, for example `{ last_by_subj }` or `{ seq, next_by_subj }`. */
export type MessageQuery =
  { seq: number } | { last_by_subj: string } | { seq: number; next_by_subj: string; batch?: 1 };

interface ApiReply {
  success?: boolean;
  purged?: number;
  error?: { err_code?: number; description?: string };
}

export class StreamAccess {
  constructor(private readonly connection: NatsConnection) {}

  /** The message, or `undefined` when there is none. Throws `lookup_failed` when the stream cannot be read. */
  async get(stream: string, query: MessageQuery): Promise<Msg | undefined> {
    // A read sees what was sent before it.
    outboxOf(this.connection).flush();
    const reply = await this.connection.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), {
      timeout: REQUEST_TIMEOUT_MS,
    });
    const code = reply.headers?.code ?? 0;
    if (code === 0) return reply;
    if (code === ServerStatus.NotFound) return undefined;
    throw new JobsError(
      'lookup_failed',
      `The stream ${stream} could not be read: ${reply.headers?.description}.`,
      {
        details: { stream, code },
      },
    );
  }

  /** The last message of each subject that has one. */
  async getLast(stream: string, subjects: readonly string[]): Promise<ReadonlyMap<string, StoredMessage>> {
    if (subjects.length === 0) return new Map();
    const messages = await readBatch(this.connection, stream, { multi_last: [...new Set(subjects)] });
    return new Map(messages.map((message) => [message.subject, message]));
  }

  /** Number of stored messages whose subject matches. */
  async count(stream: string, subject: string): Promise<number> {
    // Of a batch, each message says how many follow it.
    const first = await this.get(stream, { seq: 1, next_by_subj: subject, batch: 1 });
    return first === undefined ? 0 : Number(first.headers?.get(ServerHeader.NumPending) ?? 0) + 1;
  }

  /** Removes one message; `false` if it did not exist. */
  async delete(stream: string, sequence: number): Promise<boolean> {
    const reply = await this.api(`STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true });
    if (reply.error === undefined) return true;
    if (GONE.has(reply.error.err_code ?? 0)) return false;
    throw this.failure(stream, reply);
  }

  /** Removes every message whose subject matches. Returns their number. */
  async purge(stream: string, filter: string): Promise<number> {
    const reply = await this.api(`STREAM.PURGE.${stream}`, { filter });
    if (reply.error !== undefined) throw this.failure(stream, reply);
    return reply.purged ?? 0;
  }

  private async api(subject: string, body: object): Promise<ApiReply> {
    const reply = await this.connection.request(`$JS.API.${subject}`, JSON.stringify(body), {
      timeout: REQUEST_TIMEOUT_MS,
    });
    return reply.json<ApiReply>();
  }

  private failure(stream: string, { error }: ApiReply): JobsError {
    return new JobsError(
      'lookup_failed',
      `The stream ${stream} could not be changed: ${error?.description}.`,
      {
        details: { stream, code: error?.err_code },
      },
    );
  }
}

/** The subject under which a directly read message was stored. */
export function storedSubject(message: Msg): string {
  return message.headers?.get(ServerHeader.Subject) ?? '';
}

/** The sequence of a directly read message. */
export function storedSequence(message: Msg): number {
  return Number(message.headers?.get(ServerHeader.Sequence) ?? 0);
}
