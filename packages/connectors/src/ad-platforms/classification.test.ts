/** What each answer of each platform means: less, later, never, or connect again. */
import { describe, expect, test } from 'vitest';
import { PlatformError, type PlatformErrorKind } from './errors.js';
import { googleError } from './google/errors.js';
import { metaError } from './meta/errors.js';
import { quotaUse } from './meta/quota.js';
import { snapchatError } from './snapchat/errors.js';
import { tiktokData } from './tiktok/errors.js';
import type { HttpReply } from './http-client.js';

const reply = (status: number, body: unknown, headers: Record<string, string> = {}): HttpReply => ({
  status,
  headers: new Headers(headers),
  body,
});

const REDUCE = "Please reduce the amount of data you're asking for, then retry your request";

describe('Meta', () => {
  const rows: [PlatformErrorKind, number, (number | undefined)?, string?][] = [
    ['too_much_data', 1, undefined, REDUCE],
    ['too_much_data', 1],
    ['too_much_data', 1, 99],
    ['too_much_data', 500],
    ['too_much_data', 100, 1487534],
    ['too_much_data', 100, 1504018],
    ['too_much_data', 2, 1504038],
    ['too_much_data', -3, undefined, REDUCE],
    ['rate_limited', 4],
    ['rate_limited', 4, 1504022],
    ['rate_limited', 17, 2446079],
    ['rate_limited', 32],
    ['rate_limited', 341],
    ['rate_limited', 613, 1487742],
    ['rate_limited', 80000],
    ['rate_limited', 80004],
    ['rate_limited', 80014],
    ['transient', 2],
    ['transient', 2, 1504044],
    ['transient', 960],
    ['auth_expired', 102],
    ['auth_expired', 190],
    ['auth_expired', 190, 460],
    ['auth_expired', 190, 463],
    ['permission', 3],
    ['permission', 10],
    ['permission', 200],
    ['permission', 299],
    ['permission', 100, 33],
    ['unsupported_version', 2635],
    ['unsupported_version', 12],
    ['permanent', 100],
    ['permanent', 2, 1504041],
    ['permanent', 368],
    ['permanent', 80015],
  ];
  test.each(rows)('%s: code %s, subcode %s', (kind, code, subcode, message = 'text') => {
    const body = { error: { message, type: 'OAuthException', code, error_subcode: subcode } };
    expect(metaError(reply(400, body))?.kind).toBe(kind);
    // The HTTP status says nothing.
    expect(metaError(reply(500, body))?.kind).toBe(kind);
  });

  test('an unknown code passes when Meta says so', () => {
    const body = { error: { message: 'text', code: 7777, is_transient: true } };
    expect(metaError(reply(400, body))?.kind).toBe('transient');
  });

  test.each([
    [
      'x-business-use-case-usage',
      {
        1: [
          { type: 'ads_insights', call_count: 12 },
          { total_time: 96, estimated_time_to_regain_access: 3 },
        ],
      },
      96,
      180_000,
    ],
    ['x-app-usage', { call_count: 97, total_time: 1, total_cputime: 1 }, 97, 0],
    ['x-ad-account-usage', { acc_id_util_pct: 98.5, reset_time_duration: 120 }, 98.5, 0],
    ['x-ad-account-usage', { acc_id_util_pct: 100, reset_time_duration: 120 }, 100, 120_000],
    ['x-fb-ads-insights-throttle', { app_id_util_pct: 95, acc_id_util_pct: 2 }, 95, 0],
    ['x-app-usage', 'no object', 0, 0],
  ])('the use of a quota is read from %s', (header, value, percent, regainMs) => {
    expect(quotaUse(new Headers({ [header]: JSON.stringify(value) }))).toEqual({ percent, regainMs });
  });
});

describe('Google', () => {
  const rows: [PlatformErrorKind, number, string, string][] = [
    ['rate_limited', 429, 'quotaError', 'RESOURCE_EXHAUSTED'],
    ['rate_limited', 429, 'quotaError', 'RESOURCE_TEMPORARILY_EXHAUSTED'],
    ['rate_limited', 400, 'quotaError', 'EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION'],
    ['permission', 403, 'quotaError', 'ACCESS_PROHIBITED'],
    ['auth_expired', 401, 'authenticationError', 'OAUTH_TOKEN_EXPIRED'],
    ['auth_expired', 401, 'authenticationError', 'OAUTH_TOKEN_REVOKED'],
    ['permission', 401, 'authenticationError', 'NOT_ADS_USER'],
    ['permission', 403, 'authorizationError', 'USER_PERMISSION_DENIED'],
    ['permission', 400, 'authorizationError', 'CUSTOMER_NOT_ENABLED'],
    ['transient', 500, 'internalError', 'INTERNAL_ERROR'],
    ['transient', 400, 'internalError', 'TRANSIENT_ERROR'],
    ['too_much_data', 400, 'internalError', 'DEADLINE_EXCEEDED'],
    ['too_much_data', 400, 'requestError', 'RPC_DEADLINE_TOO_SHORT'],
    ['transient', 400, 'databaseError', 'CONCURRENT_MODIFICATION'],
    ['transient', 400, 'requestError', 'EXPIRED_PAGE_TOKEN'],
    ['unsupported_version', 400, 'requestError', 'UNSUPPORTED_VERSION'],
    ['unsupported_version', 400, 'queryError', 'UNRECOGNIZED_FIELD'],
    ['permanent', 400, 'queryError', 'REQUESTED_METRICS_FOR_MANAGER'],
    ['permanent', 400, 'queryError', 'BAD_VALUE'],
    ['transient', 503, 'unknownError', 'UNKNOWN'],
  ];
  test.each(rows)('%s: HTTP %s, %s %s', (kind, status, family, code) => {
    const details = [{ errors: [{ errorCode: { [family]: code } }] }];
    expect(googleError(reply(status, { error: { code: status, details } }))?.kind).toBe(kind);
    // As streams wrap it.
    expect(googleError(reply(status, [{ error: { code: status, details } }]))?.kind).toBe(kind);
  });

  test.each([
    [404, undefined, 'unsupported_version'],
    [410, undefined, 'unsupported_version'],
    [403, undefined, 'permission'],
    [429, {}, 'rate_limited'],
    [409, {}, 'transient'],
    [502, {}, 'transient'],
    [504, {}, 'too_much_data'],
  ])('HTTP %s with the body %j is %s', (status, body, kind) => {
    expect(googleError(reply(status, body))?.kind).toBe(kind);
  });
});

describe('TikTok', () => {
  const kindOf = (status: number, body: unknown): PlatformErrorKind | undefined => {
    try {
      tiktokData(reply(status, body));
    } catch (error) {
      if (error instanceof PlatformError) return error.kind;
    }
    return undefined;
  };
  test.each([
    ['rate_limited', [40100]],
    ['transient', [40200, 40201, 40202, 40700, 50000, 50002, 51010, 60001]],
    ['auth_expired', [40101, 40102, 40104, 40105, 40110]],
    ['permission', [40001]],
    ['permanent', [40002, 40007]],
  ] as const)('%s: codes %j', (kind, codes) => {
    for (const code of codes) expect([code, kindOf(200, { code, message: '' })]).toEqual([code, kind]);
  });

  test.each([
    [429, 'rate_limited'],
    [404, 'unsupported_version'],
    [502, 'transient'],
    [400, 'permanent'],
  ] as const)('HTTP %s without an envelope is %s', (status, kind) => {
    expect(kindOf(status, undefined)).toBe(kind);
  });
});

test.each([
  [401, 'auth_expired'],
  [403, 'permission'],
  [404, 'permanent'],
  [409, 'transient'],
  [410, 'unsupported_version'],
  [413, 'too_much_data'],
  [429, 'rate_limited'],
  [500, 'transient'],
  [200, 'transient'],
] as const)('Snapchat: HTTP %s with an error is %s', (status, kind) => {
  const error = snapchatError(reply(status, { request_status: 'ERROR', error_code: 'E2002' }));
  expect(error).toMatchObject({ kind, platformCode: 'E2002' });
});
