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

/** Refusal of a manager account, which has no campaigns of its own. */
export const MANAGER_ACCOUNT =
  'this is a manager account: connect the accounts beneath it, with its number as loginCustomerId';

const QUOTA = 'rate_limited';
const RECONNECT = 'auth_expired';
const PASSING = 'transient';
const VERSION = 'unsupported_version';
/** An answer that takes Google too long is asked for in smaller windows. */
const LESS = 'too_much_data';

/** The `errors` of the published schema (google/ads/googleads/v26/errors); `*` is the rest of a family. */
const KINDS: Readonly<Record<string, Readonly<Record<string, PlatformErrorKind>>>> = {
  quotaError: {
    RESOURCE_EXHAUSTED: QUOTA,
    RESOURCE_TEMPORARILY_EXHAUSTED: QUOTA,
    EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION: QUOTA,
    EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION: QUOTA,
    ACCESS_PROHIBITED: 'permission',
  },
  authenticationError: {
    OAUTH_TOKEN_EXPIRED: RECONNECT,
    OAUTH_TOKEN_INVALID: RECONNECT,
    OAUTH_TOKEN_REVOKED: RECONNECT,
    OAUTH_TOKEN_DISABLED: RECONNECT,
    OAUTH_TOKEN_HEADER_INVALID: RECONNECT,
    AUTHENTICATION_ERROR: RECONNECT,
    GOOGLE_ACCOUNT_DELETED: RECONNECT,
    GOOGLE_ACCOUNT_AUTHORIZATION_FAILED: RECONNECT,
    LOGIN_COOKIE_REQUIRED: RECONNECT,
    NOT_ADS_USER: 'permission',
    CUSTOMER_NOT_FOUND: 'permission',
    TWO_STEP_VERIFICATION_NOT_ENROLLED: 'permission',
    ADVANCED_PROTECTION_NOT_ENROLLED: 'permission',
    ORGANIZATION_NOT_RECOGNIZED: 'permission',
    ORGANIZATION_NOT_APPROVED: 'permission',
  },
  // Of an account that was closed, a user that was removed, a developer token that was not approved: somebody has to act.
  authorizationError: { '*': 'permission' },
  internalError: {
    TRANSIENT_ERROR: PASSING,
    INTERNAL_ERROR: PASSING,
    DEADLINE_EXCEEDED: LESS,
    ERROR_CODE_NOT_PUBLISHED: PASSING,
  },
  databaseError: { CONCURRENT_MODIFICATION: PASSING },
  // The next attempt begins a listing of its own.
  requestError: {
    INVALID_PAGE_TOKEN: PASSING,
    EXPIRED_PAGE_TOKEN: PASSING,
    RPC_DEADLINE_TOO_SHORT: LESS,
    UNSUPPORTED_VERSION: VERSION,
  },
  queryError: {
    UNRECOGNIZED_FIELD: VERSION,
    PROHIBITED_RESOURCE_TYPE_IN_FROM_CLAUSE: VERSION,
    REQUESTED_METRICS_FOR_MANAGER: 'permanent',
  },
};

/** In place of "request refused" where more is known. */
const MESSAGES: Readonly<Record<string, string>> = {
  UNRECOGNIZED_FIELD: 'the API version does not know a field that this release reads',
  UNSUPPORTED_VERSION: 'the API version has ended',
  REQUESTED_METRICS_FOR_MANAGER: MANAGER_ACCOUNT,
};

/** The error that an answer is, or `undefined` when it is data. */
export function googleError(reply: HttpReply): PlatformError | undefined {
  if (reply.status < 400) return undefined;
  const body: unknown = Array.isArray(reply.body) ? reply.body[0] : reply.body;
  const { error } = errorSchema.safeParse(body).data ?? {};
  const failures = error?.details ?? [];
  const errors = failures.flatMap((failure) => failure.errors);
  const codes = errors.flatMap(({ errorCode }) => Object.entries(errorCode));
  const known = codes
    .map(([family, code]) => KINDS[family]?.[code] ?? KINDS[family]?.['*'])
    .find((each) => each !== undefined);
  const delay = errors
    .map((each) => parseDuration(each.details?.quotaErrorDetails?.retryDelay))
    .find((each) => each !== undefined);
  const platformCode = codes[0]?.[1] ?? error?.status ?? `HTTP ${reply.status}`;
  const message = MESSAGES[platformCode] ?? `request refused (${platformCode})`;
  return new PlatformError('google', known ?? byStatus(reply), message, {
    platformCode,
    httpStatus: reply.status,
    requestId: failures.find((failure) => failure.requestId !== undefined)?.requestId,
    retryAfterMs: delay ?? retryAfterMs(reply.headers),
  });
}

function byStatus({ status, body }: HttpReply): PlatformErrorKind {
  if (status === 429) return 'rate_limited';
  if (status === 401) return 'auth_expired';
  if (status === 403) return 'permission';
  // The page of a path that is not there any more: that of a version that has ended.
  if ((status === 404 && body === undefined) || status === 410) return 'unsupported_version';
  if (status === 504) return LESS;
  return status === 408 || status === 409 || status >= 500 ? 'transient' : 'permanent';
}

/** `"30s"` in milliseconds. */
function parseDuration(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text ?? '');
  return match?.[1] === undefined ? undefined : Math.ceil(Number(match[1]) * 1000);
}
