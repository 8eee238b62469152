/**
 * Recognises failures of NATS and JetStream by codes and names. The client library may be installed in several versions, so `instanceof`
 * is not reliable; and message texts change.
 */

/** The codes of JetStream's API (`err_code`) that this package depends on. */
export const ServerCode = {
  AccountResourcesExceeded: 10_002,
  /** Of the servers too few are there for the copies of a stream. */
  ClusterNoPeers: 10_005,
  ClusterNotAvailable: 10_008,
  ConsumerNotFound: 10_014,
  InsufficientResources: 10_023,
  MemoryExceeded: 10_028,
  MessageNotFound: 10_037,
  SequenceNotFound: 10_043,
  StorageExceeded: 10_047,
  StreamMessageDeleteFailed: 10_057,
  StreamNotFound: 10_059,
  /** `Nats-Expected-Last-Subject-Sequence` was not met. */
  WrongLastSequence: 10_071,
  /** The message cannot be stored, because the stream or the disk is full. */
  StoreFailed: 10_077,
  RollUpRefused: 10_111,
  /** With replicas: another message with this id is on its way into the stream, and may still fail. */
  DuplicateInProcess: 10_158,
  /** With replicas: the last sequence of the subject is not known yet. */
  ExpectedSequenceNotReady: 10_163,
  /** With replicas: another message to this subject is on its way into the stream, so the expected sequence does not hold. */
  WriteInProcess: 10_164,
  TooManyRequests: 10_167,
} as const;

/** Statuses of replies, after HTTP's. */
export const ServerStatus = {
  EndOfBatch: 204,
  NotFound: 404,
  TooMany: 429,
  ServerFailure: 500,
  /** No JetStream listens, or it is short of resources. */
  Unavailable: 503,
} as const;

/** Temporary, although their status is that of a client's mistake. */
const TEMPORARY: ReadonlySet<number | undefined> = new Set([
  ServerCode.AccountResourcesExceeded,
  ServerCode.DuplicateInProcess,
]);
/** Permanent, although their status is that of a server's failure. */
const PERMANENT: ReadonlySet<number | undefined> = new Set([ServerCode.RollUpRefused]);
const FIRST_API_CODE = 10_000;
const NO_RESPONDERS: ReadonlySet<unknown> = new Set(['NoResponders', 'NoRespondersError']);
const TIMEOUT: ReadonlySet<unknown> = new Set(['TimeoutError']);
const DEEPEST_CAUSE = 4;

/** A response of JetStream's API that refuses the request; with `code`, for that reason. */
export function isApiError(error: unknown, code?: number): error is Error & { readonly code: number } {
  const found = fieldOf(error, 'code');
  if (typeof found !== 'number' || found < FIRST_API_CODE) return false;
  return code === undefined || found === code;
}

/** Whether a refusal may pass: JetStream has no leader, no room, or too much to do. @param status after HTTP's */
export function isTemporary(code: number | undefined, status: number): boolean {
  if (PERMANENT.has(code)) return false;
  return TEMPORARY.has(code) || status === ServerStatus.TooMany || status >= ServerStatus.ServerFailure;
}

/** No subscription exists on the subject of a request. The client reports it directly, or as the cause of another error. */
export function isNoResponders(error: unknown): boolean {
  return isNamed(error, NO_RESPONDERS);
}

/** A request was not answered in time. */
export function isTimeout(error: unknown): boolean {
  return isNamed(error, TIMEOUT);
}

/** The error itself, or one of its causes. */
function isNamed(error: unknown, names: ReadonlySet<unknown>): boolean {
  let inner = error;
  for (let depth = 0; depth < DEEPEST_CAUSE; depth++) {
    if (names.has(fieldOf(inner, 'name'))) return true;
    inner = fieldOf(inner, 'cause');
  }
  return false;
}

/** A conflict of a compare-and-set: the subject holds another message than expected. */
export function isConflict(error: unknown): boolean {
  return fieldOf(error, 'code') === 'publish_conflict';
}

/** The server refuses the request, because the user has no right to its subject. */
export function isRefused(error: unknown): boolean {
  return [error, fieldOf(error, 'cause')].some(
    (each) => fieldOf(each, 'name') === 'PermissionViolationError',
  );
}

/** Whether a message was stored is unknown: it was sent, and its answer never came. Publishing it again under the same id settles it. */
export function isUnconfirmed(error: unknown): boolean {
  return fieldOf(error, 'code') === 'publish_unconfirmed';
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
