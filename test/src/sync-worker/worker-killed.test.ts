/** A worker killed with SIGKILL in the middle of a sync loses nothing: another one finishes the work. */
import { syncCampaignData } from '@stratum/shared';
import { expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../harness/index.js';
import { openSync } from './fixture.js';

test('a sync whose worker is killed halfway is finished by another worker', async () => {
  const setup = await openSync({ campaignsPerAccount: 60, pageSizeLimit: 20 });
  const environment = {
    NATS_URL: setup.natsUrl,
    DATABASE_URL: setup.database.url,
    STRATUM_PREFIX: setup.prefix,
    TASK_ACK_WAIT: '5',
    STRATUM_CREDENTIALS_KEY: setup.keyText,
    ...setup.sandbox.endpoints,
  };
  // The pages of metrics come slowly, so that the kill meets a sync that has stored some of them and not all.
  setup.sandbox.inject({ platform: 'meta', kind: 'slow', times: null, afterRequests: 12, delayMs: 150 });
  const first = spawnProgram('services/sync-worker/dist/main.js', environment);
  await first.ready();
  const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'meta' });
  const rows = async (): Promise<number> => {
    const { rows: counted } = await setup.database.owner.query<{ count: string }>(
      'SELECT count(*) FROM campaign_metric_daily',
    );
    return Number(counted[0]?.count);
  };
  const atKill = await waitFor('some rows', async () => (await rows()) || undefined);
  expect(await first.kill('SIGKILL')).toBeNull();
  setup.sandbox.clearFaults();

  const second = spawnProgram('services/sync-worker/dist/main.js', environment);
  await second.ready();
  const record = await setup.client.result(id, { timeoutMs: 50_000 });
  const { since, until } = syncCampaignData.output.parse(record.result).window ?? { since: '', until: '' };
  const truth = setup.sandbox.truth('meta', '1000000001', since, until);
  expect(atKill).toBeLessThan(truth.metrics.length);
  expect(record).toMatchObject({ state: 'SUCCESS', retries: 0 });
  expect(await rows()).toBe(truth.metrics.length);
  const { rows: runs } = await setup.database.owner.query(
    'SELECT outcome, error_kind FROM sync_run ORDER BY id',
  );
  expect(runs).toEqual([
    { outcome: 'failed', error_kind: 'worker_lost' },
    { outcome: 'succeeded', error_kind: null },
  ]);
  expect(await second.kill('SIGTERM')).toBe(0);
});
