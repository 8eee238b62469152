/** Reads and removes single messages of streams. */
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { ask } from './ask.js';
import { readNewest, type StoredMessage } from './batch.js';
import { NewestMessages } from './newest-messages.js';
import { ServerCode, ServerStatus } from '../wire/server-errors.js';
import { fromLeader, type LeaderMessage, type StreamMessage } from './stored-message.js';
import { ServerHeader } from '../wire/headers.js';

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
  message?: LeaderMessage;
  state?: { last_seq: number; subjects?: Record<string, number> };
  /** Of the subjects of all pages. */
  total?: number;
  delivered?: { stream_seq: number };
  paused?: boolean;
  error?: { code?: number; err_code?: number; description?: string };
}

export class StreamAccess {
  private readonly gathered: NewestMessages;

  constructor(private readonly connection: NatsConnection) {
    this.gathered = new NewestMessages(connection, (stream, filter) =>
      this.get(stream, { last_by_subj: filter }),
    );
  }

  /**
   * The message, or `undefined` when there is none. Throws `lookup_failed` when the stream cannot be read. In a cluster the leader answers: a
   * replica may lag behind what was confirmed, and most answers decide whether something runs again.
   */
  get(stream: string, query: MessageQuery): Promise<StreamMessage | undefined> {
    return this.isCluster ? this.fromLeader(stream, query) : this.direct(stream, query);
  }

  /**
   * The newest message whose subject matches, as `get` would return it; what is asked for at the same time goes in one request.
   * @param filter matches few subjects
   */
  newest(stream: string, filter: string): Promise<StreamMessage | undefined> {
    return this.isCluster ? this.get(stream, { last_by_subj: filter }) : this.gathered.read(stream, filter);
  }

  /** The last message of each subject that has one. */
  async getLast(stream: string, subjects: readonly string[]): Promise<ReadonlyMap<string, StoredMessage>> {
    if (subjects.length === 0) return new Map();
    const messages = await readNewest(this.connection, stream, [...new Set(subjects)]);
    return new Map(messages.map((message) => [message.subject, message]));
  }

  /** Number of stored messages whose subject matches. @param from counts from this sequence on */
  async count(stream: string, subject: string, from = 1): Promise<number> {
    // Of a batch, each message says how many follow it.
    const first = await this.direct(stream, { seq: from, next_by_subj: subject, batch: 1 });
    return first === undefined ? 0 : Number(first.headers?.get(ServerHeader.NumPending) ?? 0) + 1;
  }

  /** The subjects that have messages: names alone, so it costs little beside reading what they hold. */
  async subjects(stream: string, filter: string): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      // The server hands out a page of 100,000 at most.
      const reply = await this.api(`STREAM.INFO.${stream}`, {
        subjects_filter: filter,
        offset: found.length,
      });
      if (reply.state === undefined) throw this.unreadable(stream, reply.error?.code ?? 0);
      const page = Object.keys(reply.state.subjects ?? {});
      for (const subject of page) found.push(subject);
      if (page.length === 0 || found.length >= (reply.total ?? 0)) return found;
    }
  }

  /** The last sequence that the stream has given. */
  async lastSequence(stream: string): Promise<number> {
    const reply = await this.api(`STREAM.INFO.${stream}`, {});
    if (reply.state === undefined) throw this.unreadable(stream, reply.error?.code ?? 0);
    return reply.state.last_seq;
  }

  /** How far a consumer has handed its messages out, and whether it is paused. */
  async handedOut(stream: string, consumer: string): Promise<{ sequence: number; isPaused: boolean }> {
    const reply = await this.api(`CONSUMER.INFO.${stream}.${consumer}`, {});
    if (reply.delivered === undefined) throw this.unreadable(stream, reply.error?.code ?? 0);
    return { sequence: reply.delivered.stream_seq, isPaused: reply.paused === true };
  }

  /**
   * Removes one message; `false` if it did not exist.
   * @param options `isRepeatable: false` asks once, for a caller that concludes from `false` that somebody else has removed it
   */
  async delete(stream: string, sequence: number, options?: { isRepeatable: boolean }): Promise<boolean> {
    const request = { seq: sequence, no_erase: true };
    const reply = await this.api(`STREAM.MSG.DELETE.${stream}`, request, options);
    if (reply.error === undefined) return true;
    if (GONE.has(reply.error.err_code ?? 0)) return false;
    throw this.failure(stream, reply);
  }

  /**
   * Removes every message whose subject matches. Returns their number.
   * @param before keeps this sequence and those behind it
   */
  async purge(stream: string, filter: string, before?: number): Promise<number> {
    // Sent again, it would remove what has been published since the answer to the first.
    const reply = await this.api(`STREAM.PURGE.${stream}`, { filter, seq: before }, { isRepeatable: false });
    if (reply.error !== undefined) throw this.failure(stream, reply);
    return reply.purged ?? 0;
  }

  private get isCluster(): boolean {
    return this.connection.info?.cluster !== undefined;
  }

  private async direct(stream: string, query: MessageQuery): Promise<Msg | undefined> {
    return ask(this.connection, `$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), (reply) => {
      const code = reply.headers?.code ?? 0;
      if (code === 0) return { value: reply };
      if (code === ServerStatus.NotFound) return { value: undefined };
      throw this.unreadable(stream, code, reply.headers?.description);
    });
  }

  private async fromLeader(stream: string, query: MessageQuery): Promise<StreamMessage | undefined> {
    const { message, error } = await this.api(`STREAM.MSG.GET.${stream}`, query);
    if (error === undefined) return message && fromLeader(message);
    if (error.code === ServerStatus.NotFound && error.err_code === ServerCode.MessageNotFound)
      return undefined;
    throw this.unreadable(stream, error.err_code ?? 0, error.description);
  }

  /** A cluster that elects a leader is asked again. */
  private api(subject: string, body: object, options?: { isRepeatable: boolean }): Promise<ApiReply> {
    const accept = (message: Msg): { value: ApiReply } | undefined => {
      const value = message.json<ApiReply>();
      return options?.isRepeatable !== false && isNotReady(value) ? undefined : { value };
    };
    return ask(this.connection, `$JS.API.${subject}`, JSON.stringify(body), accept, options);
  }

  private unreadable(stream: string, code: number, reason = 'the server gave no reason'): JobsError {
    return new JobsError('lookup_failed', `The stream ${stream} could not be read: ${reason}.`, {
      details: { stream, code },
    });
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

function isNotReady({ error }: ApiReply): boolean {
  return (error?.code ?? 0) >= ServerStatus.ServerFailure && !GONE.has(error?.err_code ?? 0);
}
