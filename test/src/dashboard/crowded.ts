/** What a platform in use has and a new one lacks: long names, large numbers, times of other days, things that went wrong. */
import { defineTask, handleTask, openSchedules } from '@stratum/jobs';
import { withTenant } from '@stratum/shared';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import type { Dashboard } from './fixture.js';
import { greet } from './furnished.js';
import { addWebhooks, ENDPOINT, SUBSCRIPTION } from './webhook-rows.js';

const refresh = defineTask({
  name: 'refresh_customer_segment_memberships',
  queue: 'cdp',
  input: z.object({ n: z.number() }),
  output: z.string(),
  retry: 'never',
});

const ERROR =
  'The platform answered 503 to https://graph.example.com/v21.0/act_1000000001/insights?level=campaign&time_range=2026-11-29 after 5 attempts';

/** The pages that are there beside those of `PLACES`. */
export function placesOfCrowd(operation: string): string[] {
  return [
    '/tasks?q=state:failure',
    `/webhooks/in/${TENANT}/${ENDPOINT}`,
    `/webhooks/out/${TENANT}/${SUBSCRIPTION}`,
    `/operations/${operation}`,
    '/no-such-page',
  ];
}

/** On a furnished dashboard. Returns the id of an operation's dry run. */
export async function crowd(dashboard: Dashboard): Promise<string> {
  const { client, connection, topology } = dashboard;
  dashboard.startWorker('cdp', [
    handleTask(refresh, ({ n }) => (n === 1 ? Promise.reject(new Error(ERROR)) : Promise.resolve('done'))),
  ]);
  for (const n of [0, 1, 2]) {
    const { id } = await client.enqueue(refresh, { n }, { tenant: String(TENANT), priority: 'high' });
    await client.result(id);
  }
  await client.workflows.start(
    { chain: [0, 1].map((n) => ({ task: refresh.name, queue: refresh.queue, payload: { n } })) },
    { id: 'customer-journey-of-the-spring-campaign', tenant: String(TENANT) },
  );
  await client.control.pause('ml');
  const waiting = { ...greet, queue: 'ml' };
  await Promise.all(Array.from({ length: 1_234 }, (_, n) => client.enqueue(waiting, { n })));
  const schedules = openSchedules({ connection, topology, contracts: [greet, refresh] });
  await schedules.add({
    name: 'refresh-segments-of-every-tenant',
    task: refresh.name,
    cron: '15,45 6-22 * * 1-5',
    time_zone: 'America/Argentina/Buenos_Aires',
    payload: { n: 0 },
  });
  await schedules.add({ name: 'every-quarter-hour', task: greet.name, every_ms: 900_000, payload: { n: 0 } });
  await schedules.pause('every-quarter-hour', 'The platform is down');
  await addWebhooks(dashboard);
  await addPipelines(dashboard);
  await waitFor('the failed workflow and the runs in the history', async () => {
    const [row] = await dashboard.query<{ n: string }>(
      'SELECT count(*) AS n FROM task_run WHERE tenant_id = $1',
      [TENANT],
    );
    return Number(row?.n) >= 5;
  });
  await dashboard.query(
    `UPDATE task_run SET wait_ms = 754000, runtime_ms = 3725000, finished_at = finished_at - interval '1 day' WHERE id = 'greet-1'`,
  );
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  await platform('POST', '/api/people', {
    email: 'josephine.van-der-berg@northwind-outfitters.example',
    role: 'operator',
  });
  await waitFor('a sample of what waits', async () => {
    const { queues } = (
      await platform<{ queues: { queue: string; normal: number; paused: boolean }[] }>('GET', '/api/overview')
    ).body;
    return queues.some(({ queue, normal, paused }) => queue === 'ml' && paused && normal > 1_000);
  });
  const { body } = await platform<{ id: string }>('POST', '/api/operations/dry-run', {
    verb: 'replay',
    q: `state:failure tenant:${TENANT}`,
  });
  return body.id;
}

/** Four platforms, of which one is to be connected again, with a check and an alert. */
async function addPipelines({ database: { owner } }: Dashboard): Promise<void> {
  await withTenant(owner, TENANT, async (client) => {
    await client.query(`UPDATE tenant SET name = 'Northwind Outfitters International' WHERE id = $1`, [
      TENANT,
    ]);
    await client.query(
      `INSERT INTO platform_account (tenant_id, id, platform, external_id, currency, status, last_synced_at)
       VALUES ($1, 91, 'tiktok', 't1', 'USD', 'connected', now() - interval '3 days'),
              ($1, 92, 'snapchat', 's1', 'USD', 'needs_reconnect', now() - interval '30 hours')`,
      [TENANT],
    );
    await client.query(
      `INSERT INTO pipeline_check (tenant_id, checked_at, status, findings, platforms)
       VALUES ($1, now() - interval '26 hours', 'critical', $2, '[]')`,
      [
        TENANT,
        JSON.stringify([
          { severity: 'critical', text: 'the account s1 of Snapchat has to be connected again' },
          { severity: 'degraded', text: 'data of TikTok are three days old' },
        ]),
      ],
    );
  });
}
