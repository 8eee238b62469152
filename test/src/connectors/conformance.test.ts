/** Every connector against the sandbox: the same cases for all, and every fault. */
import { inspect } from 'node:util';
import {
  SIMULATIONS,
  startSandbox,
  type Fault,
  type Sandbox,
  type SandboxOptions,
  type Simulation,
} from '@stratum/sandbox';
import {
  adPlatform,
  createConnector,
  PLATFORM_NAMES,
  platformCredentialsSchema,
  PlatformError,
  type CampaignRecord,
  type CreativeMetricRecord,
  type CreativeRecord,
  type DailyMetricRecord,
  type PlatformConnector,
  type PlatformCredentials,
  type PlatformErrorKind,
  type PlatformName,
} from '@stratum/connectors/ad-platforms';
import { describe, expect, onTestFinished, test } from 'vitest';

/** A connector without a simulation does not compile. */
const SIMULATED: Readonly<Record<PlatformName, Simulation>> = SIMULATIONS;
const credentialsOf = (platform: PlatformName): PlatformCredentials =>
  platformCredentialsSchema.parse({ platform, ...SIMULATED[platform].credentials });
const SECRETS = Object.values(SIMULATED)
  .flatMap(({ credentials }) => Object.entries(credentials))
  .flatMap(([field, value]) => (field === 'clientId' ? [] : [value]));
/** Actions of the simulation that count leads, and others that would count them twice. */
const CHOSEN: Readonly<Record<PlatformName, { actions: readonly string[]; twice: readonly string[] }>> = {
  meta: { actions: ['lead'], twice: ['offsite_conversion.fb_pixel_lead'] },
  google: {
    actions: ['customers/1/conversionActions/6002'],
    twice: ['6002'],
  },
  tiktok: { actions: ['form'], twice: ['form'] },
  snapchat: { actions: ['conversion_sign_ups'], twice: ['conversion_sign_ups'] },
};
const WINDOW = { since: '2026-09-15', until: '2026-11-20' };
const RETRY_AFTER_MS = 120_000;

function accountId(platform: PlatformName, lastDigit = '1'): string {
  return SIMULATED[platform].accountId(`200000000${lastDigit}`);
}

interface Subject {
  sandbox: Sandbox;
  connector: PlatformConnector;
  account: string;
}

async function open(
  platform: PlatformName,
  options: SandboxOptions = {},
  lastDigit?: string,
  timeoutMs?: number,
  conversionActions?: readonly string[],
): Promise<Subject> {
  const sandbox = await startSandbox({
    now: () => new Date('2026-11-20T12:00:00Z'),
    pageSizeLimit: 7,
    ...options,
  });
  onTestFinished(() => sandbox.stop());
  const account = accountId(platform, lastDigit);
  const { currency } = sandbox.truth(platform, account, WINDOW.until, WINDOW.until);
  const connector = createConnector({
    accountId: account,
    currency,
    timeZone: 'UTC',
    credentials: credentialsOf(platform),
    endpoints: sandbox.endpoints,
    conversionActions,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return { sandbox, connector, account };
}

async function readCampaigns(
  connector: PlatformConnector,
  signal = new AbortController().signal,
): Promise<CampaignRecord[]> {
  const all: CampaignRecord[] = [];
  for await (const page of connector.listCampaigns({ signal })) all.push(...page);
  return all;
}

async function readMetrics(connector: PlatformConnector, window = WINDOW): Promise<DailyMetricRecord[]> {
  const all: DailyMetricRecord[] = [];
  for await (const page of connector.dailyMetrics(window, { signal: new AbortController().signal }))
    all.push(...page);
  return all;
}

async function failureOf(work: Promise<unknown>): Promise<PlatformError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PlatformError);
  if (!(error instanceof PlatformError)) throw new Error('The reading was expected to fail.');
  return error;
}

/** `"206.000000"` and `"206.00"` are the same amount. */
function amount(decimal: string | null): string | null {
  return decimal === null || !decimal.includes('.') ? decimal : decimal.replace(/\.?0+$/, '');
}

describe.each(PLATFORM_NAMES)('%s', (platform) => {
  test('describes an account', async () => {
    const { connector } = await open(platform, {}, '5');
    const { signal } = new AbortController();
    expect(await connector.describeAccount({ signal })).toEqual({
      name: 'Sandbox 0005',
      currency: 'EUR',
      timeZone: 'UTC',
    });
    const elsewhere = await open(platform, {}, '6');
    expect(await elsewhere.connector.describeAccount({ signal })).toMatchObject({
      currency: 'USD',
      timeZone: 'America/New_York',
    });
    elsewhere.sandbox.inject({ platform, kind: 'permission', times: 1 });
    expect(await failureOf(elsewhere.connector.describeAccount({ signal }))).toMatchObject({
      kind: 'permission',
    });
  });

  test('has the days of its account: at three in the morning of UTC it is still yesterday in New York', async () => {
    const now = (): Date => new Date('2026-11-20T03:00:00Z');
    const window = { since: '2026-11-17', until: '2026-11-20' };
    const { sandbox, account } = await open(platform, { now }, '6');
    const connector = createConnector({
      accountId: account,
      currency: 'USD',
      timeZone: 'America/New_York',
      credentials: credentialsOf(platform),
      endpoints: sandbox.endpoints,
    });
    const found = await readMetrics(connector, window);
    expect(new Set(found.map(({ date }) => date))).toEqual(
      new Set(['2026-11-17', '2026-11-18', '2026-11-19']),
    );
    const { metrics } = sandbox.truth(platform, account, window.since, window.until);
    for (const date of ['2026-11-17', '2026-11-18', '2026-11-19']) {
      const spent = found
        .filter((row) => row.date === date)
        .reduce((sum, { spend }) => sum + Number(spend), 0);
      const told = metrics
        .filter((row) => row.date === date)
        .reduce((sum, { spend }) => sum + Number(spend), 0);
      expect(spent).toBeCloseTo(told, 4);
    }
  });

  test('reads every campaign, over all pages', async () => {
    const { sandbox, connector, account } = await open(platform, { campaignsPerAccount: 60 });
    const campaigns = await readCampaigns(connector);
    const truth = sandbox.truth(platform, account, WINDOW.since, WINDOW.until).campaigns;
    const byId = (a: { id: string }, b: { id: string }): number => a.id.localeCompare(b.id);
    expect(campaigns.map(({ externalId, name }) => ({ id: externalId, name })).toSorted(byId)).toEqual(
      truth.map(({ id, name }) => ({ id, name })).toSorted(byId),
    );
    expect(truth.length).toBeGreaterThan(50);
  });

  test.each([
    ['two decimals', '1'],
    ['three decimals', '7'],
    ['no decimals', '9'],
  ])('reads every daily metric exactly, in a currency with %s', async (_label, lastDigit) => {
    const { sandbox, connector, account } = await open(platform, {}, lastDigit);
    const truth = sandbox.truth(platform, account, WINDOW.since, WINDOW.until).metrics;
    const expected = truth.map(({ leads: _leads, ...row }) => ({
      ...row,
      spend: amount(row.spend),
      revenue: amount(row.revenue),
      conversions: row.conversions === null ? null : String(row.conversions),
    }));
    const actual = (await readMetrics(connector)).map((row) => ({
      campaignId: row.campaignExternalId,
      date: row.date,
      impressions: row.impressions,
      clicks: row.clicks,
      spend: amount(row.spend),
      conversions: row.conversions,
      revenue: amount(row.revenue),
    }));
    const key = (row: { campaignId: string; date: string }): string => `${row.campaignId} ${row.date}`;
    const byKey = (
      a: { campaignId: string; date: string },
      b: { campaignId: string; date: string },
    ): number => key(a).localeCompare(key(b));
    expect(expected.length).toBeGreaterThan(200);
    expect(actual.toSorted(byKey)).toEqual(expected.toSorted(byKey));
  });

  test.each([
    ['two decimals', '1'],
    ['three decimals', '7'],
    ['cents that the platform may not count', '8'],
    ['no decimals', '9'],
  ])('reads and writes budgets in a currency with %s', async (_label, lastDigit) => {
    const { sandbox, connector, account } = await open(platform, {}, lastDigit);
    const { signal } = new AbortController();
    const budgets = async (): Promise<Map<string, number>> =>
      new Map((await readCampaigns(connector)).map((each) => [each.externalId, Number(each.dailyBudget)]));
    const truth = (): Map<string, number> =>
      new Map(
        sandbox
          .truth(platform, account, WINDOW.until, WINDOW.until)
          .campaigns.map((each) => [each.id, Number(each.dailyBudget)]),
      );
    expect(await budgets()).toEqual(truth());
    const [id = ''] = truth().keys();
    await connector.updateCampaign(id, { dailyBudget: '5000' }, { signal });
    expect(truth().get(id)).toBe(5_000);
    expect(await budgets()).toEqual(truth());
    const failure = await failureOf(connector.updateCampaign(id, { dailyBudget: '50.0000001' }, { signal }));
    expect(failure).toMatchObject({ kind: 'permanent', platformCode: 'invalid_amount' });
    expect(truth().get(id)).toBe(5_000);
  });

  test('refuses a currency whose unit nobody knows, in reading and in writing', async () => {
    const { sandbox, account } = await open(platform);
    const connector = createConnector({
      accountId: account,
      currency: 'ZZZ',
      timeZone: 'UTC',
      credentials: credentialsOf(platform),
      endpoints: sandbox.endpoints,
    });
    const [campaign] = sandbox.truth(platform, account, WINDOW.until, WINDOW.until).campaigns;
    const { signal } = new AbortController();
    for (const work of [
      () => readCampaigns(connector),
      () => connector.updateCampaign(campaign?.id ?? '', { dailyBudget: '5' }, { signal }),
    ])
      expect(await failureOf(work())).toMatchObject({
        kind: 'permanent',
        platformCode: 'unknown_currency',
        message: expect.stringContaining('"ZZZ"'),
      });
  });

  test('counts the conversion actions that the account has chosen', async () => {
    const { twice, actions } = CHOSEN[platform];
    const chosen = adPlatform(platform).parseConversionActions(actions);
    const { sandbox, connector, account } = await open(platform, {}, undefined, undefined, chosen);
    const window = { since: '2026-11-09', until: '2026-11-19' };
    const truth = sandbox.truth(platform, account, window.since, window.until);
    const byKey = (a: { key: string }, b: { key: string }): number => a.key.localeCompare(b.key);
    expect(
      (await readMetrics(connector, window))
        .map((row) => ({
          key: `${row.campaignExternalId} ${row.date}`,
          conversions: row.conversions,
          hasRevenue: Number(row.revenue) > 0,
        }))
        .toSorted(byKey),
    ).toEqual(
      truth.metrics
        .map(({ campaignId, date, leads }) => ({
          key: `${campaignId} ${date}`,
          conversions: String(leads),
          hasRevenue: false,
        }))
        .toSorted(byKey),
    );
    const ofAds: { key: string; conversions: number }[] = [];
    for await (const page of connector.creativeMetrics(window, { signal: new AbortController().signal }))
      for (const { creativeExternalId, date, conversions } of page)
        ofAds.push({ key: `${creativeExternalId} ${date}`, conversions: Number(conversions) });
    expect(ofAds.toSorted(byKey)).toEqual(
      truth.adMetrics
        .map(({ adId, date, leads }) => ({ key: `${adId} ${date}`, conversions: leads }))
        .toSorted(byKey),
    );
    expect(() => adPlatform(platform).parseConversionActions([...actions, ...twice])).toThrow(
      /twice|same event/,
    );
    expect(() => adPlatform(platform).parseConversionActions(['No Such Thing!'])).toThrow(
      /is no conversion action/,
    );
    expect(() => adPlatform(platform).parseConversionActions([])).toThrow(/At least one/);
  });

  test('reads every ad with its campaign and state, and its figures exactly', async () => {
    const { sandbox, connector, account } = await open(platform, { campaignsPerAccount: 12 });
    const { signal } = new AbortController();
    const window = { since: '2026-11-09', until: '2026-11-19' };
    const truth = sandbox.truth(platform, account, window.since, window.until);
    const ads: CreativeRecord[] = [];
    for await (const page of connector.listCreatives({ signal })) ads.push(...page);
    const shown = ads.map(({ externalId: id, campaignExternalId: campaignId, status }) => ({
      id,
      campaignId,
      isActive: status === 'active',
    }));
    const wanted = truth.ads.map(({ id, campaignId, status }) => ({
      id,
      campaignId,
      isActive: status === 'active',
    }));
    const listed = new Set(shown.map(({ id }) => id));
    // Archived ads may be left out.
    expect(new Set(shown)).toEqual(new Set(wanted.filter(({ id }) => listed.has(id))));
    expect(wanted.filter(({ id, isActive }) => isActive && !listed.has(id))).toEqual([]);
    expect(new Set(ads.map(({ name }) => name)).size).toBe(ads.length);
    expect(listed.size).toBeGreaterThan(20);

    const rows: CreativeMetricRecord[] = [];
    for await (const page of connector.creativeMetrics(window, { signal })) rows.push(...page);
    const byKey = (a: { key: string }, b: { key: string }): number => a.key.localeCompare(b.key);
    expect(
      rows
        .map(({ creativeExternalId, date, impressions, clicks, spend, conversions }) => ({
          key: `${creativeExternalId} ${date}`,
          impressions,
          clicks,
          spend: amount(spend),
          conversions: conversions === null ? null : Number(conversions),
        }))
        .toSorted(byKey),
    ).toEqual(
      truth.adMetrics
        .map(({ adId, date, impressions, clicks, spend, conversions }) => ({
          key: `${adId} ${date}`,
          impressions,
          clicks,
          spend: amount(spend),
          conversions,
        }))
        .toSorted(byKey),
    );
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.every(({ frequency }) => frequency === null || frequency >= 1)).toBe(true);
    expect(rows.some(({ frequency }) => frequency !== null)).toBe(platform !== 'google');
  });

  test('keeps to the window', async () => {
    const { connector } = await open(platform);
    const dates = new Set(
      (await readMetrics(connector, { since: '2026-11-03', until: '2026-11-05' })).map(({ date }) => date),
    );
    expect([...dates].toSorted()).toEqual(['2026-11-03', '2026-11-04', '2026-11-05']);
  });

  test('does not list a campaign that was removed', async () => {
    const { sandbox, connector, account } = await open(platform);
    const [first] = sandbox.truth(platform, account, WINDOW.since, WINDOW.until).campaigns;
    sandbox.removeCampaign(platform, account, first?.id ?? '');
    const listed = await readCampaigns(connector);
    expect(listed.map(({ externalId }) => externalId)).not.toContain(first?.id);
    expect(listed).not.toHaveLength(0);
  });

  const failures: [Fault['kind'], PlatformErrorKind][] = [
    ['rate_limit', 'rate_limited'],
    ['server_error', 'transient'],
    ['slow', 'transient'],
    ['broken_json', 'transient'],
    ['page_failure', 'transient'],
    ['permission', 'permission'],
    ['disconnect', 'transient'],
  ];
  test.each(failures)('fault %s is an error of kind %s, and gone when it is over', async (kind, expected) => {
    const { sandbox, connector } = await open(platform, {}, '1', kind === 'slow' ? 2_000 : undefined);
    const before = await readCampaigns(connector);
    sandbox.inject({ platform, kind, retryAfterMs: RETRY_AFTER_MS, delayMs: 4_000 });
    const error = await failureOf(readCampaigns(connector));
    expect(error.kind).toBe(expected);
    expect(error.retryable).toBe(expected !== 'permission');
    expect(error.unreachable).toBe(['slow', 'disconnect'].includes(kind));
    if (kind === 'rate_limit')
      expect(error.retryAfterMs).toBe(SIMULATED[platform].namesRetryDelay ? RETRY_AFTER_MS : undefined);
    expect(await readCampaigns(connector)).toEqual(before);
  });

  test('a page that fails halfway never looks like a short listing', async () => {
    const { sandbox, connector } = await open(platform, { campaignsPerAccount: 30 });
    sandbox.inject({ platform, kind: 'page_failure', afterRequests: 1 });
    await failureOf(readCampaigns(connector));
    sandbox.clearFaults();
    expect(await readCampaigns(connector)).toHaveLength(30);
  });

  test('an expired token is refreshed, or reported where it cannot be', async () => {
    const { sandbox, connector } = await open(platform);
    const before = await readCampaigns(connector);
    sandbox.inject({ platform, kind: 'expired_token' });
    if (SIMULATED[platform].refreshesTokens) {
      expect(await readCampaigns(connector)).toEqual(before);
    } else {
      const error = await failureOf(readCampaigns(connector));
      expect(error).toMatchObject({ kind: 'auth_expired', retryable: false });
    }
  });

  test('a token that stays refused is reported', async () => {
    const { sandbox, connector } = await open(platform);
    sandbox.inject({ platform, kind: 'expired_token', times: null });
    expect(await failureOf(readCampaigns(connector))).toMatchObject({
      kind: 'auth_expired',
      retryable: false,
    });
  });

  test('wrong credentials are reported, and no error contains a secret', async () => {
    const { sandbox } = await open(platform);
    const wrong = platformCredentialsSchema.parse(
      JSON.parse(
        JSON.stringify(credentialsOf(platform)).replaceAll(
          /"(accessToken|refreshToken)":"sandbox/g,
          '"$1":"wrong',
        ),
      ),
    );
    const connector = createConnector({
      accountId: accountId(platform),
      currency: 'USD',
      timeZone: 'UTC',
      credentials: wrong,
      endpoints: sandbox.endpoints,
    });
    const error = await failureOf(readCampaigns(connector));
    expect(error.kind).toBe('auth_expired');
    const told = inspect(error, { depth: null, showHidden: true });
    for (const secret of [...SECRETS, 'wrong-']) expect(told).not.toContain(secret);
  });

  test('an aborted reading ends with the reason', async () => {
    const { sandbox, connector } = await open(platform);
    sandbox.inject({ platform, kind: 'slow', times: null, delayMs: 300 });
    const controller = new AbortController();
    const reading = readCampaigns(connector, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test('an unreachable server is a transient error of its own kind', async () => {
    const { sandbox, connector } = await open(platform);
    await sandbox.stop();
    expect(await failureOf(readCampaigns(connector))).toMatchObject({
      kind: 'transient',
      retryable: true,
      unreachable: true,
    });
  });
});
