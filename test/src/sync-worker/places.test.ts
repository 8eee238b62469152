/** Attempts of a sync that go on where the one before came to. */
import { syncCampaignData } from '@stratum/shared';
import type { PlatformName } from '@stratum/connectors/ad-platforms';
import { expect, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openSync, TODAY, type SyncSetup } from './fixture.js';

const PAGE = 5;
const CAMPAIGNS = 12;
const RUNS =
  'SELECT outcome, campaigns_read, metric_rows_read, campaigns_removed FROM sync_run WHERE task_id = $1 ORDER BY id';

/** The platforms whose listings can be continued, the path of their figures, and how the same path is asked before the figures. */
const PLACES = [
  { platform: 'meta', listing: '/campaigns', figures: '/insights', before: 0 },
  { platform: 'google', listing: 'googleAds', figures: 'googleAds', before: Math.ceil(CAMPAIGNS / PAGE) },
  { platform: 'tiktok', listing: '/campaign/get', figures: '/report', before: 0 },
] as const;

/** What each platform says of a cursor that it does not know. */
const REFUSALS = {
  meta: [400, { error: { message: 'Invalid cursor', type: 'OAuthException', code: 100 } }],
  google: [
    400,
    { error: { code: 400, details: [{ errors: [{ errorCode: { requestError: 'EXPIRED_PAGE_TOKEN' } }] }] } },
  ],
  tiktok: [200, { code: 40002, message: 'page: out of range', request_id: '1' }],
} as const;

const LIMIT = { kind: 'rate_limit', retryAfterMs: 3_000 } as const;
/** Its own header counts in minutes. */
const META_LIMIT = {
  kind: 'answer',
  status: 400,
  headers: { 'retry-after': '3' },
  body: { error: { message: 'Application request limit reached', type: 'OAuthException', code: 4 } },
} as const;

interface Fixture extends SyncSetup {
  account: string;
  /** Starts a sync whose request meets a rate limit: the next attempt begins when its wait is over. */
  interrupted: (path: string, afterRequests: number) => Promise<string>;
  /** Days and spend that are stored. */
  stored: () => Promise<{ rows: number; spend: number }>;
}

async function open(platform: PlatformName): Promise<Fixture> {
  const setup = await openSync({ pageSizeLimit: PAGE, campaignsPerAccount: CAMPAIGNS });
  const { owner } = setup.database;
  const { rows } = await owner.query<{ external_id: string }>(
    'SELECT external_id FROM platform_account WHERE tenant_id = 1 AND platform = $1',
    [platform],
  );
  return {
    ...setup,
    account: rows[0]?.external_id ?? '',
    interrupted: async (path, afterRequests) => {
      setup.sandbox.inject({ platform, path, afterRequests, ...(platform === 'meta' ? META_LIMIT : LIMIT) });
      const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform });
      setup.startWorker();
      await waitFor('the first attempt', async () => (await setup.client.status(id))?.state === 'RETRY');
      return id;
    },
    stored: async () => {
      const found = await owner.query<{ rows: number; spend: number }>(
        'SELECT count(*)::int AS rows, sum(spend)::float8 AS spend FROM campaign_metric_daily',
      );
      return found.rows[0] ?? { rows: 0, spend: 0 };
    },
  };
}

/** What the platform would say of the window to a reading in one piece. */
function truthOf({ sandbox, account }: Fixture, platform: PlatformName): { rows: number; spend: number } {
  const { metrics } = sandbox.truth(platform, account, '2026-10-20', TODAY);
  const since = platform === 'google' ? '2026-10-21' : '2026-10-23';
  const inWindow = metrics.filter(({ date }) => date >= since);
  return {
    rows: inWindow.length,
    spend: inWindow.reduce((sum, row) => sum + Math.round(Number(row.spend) * 1e6), 0) / 1e6,
  };
}

test.each(PLACES)(
  'figures of $platform are read on from the page that failed',
  async ({ platform, figures, before }) => {
    const fixture = await open(platform);
    const id = await fixture.interrupted(figures, before + 6);
    expect(await fixture.client.result(id)).toMatchObject({ state: 'SUCCESS' });
    const truth = truthOf(fixture, platform);
    const { rows } = await fixture.database.owner.query(RUNS, [id]);
    expect(rows).toMatchObject([
      { outcome: 'failed', campaigns_read: expect.any(Number), metric_rows_read: 6 * PAGE },
      { outcome: 'succeeded', campaigns_read: 0, metric_rows_read: truth.rows - 6 * PAGE },
    ]);
    expect(await fixture.stored()).toEqual(truth);
  },
);

test.each(PLACES)(
  'a listing of $platform is read on, and shows nothing as removed until one was read in one piece',
  async ({ platform, listing }) => {
    const fixture = await open(platform);
    const id = await fixture.interrupted(listing, 1);
    await fixture.database.owner.query(
      `INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
       SELECT tenant_id, id, 'gone', 'gone', 'active', 'x', currency, '2026-11-01' FROM platform_account WHERE tenant_id = 1 AND platform = $1`,
      [platform],
    );
    expect(await fixture.client.result(id)).toMatchObject({ state: 'SUCCESS' });
    const { rows } = await fixture.database.owner.query<{ campaigns_read: number }>(RUNS, [id]);
    expect(rows).toMatchObject([
      { outcome: 'failed', campaigns_read: PAGE },
      { outcome: 'succeeded', campaigns_removed: 0 },
    ]);
    const all = fixture.sandbox.truth(platform, fixture.account, TODAY, TODAY).campaigns.length;
    expect(rows.map(({ campaigns_read: read }) => read).reduce((a, b) => a + b, 0)).toBe(all);
    expect(await fixture.sync(platform)).toMatchObject({ result: { campaigns_removed: 1 } });
  },
);

test.each(PLACES)(
  'a place that $platform does not know any more begins the figures anew',
  async ({ platform, figures, before }) => {
    const fixture = await open(platform);
    const id = await fixture.interrupted(figures, before + 6);
    const [status, body] = REFUSALS[platform];
    fixture.sandbox.inject({ platform, kind: 'answer', path: figures, status, body });
    expect(await fixture.client.result(id)).toMatchObject({ state: 'SUCCESS' });
    const { rows } = await fixture.database.owner.query(RUNS, [id]);
    expect(rows.at(-1)).toMatchObject({ metric_rows_read: truthOf(fixture, platform).rows });
    expect(await fixture.stored()).toEqual(truthOf(fixture, platform));
  },
);

test('figures in two pieces whose sum is not the account’s are read once more', async () => {
  const fixture = await open('meta');
  const id = await fixture.interrupted('/insights', 6);
  // As if a row had moved from the second piece into the first.
  await fixture.database.owner.query(
    'DELETE FROM campaign_metric_daily WHERE (campaign_id, date) = (SELECT campaign_id, date FROM campaign_metric_daily WHERE spend > 0 ORDER BY date LIMIT 1)',
  );
  expect(await fixture.client.result(id)).toMatchObject({ state: 'SUCCESS' });
  expect(await fixture.stored()).toEqual(truthOf(fixture, 'meta'));
  const { rows } = await fixture.database.owner.query(
    `SELECT kind FROM alert WHERE kind = 'sync_total_differs'`,
  );
  expect(rows).toEqual([]);
});

test('an attempt of the next day begins anew', async () => {
  const fixture = await open('meta');
  const id = await fixture.interrupted('/insights', 6);
  fixture.sandbox.advance(1);
  expect(await fixture.client.result(id)).toMatchObject({ state: 'SUCCESS' });
  const { rows } = await fixture.database.owner.query<{ campaigns_read: number }>(RUNS, [id]);
  expect(rows.at(-1)?.campaigns_read).toBeGreaterThan(PAGE);
});
