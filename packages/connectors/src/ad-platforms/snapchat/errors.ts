/** Snapchat's errors: the HTTP status says what they mean. https://developers.snap.com/api/marketing-api/Ads-API/errors */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from '../errors.js';
import { retryAfterMs, type HttpReply } from '../http-client.js';

const errorSchema = z.object({
  request_status: z.string(),
  request_id: z.string().optional(),
  error_code: z.string().optional(),
});

const STATUSES = new Map<number, PlatformErrorKind>([
  [401, 'auth_expired'],
  [403, 'permission'],
  [408, 'transient'],
  [409, 'transient'],
  [410, 'unsupported_version'],
  [413, 'too_much_data'],
  [429, 'rate_limited'],
]);

/** The error that an answer is, or `undefined` when it is data. */
export function snapchatError(reply: HttpReply): PlatformError | undefined {
  const body = errorSchema.safeParse(reply.body).data;
  if (reply.status < 400 && body?.request_status.toUpperCase() !== 'ERROR') return undefined;
  const kind = kindOf(reply.status);
  const code = body?.error_code ?? `HTTP ${reply.status}`;
  const message = kind === 'unsupported_version' ? 'the API version has ended' : `request refused (${code})`;
  return new PlatformError('snapchat', kind, message, {
    platformCode: code,
    httpStatus: reply.status,
    requestId: body?.request_id,
    retryAfterMs: retryAfterMs(reply.headers),
  });
}

/** Whether it says that a thing is not there (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof PlatformError && error.httpStatus === 404;
}

function kindOf(status: number): PlatformErrorKind {
  // An error with the status of a success is a fault of theirs.
  return STATUSES.get(status) ?? (status >= 500 || status < 400 ? 'transient' : 'permanent');
}
