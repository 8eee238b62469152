/** Meta's errors. Subcodes are looked at before codes: one code can mean opposite things. */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from '../errors.js';
import { retryAfterMs, type HttpReply } from '../http-client.js';

const errorSchema = z.object({
  error: z.object({
    code: z.number(),
    error_subcode: z.number().optional(),
    is_transient: z.boolean().optional(),
    fbtrace_id: z.string().optional(),
  }),
});

const SUBCODES = new Map<number, PlatformErrorKind>([
  ...kind('rate_limited', 1504022, 1504039, 2446079, 1487742),
  ...kind('auth_expired', 460, 463, 467),
  ...kind('too_much_data', 1504018, 1504038),
  ...kind('transient', 99, 1504043, 1504044, 2490547),
  ...kind('permanent', 1504041, 1504042),
]);

const CODES = new Map<number, PlatformErrorKind>([
  ...kind('rate_limited', 4, 17, 32, 613),
  ...kind('auth_expired', 102, 190),
  ...kind('permission', 3, 10),
  ...kind('transient', 1, 2, 960),
  ...kind('too_much_data', 500),
]);

/** The error that an answer is, or `undefined` when it is data. */
export function metaError(reply: HttpReply): PlatformError | undefined {
  const { error } = errorSchema.safeParse(reply.body).data ?? {};
  if (error === undefined) return reply.status < 400 ? undefined : httpError(reply);
  const code = error.error_subcode === undefined ? `${error.code}` : `${error.code}/${error.error_subcode}`;
  const waits = [retryAfterMs(reply.headers), ...usages(reply.headers).map((usage) => usage.regainMs)];
  const longest = Math.max(0, ...waits.map((wait) => wait ?? 0));
  return new PlatformError('meta', classify(error), `request refused (error ${code})`, {
    platformCode: code,
    requestId: error.fbtrace_id,
    retryAfterMs: longest > 0 ? longest : undefined,
  });
}

/** How long to leave an account alone that has used up nearly all of its quota, in milliseconds; 0 while there is room. */
export function quotaWaitMs(headers: Headers): number {
  const exhausted = usages(headers).filter((usage) => usage.percent >= QUOTA_LIMIT_PERCENT);
  return exhausted.length === 0 ? 0 : Math.max(QUOTA_WAIT_MS, ...exhausted.map((usage) => usage.regainMs));
}

const QUOTA_LIMIT_PERCENT = 95;
const QUOTA_WAIT_MS = 60_000;
const MINUTE_MS = 60_000;

const usageSchema = z.record(
  z.string(),
  z.array(
    z.object({
      call_count: z.number().default(0),
      total_cputime: z.number().default(0),
      total_time: z.number().default(0),
      /** In minutes. */
      estimated_time_to_regain_access: z.number().default(0),
    }),
  ),
);

function usages(headers: Headers): { percent: number; regainMs: number }[] {
  const text = headers.get('x-business-use-case-usage');
  if (text === null) return [];
  try {
    return Object.values(usageSchema.parse(JSON.parse(text)))
      .flat()
      .map((usage) => ({
        percent: Math.max(usage.call_count, usage.total_cputime, usage.total_time),
        regainMs: usage.estimated_time_to_regain_access * MINUTE_MS,
      }));
  } catch {
    return []; // Advice that cannot be read is no advice.
  }
}

function classify(error: z.infer<typeof errorSchema>['error']): PlatformErrorKind {
  const bySubcode = error.error_subcode === undefined ? undefined : SUBCODES.get(error.error_subcode);
  if (bySubcode !== undefined) return bySubcode;
  const { code } = error;
  if (code >= 80_000 && code <= 80_014) return 'rate_limited';
  if (code >= 200 && code <= 299) return 'permission';
  return CODES.get(code) ?? (error.is_transient === true ? 'transient' : 'permanent');
}

function httpError(reply: HttpReply): PlatformError {
  return new PlatformError('meta', reply.status >= 500 ? 'transient' : 'permanent', `HTTP ${reply.status}`, {
    platformCode: `HTTP ${reply.status}`,
    retryAfterMs: retryAfterMs(reply.headers),
  });
}

function kind(value: PlatformErrorKind, ...codes: number[]): [number, PlatformErrorKind][] {
  return codes.map((code) => [code, value]);
}
