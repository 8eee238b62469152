/** Contracts, handlers, queues and the schedule have to meet: a task under a name that nobody handles would fail in silence. */
import { loadWorkerServices } from '@stratum/cli/worker-services';
import { createScheduler, openSchedules } from '@stratum/jobs';
import { SCHEDULE } from '@stratum/scheduler';
import { loadConfiguration, QUEUES, roleOf, TASKS, workerOf, type ConfigurationKey } from '@stratum/shared';
import { settingsOf } from '@stratum/shared/service';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { testKeyText, waitFor } from '../harness/index.js';
import { openPlatform } from '../harness/platform.js';

const SERVICES = await loadWorkerServices();

test('every queue has one service, and every task of it one handler there', async () => {
  const { database, connection, topology, client, natsUrl, prefix } = await openPlatform();
  expect(SERVICES.map(({ queue }) => queue).toSorted()).toEqual(QUEUES.map(({ name }) => name).toSorted());
  for (const service of SERVICES) {
    const configuration = loadConfiguration<ConfigurationKey>(settingsOf(service), {
      NATS_URL: natsUrl,
      DATABASE_URL: database.url,
      STRATUM_PREFIX: prefix,
      STRATUM_CREDENTIALS_KEY: testKeyText(),
    });
    const handlers = await service.createHandlers({
      pool: database.as(roleOf(workerOf(service.queue))),
      connection,
      topology,
      client,
      configuration,
      logger: pino({ level: 'silent' }),
    });
    const handled = handlers.map(({ contract }) => contract.name).toSorted();
    expect(handled).toEqual(
      TASKS.filter(({ queue }) => queue === service.queue)
        .map(({ name }) => name)
        .toSorted(),
    );
  }
});

test('the schedule is the reference’s: fifteen entries, with these times, in these queues', async () => {
  const { connection, topology } = await openPlatform();
  const scheduler = createScheduler({ connection, topology, contracts: TASKS, entries: SCHEDULE });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  onTestFinished(() => schedules.close());
  const entries = await waitFor('the entries', async () => {
    const list = await schedules.list();
    return list.length === SCHEDULE.length && list;
  });
  expect(
    Object.fromEntries(entries.map(({ name, cron, queue, time_zone: zone }) => [name, [cron, queue, zone]])),
  ).toEqual({
    evaluate_all_rules: ['*/15 * * * *', 'rules', 'UTC'],
    sync_all_campaigns: ['0 * * * *', 'sync', 'UTC'],
    refresh_all_competitors: ['0 */6 * * *', 'intel', 'UTC'],
    generate_daily_forecasts: ['0 6 * * *', 'ml', 'UTC'],
    calculate_fatigue_scores: ['0 3 * * *', 'default', 'UTC'],
    process_audit_logs: ['* * * * *', 'default', 'UTC'],
    calculate_cost_allocation: ['0 2 * * *', 'default', 'UTC'],
    calculate_usage_rollup: ['0 1 * * *', 'default', 'UTC'],
    check_pipeline_health: ['30 * * * *', 'default', 'UTC'],
    calculate_daily_scores: ['0 4 * * *', 'default', 'UTC'],
    run_all_predictions: ['*/30 * * * *', 'ml', 'UTC'],
    process_scheduled_whatsapp: ['* * * * *', 'default', 'UTC'],
    compute_all_cdp_segments: ['0 * * * *', 'cdp', 'UTC'],
    compute_all_cdp_funnels: ['0 */2 * * *', 'cdp', 'UTC'],
    publish_scheduled_cms_posts: ['* * * * *', 'default', 'UTC'],
  });
});
