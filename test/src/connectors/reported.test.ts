/**
 * Answers of platforms that people met, replayed. `reported/` has them as public bug reports and the vendors' pages show them: HTTP status and body, shortened.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SIMULATIONS, startSandbox, type Sandbox } from '@stratum/sandbox';
import {
  checkAccess,
  createConnector,
  PLATFORM_NAMES,
  platformCredentialsSchema,
  PlatformError,
  type CampaignRecord,
  type PlatformConnector,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';
import type { DateWindow } from '@stratum/connectors/values';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';

const answerSchema = z.object({ http_status: z.int(), body: z.unknown() });

async function reported(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`reported/${name}.json`, import.meta.url), 'utf8'));
}

async function answerOf(name: string): Promise<{ kind: 'answer'; status: number; body: unknown }> {
  const { http_status: status, body } = answerSchema.parse(await reported(name));
  return { kind: 'answer', status, body };
}

const { signal } = new AbortController();
const credentialsOf = (platform: PlatformName) =>
  platformCredentialsSchema.parse({ platform, ...SIMULATIONS[platform].credentials });

async function open(
  platform: PlatformName,
  campaignsPerAccount = 20,
  currency = 'USD',
): Promise<{ sandbox: Sandbox; connector: PlatformConnector }> {
  const sandbox = await startSandbox({
    now: () => new Date('2026-11-20T12:00:00Z'),
    campaignsPerAccount,
    pageSizeLimit: 5,
  });
  onTestFinished(() => sandbox.stop());
  const connector = createConnector({
    accountId: SIMULATIONS[platform].accountId('2000000001'),
    currency,
    timeZone: 'UTC',
    credentials: credentialsOf(platform),
    endpoints: sandbox.endpoints,
    quotaPauseMs: 1,
  });
  return { sandbox, connector };
}

async function campaignsOf(connector: PlatformConnector): Promise<CampaignRecord[]> {
  const all: CampaignRecord[] = [];
  for await (const page of connector.listCampaigns({ signal })) all.push(...page);
  return all;
}

/** By campaign and day; a row that comes twice counts once, as it is stored. */
async function figuresOf(connector: PlatformConnector, window: DateWindow): Promise<Map<string, string>> {
  const figures = new Map<string, string>();
  for await (const page of connector.dailyMetrics(window, { signal }))
    for (const row of page) figures.set(`${row.campaignExternalId}/${row.date}`, JSON.stringify(row));
  return figures;
}

const googleFailure = (family: string, code: string): unknown => ({
  error: { code: 400, details: [{ errors: [{ errorCode: { [family]: code } }] }] },
});

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('Meta asks for less: the same cursor is read in smaller pages', async () => {
  const { sandbox, connector } = await open('meta');
  sandbox.inject({ platform: 'meta', ...(await answerOf('meta-reduce-data')), times: 6, afterRequests: 1 });
  expect(await campaignsOf(connector)).toHaveLength(20);
  // From 100 on the limit halves: 50, 25, 12, 6, 3, 1; with nothing left to halve it is an error that passes.
  sandbox.inject({ platform: 'meta', ...(await answerOf('meta-reduce-data')), times: null });
  expect(await failureOf(campaignsOf(connector))).toMatchObject({ kind: 'too_much_data', retryable: true });
});

test('Meta’s quota is nearly used up: the reading goes on where it was', async () => {
  const { sandbox, connector } = await open('meta');
  const usage = { 1: [{ type: 'ads_management', call_count: 96, estimated_time_to_regain_access: 0 }] };
  const headers = { 'x-business-use-case-usage': JSON.stringify(usage) };
  sandbox.inject({ platform: 'meta', kind: 'answer', headers, times: null });
  const before = sandbox.requestCount('meta');
  expect(await campaignsOf(connector)).toHaveLength(20);
  expect(sandbox.requestCount('meta') - before).toBe(4);
});

test('Meta says an object is missing or not permitted: the account has to be connected again', async () => {
  const { sandbox, connector } = await open('meta');
  sandbox.inject({ platform: 'meta', ...(await answerOf('meta-100-33')) });
  expect(await failureOf(campaignsOf(connector))).toMatchObject({
    kind: 'permission',
    platformCode: '100/33',
  });
});

test('Google does not know a field: the version of the API is the fault', async () => {
  const { sandbox, connector } = await open('google');
  sandbox.inject({ platform: 'google', ...(await answerOf('google-unrecognized-field')) });
  expect(await failureOf(campaignsOf(connector))).toMatchObject({
    kind: 'unsupported_version',
    platformCode: 'UNRECOGNIZED_FIELD',
  });
});

test.each([
  ['HTTP 504', 504, { error: { code: 504, status: 'DEADLINE_EXCEEDED' } }],
  ['its own deadline', 400, googleFailure('internalError', 'DEADLINE_EXCEEDED')],
])('Google takes too long (%s): the same days are read in smaller windows', async (_, status, body) => {
  const { sandbox, connector } = await open('google', 8);
  const window = { since: '2026-11-01', until: '2026-11-19' };
  const whole = await figuresOf(connector, window);
  // The whole window and its first half; then three pages are read before the next refusal.
  sandbox.inject({ platform: 'google', kind: 'answer', status, body, times: 2 });
  sandbox.inject({ platform: 'google', kind: 'answer', status, body, afterRequests: 3 });
  expect(await figuresOf(connector, window)).toEqual(whole);
  expect(whole.size).toBeGreaterThan(50);
  // A single day has no half: that passes, later.
  sandbox.inject({ platform: 'google', kind: 'answer', status, body, times: null });
  expect(await failureOf(figuresOf(connector, window))).toMatchObject({
    kind: 'too_much_data',
    retryable: true,
  });
});

test('a fault of a token endpoint passes, a refused grant does not', async () => {
  for (const platform of ['google', 'snapchat'] as const) {
    const { sandbox, connector } = await open(platform);
    const token = { platform, path: 'oauth', kind: 'answer' } as const;
    sandbox.inject({ ...token, ...(await answerOf('google-oauth-internal-failure')) });
    expect(await failureOf(campaignsOf(connector))).toMatchObject({
      kind: 'transient',
      platformCode: 'internal_failure',
    });
    for (const error of ['invalid_grant', 'invalid_client', 'unauthorized_client']) {
      sandbox.inject({ ...token, status: 400, body: { error } });
      expect(await failureOf(campaignsOf(connector))).toMatchObject({
        kind: 'auth_expired',
        platformCode: error,
      });
    }
    for (const [status, body, kind] of [
      [400, { error: 'temporarily_unavailable' }, 'transient'],
      [403, { message: 'no error code' }, 'transient'],
      [429, { error: 'slow_down' }, 'rate_limited'],
      [429, '<html>Too many requests</html>', 'rate_limited'],
      [500, { error: 'server_error' }, 'transient'],
      [503, '<html>Service unavailable</html>', 'transient'],
      [503, { error: 'temporarily_unavailable' }, 'transient'],
      [400, { error: 'invalid_request' }, 'permanent'],
    ] as const) {
      sandbox.inject({ ...token, status, body });
      expect(await failureOf(campaignsOf(connector))).toMatchObject({ kind });
    }
    expect(await campaignsOf(connector)).toHaveLength(20);
  }
});

test.each(PLATFORM_NAMES)(
  '%s: a web page in place of an answer means what its status says',
  async (platform) => {
    const { sandbox, connector } = await open(platform);
    const page = { platform, kind: 'answer', body: '<html><h1>Please wait</h1></html>' } as const;
    const headers = { 'retry-after': '30' };
    sandbox.inject({ ...page, status: 429, headers });
    expect(await failureOf(campaignsOf(connector))).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 30_000,
    });
    for (const status of [500, 502, 503]) {
      sandbox.inject({ ...page, status });
      expect(await failureOf(campaignsOf(connector)), `HTTP ${status}`).toMatchObject({ kind: 'transient' });
    }
    // A proxy of the company’s own network asks for a password: that says nothing about the account.
    for (const status of [200, 401, 403, 407]) {
      sandbox.inject({ ...page, status });
      expect(await failureOf(campaignsOf(connector)), `HTTP ${status}`).toMatchObject({ kind: 'transient' });
    }
    expect(await campaignsOf(connector)).toHaveLength(20);
  },
);

test('a manager account of Google cannot be connected', async () => {
  const { sandbox } = await open('google');
  const options = {
    accountId: '9999000001',
    credentials: credentialsOf('google'),
    endpoints: sandbox.endpoints,
  };
  expect(await failureOf(checkAccess(options, signal))).toMatchObject({
    kind: 'permanent',
    message: expect.stringContaining('manager account'),
  });
});

test('a manager account of Google that was connected before says what to do', async () => {
  const { sandbox, connector } = await open('google');
  sandbox.inject({ platform: 'google', ...(await answerOf('google-manager')) });
  expect(await failureOf(campaignsOf(connector))).toMatchObject({
    kind: 'permanent',
    message: expect.stringContaining('connect the accounts beneath it'),
  });
});

const repliesSchema = z.record(z.string(), z.unknown());
const DAY = { since: '2026-11-24', until: '2026-11-24' };

test('Meta reports the spend of a campaign that no listing shows', async () => {
  const { sandbox, connector } = await open('meta');
  const { 'GET campaigns': campaigns, 'GET insights': insights } = repliesSchema.parse(
    await reported('meta-archived-spend'),
  );
  sandbox.inject({ platform: 'meta', kind: 'answer', path: '/campaigns', body: campaigns });
  sandbox.inject({ platform: 'meta', kind: 'answer', path: '/insights', body: insights });
  expect(await campaignsOf(connector)).toMatchObject([{ externalId: '1' }]);
  const figures = [...(await figuresOf(connector, DAY)).values()].map((row): unknown => JSON.parse(row));
  expect(figures).toMatchObject([
    { campaignExternalId: '1', spend: '10.00', impressions: 100 },
    { campaignExternalId: '2', spend: '90.00', impressions: 900 },
  ]);
});

// Of Meta’s own table: the offset is 1 for these, and 100 for all others, whatever ISO 4217 says.
test.each([
  ['HUF', '25000'],
  ['TWD', '25000'],
  ['COP', '25000'],
  ['JPY', '25000'],
  ['USD', '250.00'],
  ['BHD', '250.00'],
  ['JOD', '250.00'],
])('Meta’s budget of 25000 in %s is %s', async (currency, budget) => {
  const { sandbox, connector } = await open('meta', 20, currency);
  const { campaigns } = repliesSchema.parse(await reported('meta-budget-huf'));
  sandbox.inject({ platform: 'meta', kind: 'answer', path: '/campaigns', body: campaigns });
  const [campaign] = await campaignsOf(connector);
  expect(Number(campaign?.dailyBudget)).toBe(Number(budget));
});

test('Snapchat has deleted a campaign since it was listed: the others keep their figures', async () => {
  const { sandbox, connector } = await open('snapchat', 6);
  const window = { since: '2026-11-10', until: '2026-11-19' };
  const idsOf = (figures: ReadonlyMap<string, string>): Set<string> =>
    new Set([...figures.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
  const whole = idsOf(await figuresOf(connector, window));
  const noBreakdown = { request_status: 'ERROR', error_code: 'E1001', debug_message: 'breakdown' };
  const account = SIMULATIONS.snapchat.accountId('2000000001');
  const ofAccount = `/adaccounts/${account}/stats`;
  sandbox.inject({ platform: 'snapchat', kind: 'answer', path: ofAccount, status: 400, body: noBreakdown });
  const [gone = ''] = whole;
  const path = `/campaigns/${gone}/stats`;
  sandbox.inject({ platform: 'snapchat', ...(await answerOf('snapchat-campaign-404')), path });
  const left = idsOf(await figuresOf(connector, window));
  expect(left).toEqual(new Set([...whole].filter((id) => id !== gone)));
  expect(left.size).toBeGreaterThan(0);
});

/** A platform that answers each request with the next of these bodies, and with the last for ever. */
async function scripted(bodies: readonly unknown[]): Promise<{ url: string; count: () => number }> {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    const body = request.url?.endsWith('/token')
      ? { access_token: 'token', expires_in: 3600 }
      : bodies[count++ % bodies.length];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a TCP server
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, count: () => count };
}

const metaPage = (after: string) => ({ data: [], paging: { cursors: { after }, next: 'more' } });
const snapchatPage = (cursor: string) => ({
  request_status: 'SUCCESS',
  paging: { next_link: `/page?cursor=${cursor}` },
  campaigns: [],
});
const tiktokPage = (page: number) => ({ code: 0, data: { list: [], page_info: { page, total_page: 99 } } });

test.each([
  ['meta', [metaPage('a'), metaPage('b')]],
  ['google', [{ nextPageToken: 'a' }, { nextPageToken: 'b' }]],
  ['tiktok', [tiktokPage(1), tiktokPage(2)]],
  ['snapchat', [snapchatPage('a'), snapchatPage('b')]],
] as const)('%s stops on cursors that alternate', async (platform, bodies) => {
  const { url, count } = await scripted(bodies);
  const { sandbox } = await open(platform);
  const connector = createConnector({
    accountId: SIMULATIONS[platform].accountId('2000000001'),
    currency: 'USD',
    timeZone: 'UTC',
    credentials: credentialsOf(platform),
    endpoints: {
      ...sandbox.endpoints,
      META_BASE_URL: url,
      GOOGLE_ADS_BASE_URL: url,
      GOOGLE_OAUTH_URL: `${url}/token`,
      TIKTOK_BASE_URL: url,
      SNAPCHAT_BASE_URL: url,
      SNAPCHAT_OAUTH_URL: `${url}/token`,
    },
  });
  const failure = await failureOf(campaignsOf(connector));
  expect(failure).toBeInstanceOf(PlatformError);
  expect(failure).toMatchObject({ kind: 'transient', platformCode: 'cursor_came_twice' });
  expect(count()).toBeLessThan(5);
});
