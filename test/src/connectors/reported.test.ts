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
  platformCredentialsSchema,
  PlatformError,
  type CampaignRecord,
  type PlatformConnector,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';
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
): Promise<{ sandbox: Sandbox; connector: PlatformConnector }> {
  const sandbox = await startSandbox({
    now: () => new Date('2026-11-20T12:00:00Z'),
    campaignsPerAccount,
    pageSizeLimit: 5,
  });
  onTestFinished(() => sandbox.stop());
  const connector = createConnector({
    accountId: SIMULATIONS[platform].accountId('2000000001'),
    currency: 'USD',
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
      [400, { error: 'invalid_request' }, 'permanent'],
    ] as const) {
      sandbox.inject({ ...token, status, body });
      expect(await failureOf(campaignsOf(connector))).toMatchObject({ kind });
    }
    expect(await campaignsOf(connector)).toHaveLength(20);
  }
});

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
