/** What happens to a worker's process: killed in the middle of a sync, without its role in the database, shut down from afar. */
import { syncCampaignData } from '@stratum/shared';
import { expect, test } from 'vitest';
import { freePort, spawnProgram, waitFor } from '../harness/index.js';
import { openSync, type SyncSetup } from './fixture.js';

function environmentOf({ natsUrl, database, prefix, keyText, sandbox }: SyncSetup): NodeJS.ProcessEnv {
  return {
    NATS_URL: natsUrl,
    DATABASE_URL: database.url,
    STRATUM_PREFIX: prefix,
    TASK_ACK_WAIT: '5',
    STRATUM_CREDENTIALS_KEY: keyText,
    ...sandbox.endpoints,
  };
}

test('a sync whose worker is killed halfway is finished by another worker', async () => {
  const setup = await openSync({ campaignsPerAccount: 60, pageSizeLimit: 20 });
  const environment = environmentOf(setup);
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

test('a worker without its role in the database is not ready, takes no tasks, and ends when it is shut down from afar', async () => {
  const setup = await openSync();
  const port = await freePort();
  const program = spawnProgram('services/sync-worker/dist/main.js', {
    ...environmentOf(setup),
    METRICS_PORT: String(port),
  });
  await program.ready();
  const becomes = (status: number): Promise<boolean> =>
    waitFor(
      `the answer ${status}`,
      async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === status || undefined,
    );
  await becomes(200);
  const { owner } = setup.database;
  await owner.query('REVOKE USAGE ON SCHEMA public FROM PUBLIC, stratum_sync_worker');
  await becomes(503);
  const { id } = await setup.client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'meta' });
  await owner.query('GRANT USAGE ON SCHEMA public TO PUBLIC, stratum_sync_worker');
  await becomes(200);
  const record = await setup.client.result(id, { timeoutMs: 50_000 });
  // Handed back rather than tried: it was neither put off nor retried.
  expect(record).toMatchObject({ state: 'SUCCESS', retries: 0 });
  expect(record.snoozes ?? 0).toBe(0);
  const [shut] = await setup.client.control.shutdown();
  expect(shut).toMatchObject({ reply: { state: 'draining' } });
  expect(await program.exited()).toBe(0);
});
