/** What the server's answer to a publish means: each is either certain, or a reason to ask again. */
import type { Msg } from '@nats-io/nats-core';
import { isTemporary, ServerCode, ServerStatus } from '../wire/server-errors.js';

/** Where the message was stored, or that it is a duplicate. */
export interface StoredAck {
  stream: string;
  sequence: number;
  duplicate: boolean;
}

export type PublishAnswer =
  | { kind: 'stored'; ack: StoredAck }
  /** Not stored: the subject's last message is not the expected one. */
  | { kind: 'conflict' }
  /** Not stored, and never will be as it is. */
  | { kind: 'refused'; reason: string }
  /** May pass if it is asked again. `isStored` is false where the server has certainly not stored it. */
  | { kind: 'again'; reason: string; isFull: boolean; isStored: 'no' | 'unknown' };

/** The stream, the account, the memory or the disk has no room for it. */
const FULL: ReadonlySet<number | undefined> = new Set([
  ServerCode.AccountResourcesExceeded,
  ServerCode.InsufficientResources,
  ServerCode.MemoryExceeded,
  ServerCode.StorageExceeded,
  ServerCode.StoreFailed,
]);
/** The server answers before it proposes the message to its replicas. */
const BEFORE_STORING: ReadonlySet<number | undefined> = new Set([
  ServerCode.AccountResourcesExceeded,
  ServerCode.ClusterNotAvailable,
  ServerCode.InsufficientResources,
  ServerCode.ExpectedSequenceNotReady,
  ServerCode.TooManyRequests,
]);

export function publishAnswer(reply: Msg): PublishAnswer {
  if (reply.headers?.code === ServerStatus.Unavailable)
    return { kind: 'again', reason: 'no stream answers', isFull: false, isStored: 'no' };
  const { error, stream, seq, duplicate } = parseJson(reply.string());
  if (error !== undefined) return refusal(error);
  if (stream === undefined || seq === undefined)
    return { kind: 'refused', reason: 'no stream listens there' };
  return { kind: 'stored', ack: { stream, sequence: seq, duplicate: duplicate === true } };
}

function refusal({ code = 0, err_code: errorCode, description }: ServerError): PublishAnswer {
  const reason = description ?? 'the server gave no reason';
  if (errorCode === ServerCode.WrongLastSequence || errorCode === ServerCode.WriteInProcess)
    return { kind: 'conflict' };
  if (!isTemporary(errorCode, code)) return { kind: 'refused', reason };
  const isStored = BEFORE_STORING.has(errorCode) ? 'no' : 'unknown';
  return { kind: 'again', reason, isFull: FULL.has(errorCode), isStored };
}

interface ServerError {
  code?: number;
  err_code?: number;
  description?: string;
}

/** Trusted and on the hot path, so it is not checked field by field. */
interface AckBody {
  stream?: string;
  seq?: number;
  duplicate?: boolean;
  error?: ServerError;
}

function parseJson(text: string): AckBody {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the server's own format, see AckBody
    return JSON.parse(text) as AckBody;
  } catch {
    return {};
  }
}
