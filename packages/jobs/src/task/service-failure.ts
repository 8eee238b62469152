/** Tells an outside service that is away from a service that refuses, and from a task's own failure. */
import { fieldOf } from '../values/any-value.js';
import { SYSTEM_CODES } from './unreachable.js';

const REQUEST_TIMEOUT = 408;
const SERVER_ERROR = 500;
const LAST_STATUS = 599;
/** Properties in which clients of HTTP services give the status of an answer. */
const STATUS_FIELDS = ['status', 'statusCode', 'httpStatus'] as const;
/** Of the HTTP client in Node.js: no answer within its own limits. */
const SILENT_CODES: ReadonlySet<unknown> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
/** Chains of causes may be circular. */
const MOST_ERRORS = 16;

/**
 * Whether an error says that a service did not answer, or answered with a fault of its own: `unreachable: true`, a status of 408 or 500 to 599 in
 * `status`, `statusCode`, `httpStatus` or `response.status`, a code of a broken connection, or a `TimeoutError`; also of its causes. An error with
 * `retryable: false` is none, and neither is status 429, which limits one caller.
 */
export function isServiceFailure(error: unknown): boolean {
  if (fieldOf(error, 'retryable') === false) return false;
  let each = error;
  for (let depth = 0; depth < MOST_ERRORS && each !== undefined && each !== null; depth++) {
    if (saysSo(each)) return true;
    each = fieldOf(each, 'cause');
  }
  return false;
}

function saysSo(error: unknown): boolean {
  if (fieldOf(error, 'unreachable') === true) return true;
  const code = fieldOf(error, 'code');
  if (SYSTEM_CODES.has(code) || SILENT_CODES.has(code) || fieldOf(error, 'name') === 'TimeoutError')
    return true;
  return [
    ...STATUS_FIELDS.map((field) => fieldOf(error, field)),
    fieldOf(fieldOf(error, 'response'), 'status'),
  ].some(isFault);
}

function isFault(status: unknown): boolean {
  if (typeof status !== 'number') return false;
  return status === REQUEST_TIMEOUT || (status >= SERVER_ERROR && status <= LAST_STATUS);
}
