/** `sync_campaign_data` and `sync_all_campaigns` on the sandbox's data, through a real queue into a real database. */
import { handleTask, createWorker } from '@stratum/jobs';
import { assertEnqueued, assertSucceeded, runTask } from '@stratum/jobs/testing';
import {
  parseKeyRing,
  sealCredentials,
  syncAllCampaigns,
  syncCampaignData,
  withAdvisoryLock,
} from '@stratum/shared';
import { PLATFORM_NAMES, type PlatformName } from '@stratum/connectors/ad-platforms';
import { createSyncHandlers } from '@stratum/sync-worker';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openSync, TODAY, type SyncSetup } from './fixture.js';

/** Of the attribution window: 30 days on Google, 28 elsewhere. */
const firstSince = (platform: PlatformName): string => (platform === 'google' ? '2026-10-21' : '2026-10-23');

/** Everything that a sync writes, without times. */
async function stored({ database: { owner } }: SyncSetup, platform: PlatformName, tenantId = 1) {
  const campaigns = await owner.query(
    `SELECT campaign.external_id, campaign.name, campaign.status, campaign.currency, removed_at IS NOT NULL AS removed
     FROM campaign JOIN platform_account AS account ON (account.tenant_id, account.id) = (campaign.tenant_id, campaign.account_id)
     WHERE platform = $1 AND campaign.tenant_id = $2 ORDER BY 1`,
    [platform, tenantId],
  );
  const metrics = await owner.query<{
    external_id: string;
    date: string;
    spend: string;
    impressions: string;
    version: string;
  }>(
    `SELECT campaign.external_id, date::text, trim_scale(spend)::text AS spend, impressions, metric.xmin::text AS version
     FROM campaign_metric_daily AS metric
     JOIN campaign ON (campaign.tenant_id, campaign.id) = (metric.tenant_id, metric.campaign_id)
     JOIN platform_account AS account ON (account.tenant_id, account.id) = (campaign.tenant_id, campaign.account_id)
     WHERE platform = $1 AND campaign.tenant_id = $2 ORDER BY 1, 2`,
    [platform, tenantId],
  );
  return { campaigns: campaigns.rows, metrics: metrics.rows };
}

async function accountOf({ database: { owner } }: SyncSetup, platform: PlatformName): Promise<string> {
  const { rows } = await owner.query<{ external_id: string }>(
    'SELECT external_id FROM platform_account WHERE tenant_id = 1 AND platform = $1',
    [platform],
  );
  return rows[0]?.external_id ?? '';
}

const plain = (decimal: string): string => (decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal);

describe.each(PLATFORM_NAMES)('a sync of %s', (platform) => {
  test('stores the platform’s numbers, to the last digit', async () => {
    const setup = await openSync();
    setup.startWorker();
    const record = await setup.sync(platform);
    const truth = setup.sandbox.truth(
      platform,
      await accountOf(setup, platform),
      firstSince(platform),
      TODAY,
    );
    expect(record).toMatchObject({
      state: 'SUCCESS',
      result: {
        tenant_id: 1,
        platform,
        accounts: 1,
        campaigns_read: truth.campaigns.length,
        campaigns_updated: truth.campaigns.length,
        campaigns_removed: 0,
        metric_rows_read: truth.metrics.length,
        metric_rows_written: truth.metrics.length,
        window: { since: firstSince(platform), until: TODAY },
      },
    });
    const key = (row: { id: string; date: string }): string => `${row.id} ${row.date}`;
    const expected = truth.metrics.map((row) => ({
      id: row.campaignId,
      date: row.date,
      spend: plain(row.spend),
      impressions: String(row.impressions),
    }));
    const { metrics } = await stored(setup, platform);
    const actual = metrics.map((row) => ({
      id: row.external_id,
      date: row.date,
      spend: row.spend,
      impressions: row.impressions,
    }));
    expect(actual.toSorted((a, b) => key(a).localeCompare(key(b)))).toEqual(
      expected.toSorted((a, b) => key(a).localeCompare(key(b))),
    );
  });

  test('that runs twice changes nothing the second time', async () => {
    const setup = await openSync();
    setup.startWorker();
    await setup.sync(platform);
    const before = await stored(setup, platform);
    const record = await setup.sync(platform);
    expect(record.result).toMatchObject({
      campaigns_updated: 0,
      campaigns_removed: 0,
      metric_rows_written: 0,
    });
    expect(await stored(setup, platform)).toEqual(before);
  });
});

describe('a sync', () => {
  test('reads restated days again and stores the changes', async () => {
    const setup = await openSync();
    setup.startWorker();
    await setup.sync('meta');
    setup.sandbox.advance(1);
    const record = await setup.sync('meta');
    // The first sync of a day reaches over the attribution window of 28 days, the next ones over the 7 days that are restated soon.
    expect(record.result).toMatchObject({ window: { since: '2026-10-24', until: '2026-11-21' } });
    expect((await setup.sync('meta')).result).toMatchObject({
      window: { since: '2026-11-14', until: '2026-11-21' },
    });
    const truth = setup.sandbox.truth('meta', await accountOf(setup, 'meta'), '2026-11-13', '2026-11-21');
    const { rows } = await setup.database.owner.query<{ conversions: string; revenue: string }>(
      `SELECT trim_scale(sum(conversions))::text AS conversions, trim_scale(sum(revenue))::text AS revenue FROM campaign_metric_daily WHERE date >= '2026-11-13'`,
    );
    const cents = truth.metrics.reduce((sum, row) => sum + BigInt((row.revenue ?? '0').replace('.', '')), 0n);
    expect(rows[0]).toEqual({
      conversions: String(truth.metrics.reduce((sum, row) => sum + (row.conversions ?? 0), 0)),
      revenue: plain(`${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`),
    });
  });

  test('counts what the account has chosen, over the whole attribution window; what nobody knows is NULL', async () => {
    const setup = await openSync();
    setup.startWorker();
    const window = { since: '2026-10-23', until: TODAY };
    const { metrics } = setup.sandbox.truth(
      'meta',
      await accountOf(setup, 'meta'),
      window.since,
      window.until,
    );
    const counted = async (): Promise<unknown> => {
      const { rows } = await setup.database.owner.query(
        `SELECT count(*)::int AS days, count(*) FILTER (WHERE m.conversions IS NULL)::int AS unknown, sum(m.conversions)::float8 AS conversions
         FROM campaign_metric_daily m JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
         JOIN platform_account a ON a.tenant_id = c.tenant_id AND a.id = c.account_id WHERE a.platform = 'meta' AND m.date >= $1`,
        [window.since],
      );
      return rows[0];
    };
    await setup.sync('meta');
    const unknown = metrics.filter(({ conversions }) => conversions === null).length;
    expect(unknown).toBeGreaterThan(0);
    expect(await counted()).toEqual({
      days: metrics.length,
      unknown,
      conversions: metrics.reduce((sum, { conversions }) => sum + (conversions ?? 0), 0),
    });
    await setup.database.owner.query(
      `UPDATE platform_account SET conversion_actions = '{lead}', attributed_at = NULL WHERE platform = 'meta'`,
    );
    expect((await setup.sync('meta')).result).toMatchObject({ window });
    expect(await counted()).toEqual({
      days: metrics.length,
      unknown: 0,
      conversions: metrics.reduce((sum, { leads }) => sum + leads, 0),
    });
  });

  test('marks a campaign that is gone, and takes it back when it shows again', async () => {
    const setup = await openSync();
    setup.startWorker();
    await setup.sync('google');
    const account = await accountOf(setup, 'google');
    const [gone] = setup.sandbox.truth('google', account, TODAY, TODAY).campaigns;
    setup.sandbox.removeCampaign('google', account, gone?.id ?? '');
    expect((await setup.sync('google')).result).toMatchObject({ campaigns_removed: 1 });
    const { campaigns } = await stored(setup, 'google');
    expect(campaigns.filter(({ removed }) => removed)).toEqual([
      expect.objectContaining({ external_id: gone?.id, status: 'removed' }),
    ]);
    await setup.database.owner.query(
      `UPDATE campaign SET removed_at = now(), status = 'removed' WHERE removed_at IS NULL`,
    );
    expect((await setup.sync('google')).result).toMatchObject({ campaigns_updated: campaigns.length - 1 });
  });

  test('whose listing fails halfway marks nothing as removed, and records it in its run', async () => {
    const setup = await openSync({ pageSizeLimit: 5 });
    setup.startWorker();
    await setup.sync('meta');
    setup.sandbox.inject({ platform: 'meta', kind: 'page_failure', path: '/campaigns' });
    expect(await setup.sync('meta')).toMatchObject({ state: 'FAILURE', error: { type: 'PlatformError' } });
    const { campaigns } = await stored(setup, 'meta');
    expect(campaigns.some(({ removed }) => removed)).toBe(false);
    const { rows } = await setup.database.owner.query(
      `SELECT outcome, error_kind, campaigns_read FROM sync_run ORDER BY id DESC LIMIT 1`,
    );
    expect(rows).toEqual([{ outcome: 'failed', error_kind: 'transient', campaigns_read: 5 }]);
  });

  test('waits for a platform that cannot be reached, and spends no retry', async () => {
    const setup = await openSync();
    setup.startWorker();
    await setup.sandbox.stop();
    const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'google' });
    const record = await waitFor('the wait', async () => {
      const found = await setup.client.status(id);
      return found?.state === 'SCHEDULED' ? found : undefined;
    });
    expect(record).toMatchObject({ retries: 0, snoozes: 1, error: { type: 'PlatformError' } });
  });

  test('tries every account, and after a failure those that failed', async () => {
    const setup = await openSync();
    const { owner } = setup.database;
    const externalId = '3000000009';
    const { ciphertext, keyId } = sealCredentials(
      parseKeyRing(setup.keyText),
      { tenantId: 1, platform: 'tiktok', externalId },
      { platform: 'tiktok', accessToken: 'sandbox-tiktok-token' },
    );
    await owner.query(
      `INSERT INTO platform_account (tenant_id, platform, external_id, currency, time_zone, credentials_ciphertext, credentials_key_id)
       VALUES (1, 'tiktok', $1, 'JPY', 'UTC', $2, $3)`,
      [externalId, ciphertext, keyId],
    );
    setup.sandbox.inject({ platform: 'tiktok', kind: 'server_error' });
    setup.startWorker();
    const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'tiktok' });
    const accounts = async () =>
      (
        await owner.query(
          `SELECT external_id = $1 AS second, last_error IS NOT NULL AS failed, last_synced_at IS NOT NULL AS synced
           FROM platform_account WHERE tenant_id = 1 AND platform = 'tiktok' ORDER BY id`,
          [externalId],
        )
      ).rows;
    await waitFor('the first attempt', async () => (await setup.client.status(id))?.state === 'RETRY');
    expect(await accounts()).toEqual([
      { second: false, failed: true, synced: false },
      { second: true, failed: false, synced: true },
    ]);
    expect(await setup.client.result(id)).toMatchObject({ state: 'SUCCESS', result: { accounts: 2 } });
    expect(await accounts()).toEqual([
      { second: false, failed: false, synced: true },
      { second: true, failed: false, synced: true },
    ]);
    const { rows } = await owner.query('SELECT outcome FROM sync_run WHERE task_id = $1 ORDER BY id', [id]);
    expect(rows.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      'failed',
      'succeeded',
      'succeeded',
    ]);
  });

  test.each(PLATFORM_NAMES)('of %s stores its ads and their figures, once a day', async (platform) => {
    const setup = await openSync({ campaignsPerAccount: 6 });
    setup.startWorker();
    const account = await accountOf(setup, platform);
    const { sandbox, database } = setup;
    const kept = async () =>
      (
        await database.owner.query<{ id: string; status: string; days: number; clicks: number }>(
          `SELECT c.external_id AS id, c.status, count(m.date)::int AS days, coalesce(sum(m.clicks), 0)::int AS clicks
           FROM creative c LEFT JOIN creative_metric_daily m ON m.tenant_id = c.tenant_id AND m.creative_id = c.id
           GROUP BY c.tenant_id, c.id ORDER BY c.external_id`,
        )
      ).rows;
    // Whatever it is that fails, campaigns and their figures are stored, and the next sync reads the rest.
    const path = { meta: '/ads', google: 'googleAds', tiktok: '/ad/get', snapchat: '/adsquads' }[platform];
    // Google answers three queries about campaigns first.
    sandbox.inject({ platform, kind: 'permission', path, afterRequests: platform === 'google' ? 3 : 0 });
    expect(await setup.sync(platform)).toMatchObject({ state: 'SUCCESS' });
    expect(await kept()).toEqual([]);
    await setup.sync(platform);
    const truth = sandbox.truth(platform, account, '2026-11-09', '2026-11-19');
    const first = await kept();
    const known = new Map(first.map((each) => [each.id, each]));
    for (const { id, status } of truth.ads)
      expect(known.get(id)?.status === 'active', id).toBe(status === 'active');
    for (const [id, { days, clicks }] of known) {
      const own = truth.adMetrics.filter(({ adId }) => adId === id);
      expect({ days, clicks }).toEqual({
        days: own.length,
        clicks: own.reduce((sum, row) => sum + row.clicks, 0),
      });
    }
    // Not again on the same day; on the next one what is gone is archived, and keeps its figures.
    const gone = truth.ads.find(({ status, id }) => status === 'active' && (known.get(id)?.days ?? 0) > 0);
    sandbox.removeCampaign(platform, account, gone?.campaignId ?? '');
    await setup.sync(platform);
    expect(await kept()).toEqual(first);
    sandbox.advance(1);
    await setup.sync(platform);
    const later = (await kept()).find(({ id }) => id === gone?.id);
    expect(later?.status).toBe('archived');
    expect(later?.days).toBeGreaterThan(0);
  });

  test('of no account is no success', async () => {
    const setup = await openSync();
    setup.startWorker();
    await setup.database.owner.query(
      `UPDATE platform_account SET status = 'needs_reconnect', last_error = 'the token has ended' WHERE platform = 'snapchat'`,
    );
    expect(await setup.sync('snapchat')).toMatchObject({
      state: 'FAILURE',
      error: { message: expect.stringContaining('the token has ended') },
    });
  });

  test.each(PLATFORM_NAMES)('of %s keeps the spend of deleted campaigns', async (platform) => {
    const setup = await openSync();
    setup.startWorker();
    const account = await accountOf(setup, platform);
    const [gone] = setup.sandbox.truth(platform, account, firstSince(platform), TODAY).metrics;
    setup.sandbox.removeCampaign(platform, account, gone?.campaignId ?? '');
    await setup.sync(platform);
    const spent = (rows: readonly { spend: string }[]): number =>
      Math.round(rows.reduce((sum, { spend }) => sum + Number(spend), 0) * 1e6);
    const { metrics, campaigns } = await stored(setup, platform);
    expect(spent(metrics)).toBe(
      spent(setup.sandbox.truth(platform, account, firstSince(platform), TODAY).metrics),
    );
    expect(campaigns.filter(({ removed }) => removed)).toEqual([
      expect.objectContaining({ external_id: gone?.campaignId, status: 'removed' }),
    ]);
    expect((await setup.database.owner.query('SELECT FROM alert WHERE tenant_id = 1')).rowCount).toBe(0);
  });

  test('whose sum is not the account’s own total opens an alert, which closes when it is again', async () => {
    const setup = await openSync();
    const { owner } = setup.database;
    setup.startWorker();
    const alerts = async (): Promise<unknown[]> =>
      (await owner.query('SELECT kind, severity, closed_at IS NULL AS open FROM alert WHERE tenant_id = 1'))
        .rows;
    const body = { data: [{ date_start: '2026-11-19', spend: '99999.00' }] };
    setup.sandbox.inject({ platform: 'meta', kind: 'answer', path: '/insights', afterRequests: 1, body });
    expect(await setup.sync('meta')).toMatchObject({ state: 'SUCCESS' });
    expect(await alerts()).toEqual([{ kind: 'sync_total_differs', severity: 'warning', open: true }]);
    // A row that the platform reports no more is set to zero, because the account's total knows nothing of it.
    await owner.query(
      `INSERT INTO campaign_metric_daily SELECT tenant_id, id, '2026-11-18', currency, 1, 1, 1, 5, 0, 0 FROM campaign
       WHERE tenant_id = 1 AND started_at > '2026-11-19' OR id = (SELECT min(id) FROM campaign WHERE tenant_id = 1 AND status = 'archived') ON CONFLICT DO NOTHING`,
    );
    expect(await setup.sync('meta')).toMatchObject({ state: 'SUCCESS' });
    expect(await alerts()).toEqual([{ kind: 'sync_total_differs', severity: 'warning', open: false }]);
  });

  test('of an API version that has ended opens an alert that says what to do', async () => {
    const setup = await openSync();
    const { owner } = setup.database;
    setup.startWorker();
    const body = { error: { code: 2635, message: 'You are calling a deprecated version of the Ads API.' } };
    setup.sandbox.inject({ platform: 'meta', kind: 'answer', status: 400, body });
    expect(await setup.sync('meta')).toMatchObject({ state: 'FAILURE' });
    const { rows } = await owner.query<{ kind: string; message: string; closed_at: Date | null }>(
      'SELECT kind, message, closed_at FROM alert WHERE tenant_id = 1',
    );
    expect(rows).toEqual([
      { kind: 'platform_version_ended', message: expect.stringContaining('META_BASE_URL'), closed_at: null },
    ]);
    await setup.sync('meta');
    const open = await owner.query('SELECT FROM alert WHERE tenant_id = 1 AND closed_at IS NULL');
    expect(open.rowCount).toBe(0);
  });

  test('waits as long as the platform asks, and leaves the wait on the account', async () => {
    const setup = await openSync();
    setup.startWorker();
    setup.sandbox.inject({ platform: 'google', kind: 'rate_limit', retryAfterMs: 60_000 });
    const before = Date.now();
    const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'google' });
    const record = await waitFor('the retry', async () => {
      const found = await setup.client.status(id);
      return found?.state === 'RETRY' ? found : undefined;
    });
    expect(record.error).toMatchObject({ type: 'PlatformError', retryable: true });
    const { rows } = await setup.database.owner.query<{ rate_limited_until: Date }>(
      `SELECT rate_limited_until FROM platform_account WHERE platform = 'google'`,
    );
    expect(rows[0]?.rate_limited_until.getTime()).toBeGreaterThanOrEqual(before + 60_000);
  });

  test('of an account whose access has ended asks for a new connection, and is not tried again', async () => {
    const setup = await openSync();
    setup.startWorker();
    setup.sandbox.inject({ platform: 'tiktok', kind: 'expired_token' });
    const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'tiktok' });
    expect(await setup.client.result(id)).toMatchObject({ state: 'FAILURE', retries: 0 });
    const { rows } = await setup.database.owner.query(
      `SELECT status FROM platform_account WHERE platform = 'tiktok'`,
    );
    expect(rows).toEqual([{ status: 'needs_reconnect' }]);
  });

  test('excludes another one of the same tenant and platform', async () => {
    const setup = await openSync();
    const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'meta' });
    await withAdvisoryLock(
      setup.database.syncWorker,
      'sync/1/meta',
      new AbortController().signal,
      async () => {
        setup.startWorker();
        await waitFor('it to wait', async () => (await setup.client.status(id))?.state === 'SCHEDULED');
      },
    );
    expect(setup.sandbox.requestCount('meta')).toBe(0);
    expect(await setup.client.result(id)).toMatchObject({ state: 'SUCCESS', retries: 0 });
  });

  test('never shows one tenant the other’s campaigns', async () => {
    const setup = await openSync();
    setup.startWorker();
    await Promise.all([setup.sync('meta', 1), setup.sync('meta', 2)]);
    const [first, second] = [await stored(setup, 'meta', 1), await stored(setup, 'meta', 2)];
    expect(first.campaigns).toHaveLength(12);
    expect(second.campaigns).toHaveLength(12);
    const ids = new Set(first.campaigns.map((row: { external_id: string }) => row.external_id));
    expect(second.campaigns.some((row: { external_id: string }) => ids.has(row.external_id))).toBe(false);
  });

  test('leaves no credential in results, events or dead letters', async () => {
    const setup = await openSync();
    const seen: string[] = [];
    setup.connection.subscribe(`${setup.prefix}.>`, {
      callback: (_error, message) => void seen.push(message.string()),
    });
    setup.startWorker();
    setup.sandbox.inject({ platform: 'meta', kind: 'permission' });
    await setup.sync('meta');
    await setup.sync('google');
    expect(seen.length).toBeGreaterThan(4);
    for (const text of seen) expect(text).not.toMatch(/sandbox-(meta|refresh|access|developer|secret)/);
  });
});

test('sync_all_campaigns enqueues one sync for each tenant and connected platform, once for each tick', async () => {
  const setup = await openSync();
  const synced: string[] = [];
  const counting = handleTask(syncCampaignData, ({ tenant_id: tenantId, platform }) => {
    synced.push(`${tenantId} ${platform}`);
    return {
      tenant_id: tenantId,
      platform,
      accounts: 0,
      campaigns_read: 0,
      campaigns_updated: 0,
      campaigns_removed: 0,
      metric_rows_read: 0,
      metric_rows_written: 0,
      window: null,
    };
  });
  const [, fanOut] = createSyncHandlers({
    pool: setup.database.syncWorker,
    keys: { current: { id: 'unused', key: Buffer.alloc(32) }, key: () => undefined },
    endpoints: setup.sandbox.endpoints,
    requestTimeoutMs: 1_000,
  });
  const handlers = fanOut === undefined ? [counting] : [counting, fanOut];
  const worker = createWorker({
    connection: setup.connection,
    topology: setup.topology,
    queues: ['sync'],
    handlers,
  });
  worker.start();
  onTestFinished(() => worker.stop());
  const scheduledBy = { entry: 'sync_all_campaigns', tick: new Date('2026-11-20T12:00:00Z') };
  const results = [];
  for (const id of ['tick-a', 'tick-b']) {
    await setup.client.enqueue(syncAllCampaigns, {}, { id, scheduledBy });
    results.push((await setup.client.result(id)).result);
  }
  expect(results).toEqual([{ enqueued: 5 }, { enqueued: 0 }]);
  await waitFor('five syncs', () => synced.length === 5);
  expect(synced.toSorted()).toEqual(['1 google', '1 meta', '1 snapchat', '1 tiktok', '2 meta']);
});

test('sync_all_campaigns names its children by the tick, so that a repeated tick repeats none', async () => {
  const { database, sandbox } = await openSync();
  const [, fanOut] = createSyncHandlers({
    pool: database.syncWorker,
    keys: { current: { id: 'unused', key: Buffer.alloc(32) }, key: () => undefined },
    endpoints: sandbox.endpoints,
    requestTimeoutMs: 1_000,
  });
  if (fanOut === undefined) throw new Error('There is no handler of sync_all_campaigns.');
  const scheduledBy = { entry: 'sync_all_campaigns', tick: new Date('2026-11-20T12:00:00Z') };
  const runs = [await runTask(fanOut, {}, { scheduledBy }), await runTask(fanOut, {}, { scheduledBy })];
  for (const run of runs) {
    expect(assertSucceeded(run, syncAllCampaigns)).toEqual({ enqueued: 5 });
    assertEnqueued(run, syncCampaignData, { tenant_id: 2, platform: 'meta' });
  }
  const [first, second] = runs.map((run) => run.enqueued.map(({ options }) => options.id));
  expect(second).toEqual(first);
});
