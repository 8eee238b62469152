/** Google Ads' errors. `searchStream` wraps them in an array; both forms are understood. */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from '../errors.js';
import { retryAfterMs, type HttpReply } from '../http-client.js';

const failureSchema = z.object({
  requestId: z.string().optional(),
  errors: z
    .array(
      z.object({
        errorCode: z.record(z.string(), z.string()).default({}),
        details: z
          .object({ quotaErrorDetails: z.object({ retryDelay: z.string().optional() }).optional() })
          .optional(),
      }),
    )
    .default([]),
});

const errorSchema = z.object({
  error: z.object({
    code: z.number(),
    status: z.string().optional(),
    details: z.array(failureSchema).default([]),
  }),
});

const KINDS: Readonly<Record<string, Readonly<Record<string, PlatformErrorKind>>>> = {
  quotaError: {
    RESOURCE_EXHAUSTED: 'rate_limited',
    RESOURCE_TEMPORARILY_EXHAUSTED: 'rate_limited',
    EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION: 'rate_limited',
    EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION: 'rate_limited',
  },
  authenticationError: {
    OAUTH_TOKEN_EXPIRED: 'auth_expired',
    OAUTH_TOKEN_INVALID: 'auth_expired',
    OAUTH_TOKEN_REVOKED: 'auth_expired',
    OAUTH_TOKEN_DISABLED: 'auth_expired',
  },
  internalError: {
    TRANSIENT_ERROR: 'transient',
    INTERNAL_ERROR: 'transient',
    DEADLINE_EXCEEDED: 'transient',
  },
};

/** The error that an answer is, or `undefined` when it is data. */
export function googleError(reply: HttpReply): PlatformError | undefined {
  if (reply.status < 400) return undefined;
  const body: unknown = Array.isArray(reply.body) ? reply.body[0] : reply.body;
  const { error } = errorSchema.safeParse(body).data ?? {};
  const failures = error?.details ?? [];
  const errors = failures.flatMap((failure) => failure.errors);
  const codes = errors.flatMap(({ errorCode }) => Object.entries(errorCode));
  const known = codes.map(([family, code]) => KINDS[family]?.[code]).find((each) => each !== undefined);
  const delay = errors
    .map((each) => parseDuration(each.details?.quotaErrorDetails?.retryDelay))
    .find((each) => each !== undefined);
  const platformCode = codes[0]?.[1] ?? error?.status ?? `HTTP ${reply.status}`;
  return new PlatformError('google', known ?? byStatus(reply.status), `request refused (${platformCode})`, {
    platformCode,
    requestId: failures.find((failure) => failure.requestId !== undefined)?.requestId,
    retryAfterMs: delay ?? retryAfterMs(reply.headers),
  });
}

function byStatus(status: number): PlatformErrorKind {
  if (status === 429) return 'rate_limited';
  if (status === 401) return 'auth_expired';
  if (status === 403) return 'permission';
  return status === 409 || status >= 500 ? 'transient' : 'permanent';
}

/** `"30s"` in milliseconds. */
function parseDuration(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text ?? '');
  return match?.[1] === undefined ? undefined : Math.ceil(Number(match[1]) * 1000);
}
