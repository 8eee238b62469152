/**
 * Tells the world's failures from a task's own. A database, broker or service that cannot be reached fails every task alike, however often it
 * is tried; so such an attempt waits without spending a retry.
 */
import { isApiError, isTemporary } from '../wire/server-errors.js';
import { fieldOf } from '../values/any-value.js';
import { retryAdvice } from './retry-policy.js';

/** Of sockets and name lookups in Node.js, and of its HTTP client. */
export const SYSTEM_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

/** Of this package: the broker did not answer. */
const BROKER_CODES: ReadonlySet<unknown> = new Set([
  'connection_failed',
  'lookup_failed',
  'publish_unconfirmed',
]);

/** Of the NATS client. */
const BROKER_ERRORS: ReadonlySet<unknown> = new Set([
  'NoResponders',
  'RequestError',
  'NoRespondersError',
  'ClosedConnectionError',
  'DrainingConnectionError',
]);

/** An answer of JetStream that refuses: some pass, such as that of a full store. */
const BROKER_REFUSAL = 'JetStreamApiError';

/**
 * SQLSTATEs of a server that lost the connection (08), is out of connections, memory or disk (53), starts, stops or was restarted (57P), cannot
 * read its files (58030), or is a standby after a failover (25006).
 */
const DATABASE_STATE = /^(?:08|53|57P)\w+$|^(?:58030|25006)$/;
const SQLSTATE_LENGTH = 5;
/** The session was refused or ended: a missing role or database, a wrong password. */
const FATAL: ReadonlySet<unknown> = new Set(['FATAL', 'PANIC']);

/** What node-postgres says without any code. A test provokes them, so that another wording is noticed. */
const UNCODED: ReadonlySet<unknown> = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
]);

/** A DOMException, such as the reason of `AbortSignal.timeout`: the handler's own limit. */
const OWN_TIMEOUT = 23;

/** Errors that are looked at: itself, its causes, and the errors of an `AggregateError`. Chains may be circular. */
const MOST_ERRORS = 32;

/**
 * Whether an error says that a dependency cannot be reached. A boolean property `unreachable` of the error decides; else retry advice
 * (`retryable`, `retryAfterMs`) makes it the task's own; else codes decide, also those of its causes.
 */
export function isUnreachable(error: unknown): boolean {
  const own = fieldOf(error, 'unreachable');
  if (typeof own === 'boolean') return own;
  const { retryable, retryAfterMs } = retryAdvice(error);
  if (retryable !== undefined || retryAfterMs !== undefined) return false;
  const open: unknown[] = [error];
  for (let count = 0; count < MOST_ERRORS && open.length > 0; count++) {
    const each = open.shift();
    if (isOutage(each)) return true;
    const cause = fieldOf(each, 'cause');
    if (cause !== undefined) open.push(cause);
    const errors = fieldOf(each, 'errors');
    if (Array.isArray(errors)) open.push(...errors.slice(0, MOST_ERRORS));
  }
  return false;
}

function isOutage(error: unknown): boolean {
  const code = fieldOf(error, 'code');
  if (SYSTEM_CODES.has(code) || BROKER_CODES.has(code)) return true;
  if (typeof code === 'string' && code.length === SQLSTATE_LENGTH)
    return DATABASE_STATE.test(code) || FATAL.has(fieldOf(error, 'severity'));
  const name = fieldOf(error, 'name');
  if (name === BROKER_REFUSAL && isApiError(error))
    return isTemporary(error.code, Number(fieldOf(error, 'status')));
  if (name === 'TimeoutError') return code !== OWN_TIMEOUT;
  return BROKER_ERRORS.has(name) || (code === undefined && UNCODED.has(fieldOf(error, 'message')));
}

const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * The wait before the next attempt, in milliseconds: half as long as the outage has lasted, from 1 s to 60 s, and a quarter more or less so that
 * waiting tasks do not all return at once.
 * @param random a number from [0, 1), by default `Math.random()`
 */
export function outagePauseMs(lastedMs: number, random: () => number = Math.random): number {
  const pause = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, lastedMs / 2));
  return Math.round(pause * (0.75 + random() / 2));
}
