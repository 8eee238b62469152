/**
 * Requests that any of several servers may answer. One that hangs never answers, so the request is sent again after a while, and then at growing
 * intervals; the first answer counts (hedged requests: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013).
 */
import { NoRespondersError, type Msg, type NatsConnection } from '@nats-io/nats-core';
import { JobsError } from '../errors.js';
import { openRequest, type Request } from './requests.js';
import { isNoResponders, ServerStatus } from '../wire/server-errors.js';

/** A cluster elects a new leader within it. */
const DEADLINE_MS = 10_000;
/** Long enough for nearly every answer, so that hardly any request is sent twice. */
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 2_000;
/** A server that restarts is back by then; a stream that does not exist is not. */
const NOBODY_LISTENS_MS = 1_000;

/**
 * @param accept returns the value of an answer, or `undefined` to wait for another one, because that server is not ready
 * @param options `isRepeatable: false` sends it once
 * @throws JobsError `lookup_failed` when nobody listens or nobody answers before the deadline; whatever `accept` throws
 */
export function ask<Value>(
  connection: NatsConnection,
  subject: string,
  body: string,
  accept: (reply: Msg) => { value: Value } | undefined,
  { isRepeatable = true }: { isRepeatable?: boolean } = {},
): Promise<Value> {
  const startedAt = performance.now();
  const passedMs = (): number => performance.now() - startedAt;
  return new Promise((resolve, reject) => {
    let pauseMs = isRepeatable ? FIRST_PAUSE_MS : DEADLINE_MS;
    let next: NodeJS.Timeout | undefined;
    let request: Request | undefined;
    const finish = (settle: () => void): void => {
      clearTimeout(next);
      request?.close();
      settle();
    };
    const take = (reply: Msg): void => {
      if (reply.headers?.code === ServerStatus.Unavailable && reply.data.length === 0)
        return fail(new NoRespondersError(subject));
      try {
        const accepted = accept(reply);
        if (accepted !== undefined) finish(() => resolve(accepted.value));
      } catch (error) {
        finish(() => reject(error));
      }
    };
    const fail = (cause: unknown): void => {
      if (isRepeatable && isNoResponders(cause) && passedMs() < NOBODY_LISTENS_MS) return;
      finish(() => reject(unanswered(subject, cause)));
    };
    const send = (): void => {
      const leftMs = Math.ceil(DEADLINE_MS - passedMs());
      if (leftMs <= 0) return fail(undefined);
      request?.send();
      next = setTimeout(send, Math.min(pauseMs, leftMs));
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    };
    try {
      request = openRequest(connection, { subject, body, onReply: take, onError: fail });
      send();
    } catch (cause) {
      fail(cause);
    }
  });
}

function unanswered(subject: string, cause: unknown): JobsError {
  const reason = isNoResponders(cause) ? 'nobody listens there' : 'no answer came in time';
  return new JobsError(
    'lookup_failed',
    `A request to ${subject} failed: ${reason}. Is JetStream available, and does the stream exist?`,
    {
      cause,
      details: { subject },
    },
  );
}
