/**
 * `sync_campaign_data`: brings one tenant's campaigns and daily metrics of one platform into the database.
 *
 * Each account has its own outcome: all are tried, and an attempt after a failure tries those that failed. For each account: list the campaigns page by page, then the metrics of the window page by page; every page is
 * upserted in a short transaction of its own, and none stays open while the platform is asked. A crash in the middle leaves
 * whole pages behind, and the next attempt of the task goes on after them.
 */
import type { HandlerFor } from '@stratum/jobs';
import {
  isLocked,
  openConnector,
  recordDomainEvent,
  withAdvisoryLock,
  withTenant,
  type DomainEventData,
  type syncCampaignData,
} from '@stratum/shared';
import { PlatformError, type DailyMetricRecord, type PlatformName } from '@stratum/connectors/ad-platforms';
import type { DateWindow } from '@stratum/connectors/values';
import {
  loadAccounts,
  markAccountFailed,
  markAccountSynced,
  noAccount,
  syncedBy,
  type SyncAccount,
} from './accounts.js';
import { checkTotals } from './account-totals.js';
import { tellDepletedBudgets } from './depleted-budgets.js';
import type { SyncDependencies } from './dependencies.js';
import { emptyCounts, finishRun, startRun, type SyncCounts } from './sync-run.js';
import { keepIntraday } from './intraday.js';
import { syncCreatives } from './sync-creatives.js';
import { beginning, placeBefore, Progress } from './sync-place.js';
import { syncWindow, type SyncWindow } from './sync-window.js';
import { tellVersionEnded, versionIsGood } from './version-alert.js';
import { CampaignWriter } from './campaign-writer.js';

const DEFAULT_BUSY_WAIT_MS = 15_000;

export function syncCampaignDataHandler(dependencies: SyncDependencies): HandlerFor<typeof syncCampaignData> {
  return async ({ tenant_id: tenantId, platform }, context) => {
    const lock = `sync/${tenantId}/${platform}`;
    const outcome = await withAdvisoryLock(dependencies.pool, lock, context.signal, (signal) =>
      syncTenant(dependencies, {
        tenantId,
        platform,
        taskId: context.id,
        signal,
        onProgress: context.progress.bind(context),
        onNote: (account, note) =>
          context.logger.warn(
            { account, ...note },
            'a part of a sync has failed, and is tried again by the next one',
          ),
      }),
    );
    if (!isLocked(outcome)) return { tenant_id: tenantId, platform, ...outcome };
    context.logger.info('another sync of this tenant and platform is running');
    return context.snooze(dependencies.busyWaitMs ?? DEFAULT_BUSY_WAIT_MS);
  };
}

interface SyncJob {
  tenantId: number;
  platform: PlatformName;
  taskId: string;
  signal: AbortSignal;
  onProgress: (done: number, total: number, note?: string) => void;
  /** A part that a sync can do without. */
  onNote: (accountId: string, note: { part: 'totals' | 'creatives'; reason: string }) => void;
}

type SyncSummary = SyncCounts & { accounts: number; window: DateWindow | null };

async function syncTenant(dependencies: SyncDependencies, job: SyncJob): Promise<SyncSummary> {
  const { accounts, synced } = await withTenant(dependencies.pool, job.tenantId, async (client) => ({
    accounts: await loadAccounts(client, job.platform),
    synced: await syncedBy(client, job.taskId),
  }));
  if (accounts.length === 0)
    throw await withTenant(dependencies.pool, job.tenantId, (client) => noAccount(client, job.platform));
  const summary: SyncSummary = { accounts: accounts.length, window: null, ...emptyCounts() };
  const failures: unknown[] = [];
  for (const [index, account] of accounts.entries()) {
    if (synced.has(account.id)) continue;
    const now = dependencies.now?.() ?? new Date();
    const window = syncWindow(account, now);
    try {
      add(summary, await syncAccount(dependencies, job, account, { now, window }));
      summary.window = widest(summary.window, window);
      job.onProgress(index + 1, accounts.length, `account ${account.externalId} is done`);
    } catch (error) {
      job.signal.throwIfAborted();
      // The others are tried all the same; the next attempt is for those that failed.
      failures.push(error);
      job.onProgress(index + 1, accounts.length, `account ${account.externalId} has failed`);
    }
  }
  const passing = failures.find((error) => !(error instanceof PlatformError) || error.retryable);
  if (failures.length > 0) throw passing ?? failures[0];
  return summary;
}

async function syncAccount(
  dependencies: SyncDependencies,
  job: SyncJob,
  account: SyncAccount,
  { now, window }: { now: Date; window: SyncWindow },
): Promise<SyncCounts> {
  const { pool } = dependencies;
  const { tenantId, signal } = job;
  const counts = emptyCounts();
  const { run, place } = await withTenant(pool, tenantId, async (client) => {
    const start = beginning(account, window, new Date());
    const from = (await placeBefore(client, job.taskId, account, start)) ?? start;
    return { run: await startRun(client, job, account.id, from), place: from };
  });
  const { startedAt } = place;
  const progress = new Progress(pool, tenantId, run, place);
  try {
    const connector = openConnector(dependencies, tenantId, account);
    const writer = new CampaignWriter(pool, tenantId, account, startedAt);
    if (place.stage === 'campaigns') {
      const listing = progress.pages('campaigns', (from) => connector.listCampaigns({ signal, ...from }));
      for await (const campaigns of listing) {
        counts.campaigns_read += campaigns.length;
        counts.campaigns_updated += await writer.writeCampaigns(campaigns);
      }
      // Only a complete listing shows which campaigns are gone, and only one in one piece is surely complete.
      if (!progress.resumes('campaigns')) counts.campaigns_removed = await writer.markRemoved();
      await progress.enter('metrics');
    }
    const readMetrics = async (pages: AsyncIterable<DailyMetricRecord[]>): Promise<void> => {
      for await (const metrics of pages) {
        counts.metric_rows_read += metrics.length;
        counts.metric_rows_written += await writer.writeMetrics(metrics);
      }
    };
    await readMetrics(
      progress.pages('metrics', (from) => connector.dailyMetrics(window, { signal, ...from })),
    );
    const readAgain = progress.resumes('metrics')
      ? (): Promise<void> => readMetrics(connector.dailyMetrics(window, { signal }))
      : undefined;
    const uncompared = await checkTotals({
      pool,
      tenantId,
      account,
      connector,
      writer,
      window,
      now,
      readAgain,
      signal,
    });
    if (uncompared !== undefined) job.onNote(account.id, { part: 'totals', reason: uncompared });
    const unread = await syncCreatives({ pool, tenantId, account, connector, startedAt, now, signal });
    if (unread !== undefined) job.onNote(account.id, { part: 'creatives', reason: unread });
    await withTenant(pool, tenantId, async (client) => {
      await markAccountSynced(client, account.id, { syncedAt: now, ...window });
      await versionIsGood(client, account.platform);
      await keepIntraday(client, account, now);
      await finishRun(client, run, counts, undefined);
      await tellDepletedBudgets(client, account, now, writer.rebudgeted);
      const data = completed(run.id, account, window, counts);
      await recordDomainEvent(client, { type: 'sync.completed', data, at: new Date() });
    });
    return counts;
  } catch (error) {
    await withTenant(pool, tenantId, async (client) => {
      if (!signal.aborted) await markAccountFailed(client, account.id, error);
      if (error instanceof PlatformError && error.kind === 'unsupported_version')
        await tellVersionEnded(client, tenantId, account.platform, error);
      await finishRun(client, run, counts, error);
    });
    throw error;
  }
}

function completed(
  runId: string,
  account: SyncAccount,
  { since, until }: DateWindow,
  counts: SyncCounts,
): DomainEventData<'sync.completed'> {
  const { id, externalId, platform } = account;
  return {
    sync_run_id: Number(runId),
    platform,
    account_id: Number(id),
    account_external_id: externalId,
    since,
    until,
    ...counts,
  };
}

function add(sum: SyncCounts, counts: SyncCounts): void {
  sum.campaigns_read += counts.campaigns_read;
  sum.campaigns_updated += counts.campaigns_updated;
  sum.campaigns_removed += counts.campaigns_removed;
  sum.metric_rows_read += counts.metric_rows_read;
  sum.metric_rows_written += counts.metric_rows_written;
}

function widest(a: DateWindow | null, b: DateWindow): DateWindow {
  if (a === null) return { since: b.since, until: b.until };
  return { since: a.since < b.since ? a.since : b.since, until: a.until > b.until ? a.until : b.until };
}
