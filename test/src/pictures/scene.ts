/** A morning of a marketing team, for pictures: what runs, waits and went wrong. Every run is a real one; only times of the past are written into the history. */
import {
  createScheduler,
  defineTask,
  handleTask,
  openSchedules,
  type TaskContract,
  type TaskHandler,
  type WorkflowDefinition,
} from '@stratum/jobs';
import { withTenant, type QueueName } from '@stratum/shared';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Dashboard } from '../dashboard/fixture.js';
import { addWebhooks } from '../dashboard/webhook-rows.js';
import { waitFor } from '../harness/index.js';
import { OTHER_TENANT, TENANT } from '../harness/platform.js';

type SceneTask = TaskContract<z.ZodObject<{ n: z.ZodNumber }>, z.ZodString>;

function taskOf(name: string, queue: QueueName): SceneTask {
  return defineTask({ name, queue, input: z.object({ n: z.number() }), output: z.string(), retry: 'never' });
}

const sync = taskOf('sync_campaign_data', 'sync');
const scores = taskOf('calculate_tenant_scores', 'ml');
const rules = taskOf('evaluate_rules', 'rules');
const segments = taskOf('compute_cdp_segment', 'cdp');
const report = taskOf('generate_forecast', 'intel');

/** Each with how often it runs, what every so-manieth of its runs fails of, and how long it takes. */
const WORK: readonly [task: SceneTask, runs: number, failsEach: number, error: string, takesMs: number][] = [
  [sync, 90, 11, 'Meta answered 190: the access token of act_4471 has expired', 40],
  [scores, 40, 40, 'The model of tenant 1 has no figures for 2026-11-29', 90],
  [rules, 60, 60, 'Rule "Pause at twice the target cost" names a campaign that is gone', 15],
  [segments, 50, 17, 'Segment "Bought twice" needs the trait last_order_at', 60],
  [report, 20, 99, '', 120],
];
const ENDED = WORK.reduce((sum, [, runs]) => sum + runs, 0);
const HELD = 3;
const WAITING = 240;
const HOURS = 14;
const TENANTS = ['Northwind Outfitters', 'Harbour Coffee'];

/** Resolves once the dashboard shows all of it. */
export async function setScene(dashboard: Dashboard): Promise<void> {
  const { client, connection, topology } = dashboard;
  await nameTenants(dashboard);
  for (const [task, , failsEach, error, takesMs] of WORK)
    dashboard.startWorker(queueOf(task), [handlerOf(task, failsEach, error, takesMs)]);
  for (const [task, runs] of WORK) {
    const items = Array.from({ length: runs }, (_, n) => ({
      payload: { n: n + 1 },
      options: { tenant: String(n % 3 === 0 ? OTHER_TENANT : TENANT) },
    }));
    await client.enqueueMany(task, items);
  }
  await client.workflows.start(workflow(), { id: 'spring-campaign-refresh', tenant: String(TENANT) });
  await ended(dashboard);
  await spread(dashboard);
  await pastGauges(dashboard);
  // Now: some that run, a queue that is paused, and what waits there.
  for (let n = 0; n < HELD; n++)
    await client.enqueue(sync, { n: -1 }, { tenant: String(TENANT), id: `sync-meta-act-447${n}` });
  await client.control.pause('ml');
  await client.enqueueMany(
    scores,
    Array.from({ length: WAITING }, (_, n) => ({ payload: { n }, options: { tenant: String(TENANT) } })),
  );
  const contracts = WORK.map(([task]) => task);
  const scheduler = createScheduler({ connection, topology, contracts, logger: pino({ level: 'silent' }) });
  scheduler.start();
  onTestFinished(() => scheduler.stop());
  const schedules = openSchedules({ connection, topology, contracts });
  await schedules.add({
    name: 'sync-all-campaigns',
    task: sync.name,
    cron: '*/15 * * * *',
    payload: { n: 2 },
  });
  await schedules.add({ name: 'daily-forecasts', task: report.name, cron: '30 6 * * *', payload: { n: 2 } });
  await schedules.add({
    name: 'nightly-segments',
    task: segments.name,
    cron: '0 2 * * *',
    payload: { n: 2 },
  });
  await schedules.add({ name: 'rules-of-the-day', task: rules.name, every_ms: 1_800_000, payload: { n: 2 } });
  await schedules.pause('nightly-segments', 'The warehouse moves tonight');
  await addPipelines(dashboard);
  await addWebhooks(dashboard);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  for (const [email, role] of [
    ['ana@northwind.example', 'admin'],
    ['jo@northwind.example', 'operator'],
    ['kim@northwind.example', 'viewer'],
  ])
    await platform('POST', '/api/people', { email, role });
  const { body: draft } = await platform<{ id: string }>('POST', '/api/operations/dry-run', {
    verb: 'replay',
    q: 'state:failure task:evaluate_rules',
  });
  await platform('POST', `/api/operations/${draft.id}/start`, {});
  await waitFor('a sample of what waits and runs', async () => {
    const { queues } = (
      await platform<{ queues: { queue: string; normal: number; running: number }[] }>('GET', '/api/overview')
    ).body;
    const ofQueue = (name: string): { normal: number; running: number } | undefined =>
      queues.find(({ queue }) => queue === name);
    return ofQueue('ml')?.normal === WAITING && ofQueue('sync')?.running === HELD;
  });
}

function queueOf({ queue }: SceneTask): QueueName {
  const names: readonly QueueName[] = ['sync', 'rules', 'intel', 'ml', 'cdp', 'default'];
  const found = names.find((name) => name === queue);
  if (found === undefined) throw new Error(`There is no queue ${queue}.`);
  return found;
}

function handlerOf(task: SceneTask, failsEach: number, error: string, takesMs: number): TaskHandler {
  return handleTask(task, async ({ n }, { signal }) => {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
      // A run that is held goes on for as long as the pictures are taken.
      if (n >= 0) setTimeout(resolve, takesMs * (0.5 + ((n * 7) % 10) / 5));
    });
    if (n > 0 && n % failsEach === 0) throw new Error(error);
    return 'done';
  });
}

function workflow(): WorkflowDefinition {
  const step = (task: SceneTask, n = 1): WorkflowDefinition => ({
    task: task.name,
    queue: task.queue,
    payload: { n },
  });
  return {
    chain: [
      { group: [step(sync), step(sync), step(sync)] },
      { group: Array.from({ length: 24 }, () => step(segments)) },
      step(rules),
      step(report),
    ],
  };
}

async function ended({ query }: Dashboard): Promise<void> {
  await waitFor('the runs in the history', async () => {
    const [row] = await query<{ n: string }>('SELECT count(*) AS n FROM task_run WHERE workflow_id IS NULL');
    const [flow] = await query<{ n: string }>(
      'SELECT count(*) AS n FROM task_run WHERE workflow_id IS NOT NULL',
    );
    return Number(row?.n) >= ENDED && Number(flow?.n) >= 29;
  });
}

/** Runs of minutes become those of a day: more in the morning, as it is. */
async function spread({ query }: Dashboard): Promise<void> {
  await query(`SELECT ensure_history_day((now() - interval '1 day')::date)`);
  await query(
    `UPDATE task_run AS run SET finished_at = run.finished_at - shift.by, started_at = run.started_at - shift.by,
       ready_at = run.ready_at - shift.by, wait_ms = run.wait_ms % 4000
     FROM (SELECT id, power(('x' || substr(md5(id), 1, 6))::bit(24)::int / 16777216.0, 1.6) * $1 * interval '1 hour' AS by
           FROM task_run WHERE workflow_id IS NULL) AS shift
     WHERE shift.id = run.id`,
    [HOURS],
  );
}

/** What the samples of the last hour would have shown. */
async function pastGauges({ query }: Dashboard): Promise<void> {
  await query(
    `INSERT INTO gauge_10s (at, queue, high, normal, low, delayed, running, paused, oldest_at, delivered, acknowledged, slots, slots_used)
     SELECT at, queue, 0, wave, 0, 4, least(8, wave), false, at - wave * interval '0.4 s', done, done, 8, least(8, wave)
     FROM (SELECT at, queue, n * weight * 12 AS done,
             greatest(0, round(weight * (14 + 12 * sin(n / 18.0 + weight) + 5 * sin(n / 3.0))))::bigint AS wave
           FROM generate_series(0, 350) AS n,
             LATERAL (SELECT date_trunc('minute', now()) - interval '1 hour' + n * interval '10 s' AS at) AS t,
             unnest(ARRAY['sync', 'rules', 'cdp', 'ml', 'intel'], ARRAY[3, 2, 2, 1, 1]) AS q (queue, weight)) AS s
     ON CONFLICT DO NOTHING`,
  );
}

async function nameTenants({ database: { owner } }: Dashboard): Promise<void> {
  for (const [index, name] of TENANTS.entries())
    await withTenant(owner, index + 1, (client) =>
      client.query('UPDATE tenant SET name = $2 WHERE id = $1', [index + 1, name]),
    );
}

/** One tenant whose data are late, and one whose are fresh. */
async function addPipelines({ database: { owner } }: Dashboard): Promise<void> {
  for (const tenant of [TENANT, OTHER_TENANT])
    await withTenant(owner, tenant, (client) =>
      client.query(
        `UPDATE platform_account SET external_id = 'act_' || 4400 + id, last_synced_at = now() - id * interval '90 s'`,
      ),
    );
  await withTenant(owner, TENANT, async (client) => {
    await client.query(
      `INSERT INTO platform_account (tenant_id, id, platform, external_id, currency, status, last_synced_at)
       VALUES ($1, 91, 'tiktok', '7210', 'USD', 'connected', now() - interval '27 hours'),
              ($1, 92, 'snapchat', 'sc-88', 'USD', 'needs_reconnect', now() - interval '30 hours')`,
      [TENANT],
    );
    await client.query(
      `INSERT INTO pipeline_check (tenant_id, checked_at, status, findings, platforms)
       VALUES ($1, now() - interval '20 minutes', 'critical', $2, '[]')`,
      [
        TENANT,
        JSON.stringify([
          { severity: 'critical', text: 'the account sc-88 of Snapchat has to be connected again' },
          { severity: 'degraded', text: 'data of TikTok are older than a day' },
        ]),
      ],
    );
  });
}
