/** Meta's errors. Subcodes are looked at before codes: one code can mean opposite things. */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from '../errors.js';
import { retryAfterMs, type HttpReply } from '../http-client.js';
import { quotaUse } from './quota.js';

const errorSchema = z.object({
  error: z.object({
    code: z.number(),
    error_subcode: z.number().optional(),
    message: z.string().default(''),
    is_transient: z.boolean().optional(),
    fbtrace_id: z.string().optional(),
  }),
});
type MetaFault = z.infer<typeof errorSchema>['error'];

/**
 * https://developers.facebook.com/docs/graph-api/guides/error-handling, …/marketing-api/error-reference, …/marketing-api/insights/error-codes.
 */
const SUBCODES = new Map<number, PlatformErrorKind>([
  ...kind('rate_limited', 1996, 1487742, 1504022, 1504039, 2446079),
  ...kind('auth_expired', 458, 459, 460, 463, 464, 467, 492),
  // "Does not exist, cannot be loaded due to missing permissions": one code for both.
  ...kind('permission', 33),
  ...kind('too_much_data', 1487534, 1504018, 1504038),
  ...kind('transient', 1504043, 1504044, 2490547),
  ...kind('permanent', 1504041, 1504042),
]);

const CODES = new Map<number, PlatformErrorKind>([
  ...kind('rate_limited', 4, 17, 32, 341, 613),
  ...kind('auth_expired', 102, 190),
  ...kind('permission', 3, 10),
  ...kind('transient', -1, -2, 2, 960),
  // 1 is "unknown error", and what a query gets that takes too long or answers too much: a smaller page is right for both.
  ...kind('too_much_data', 1, 500),
  ...kind('unsupported_version', 12, 2635),
]);

/** The advice has a dozen codes, and none of its own. */
const TOO_MUCH = /reduce the amount of data/i;

/** The error that an answer is, or `undefined` when it is data. */
export function metaError(reply: HttpReply): PlatformError | undefined {
  const { error } = errorSchema.safeParse(reply.body).data ?? {};
  if (error === undefined) return reply.status < 400 ? undefined : httpError(reply);
  const code = error.error_subcode === undefined ? `${error.code}` : `${error.code}/${error.error_subcode}`;
  const longest = Math.max(retryAfterMs(reply.headers) ?? 0, quotaUse(reply.headers).regainMs);
  const kindOfError = classify(error);
  const what =
    kindOfError === 'unsupported_version' ? 'the API version has ended' : `request refused (error ${code})`;
  return new PlatformError('meta', kindOfError, what, {
    platformCode: code,
    requestId: error.fbtrace_id,
    retryAfterMs: longest > 0 ? longest : undefined,
  });
}

function classify({
  code,
  error_subcode: subcode,
  message,
  is_transient: passes,
}: MetaFault): PlatformErrorKind {
  const bySubcode = subcode === undefined ? undefined : SUBCODES.get(subcode);
  if (bySubcode !== undefined) return bySubcode;
  if (TOO_MUCH.test(message)) return 'too_much_data';
  if (code >= 80_000 && code <= 80_014) return 'rate_limited';
  if (code >= 200 && code <= 299) return 'permission';
  return CODES.get(code) ?? (passes === true ? 'transient' : 'permanent');
}

function httpError(reply: HttpReply): PlatformError {
  const kindOfStatus =
    reply.status === 429 ? 'rate_limited' : reply.status >= 500 ? 'transient' : 'permanent';
  return new PlatformError('meta', kindOfStatus, `HTTP ${reply.status}`, {
    platformCode: `HTTP ${reply.status}`,
    retryAfterMs: retryAfterMs(reply.headers),
  });
}

function kind(value: PlatformErrorKind, ...codes: number[]): [number, PlatformErrorKind][] {
  return codes.map((code) => [code, value]);
}
