/** One request to a receiver, and its outcome. */
import { CredentialsError, type KeyRing } from '@stratum/shared';
import { SiteError, type SafeFetch } from '@stratum/connectors/safe-fetch';
import { formatEventId, openSecret, signedHeaders } from '@stratum/shared/subscriptions';
import type { ClaimedMessage } from './claim-message.js';
import { retryAfterMs } from './retry-after.js';

export interface AttemptResult {
  at: Date;
  durationMs: number;
  isDelivered: boolean;
  statusCode: number | null;
  /** Why it failed, for programs: `http`, `redirect`, `timeout`, `connection`, `dns`, `address`, `secret`. */
  errorClass: string | null;
  /** The same in words. */
  error: string | null;
  /** The beginning of the answer. */
  response: string | null;
  /** How long the receiver asked us to wait. */
  retryAfterMs: number | undefined;
}

const KEPT_RESPONSE_BYTES = 1_024;
const USER_AGENT = 'Stratum-Webhooks/1.0';

/** Never rejects because of the receiver. @throws the signal's reason when the worker abandons the task */
export async function sendEvent(
  site: Pick<SafeFetch, 'send'>,
  keys: KeyRing,
  message: ClaimedMessage,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<AttemptResult> {
  const at = new Date();
  const ended = (result: Partial<AttemptResult>): AttemptResult => ({
    at,
    durationMs: Date.now() - at.getTime(),
    isDelivered: false,
    statusCode: null,
    errorClass: null,
    error: null,
    response: null,
    retryAfterMs: undefined,
    ...result,
  });
  const { type, data, occurredAt } = message.event;
  const body = JSON.stringify({ type, timestamp: occurredAt.toISOString(), data });
  try {
    const secrets = message.secrets.map((sealed) => openSecret(keys, message, sealed));
    const facts = { id: formatEventId(message.eventId), timestamp: Math.floor(at.getTime() / 1_000) };
    const {
      status,
      headers,
      body: response,
    } = await site.send(
      message.url,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': USER_AGENT,
          ...signedHeaders(secrets, facts, body),
        },
        body,
        timeoutMs,
        keepBytes: KEPT_RESPONSE_BYTES,
      },
      signal,
    );
    return ended({
      isDelivered: isSuccess(status),
      statusCode: status,
      ...problemOf(status),
      // PostgreSQL stores no NUL.
      response: response.replaceAll('\0', '\uFFFD'),
      retryAfterMs: retryAfterMs(headers['retry-after'], at),
    });
  } catch (error) {
    if (error instanceof SiteError) return ended({ errorClass: error.problem, error: error.message });
    if (error instanceof CredentialsError)
      return ended({ errorClass: 'secret', error: 'its signing secret cannot be opened; rotate it' });
    throw error;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function problemOf(status: number): Pick<AttemptResult, 'errorClass' | 'error'> {
  if (isSuccess(status)) return { errorClass: null, error: null };
  if (status >= 300 && status < 400)
    return {
      errorClass: 'redirect',
      error: `it answers HTTP ${status}; redirects are not followed: change the address`,
    };
  return { errorClass: 'http', error: `it answers HTTP ${status}` };
}
