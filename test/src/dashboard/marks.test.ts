/** Marks in the charts: versions of workers that begin, and what people did to queues. */
import { createWorker, handleTask } from '@stratum/jobs';
import { withTenant } from '@stratum/shared';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openDashboard, type Dashboard } from './fixture.js';
import { greet, openPages } from './furnished.js';

interface Worker {
  stop: () => Promise<void>;
}

function startVersion({ connection, topology }: Dashboard, version: string): Worker {
  const worker = createWorker({
    connection,
    topology,
    queues: ['default'],
    handlers: [handleTask(greet, () => Promise.resolve('hello'))],
    version,
    logger: pino({ level: 'silent' }),
  });
  worker.start();
  onTestFinished(() => worker.stop());
  return worker;
}

test('a version that begins in a queue is a mark; a restart and a rolling upgrade add none, the way back does', async () => {
  const dashboard = await openDashboard();
  const versions = async (): Promise<string[]> =>
    (await dashboard.query<{ version: string }>('SELECT version FROM deployment_mark ORDER BY at')).map(
      ({ version }) => version,
    );
  /** Until a sample has been taken that has seen what is true now. */
  const sampled = async (): Promise<void> => {
    const [before] = await dashboard.query<{ at: Date }>('SELECT now() AS at');
    await waitFor('two more samples', async () => {
      const rows = await dashboard.query('SELECT DISTINCT at FROM gauge_10s WHERE at > $1', [before?.at]);
      return rows.length >= 2;
    });
  };
  const marked = (wanted: string[]): Promise<unknown> =>
    waitFor(`marks ${wanted.join(', ')}`, async () => (await versions()).join() === wanted.join());
  const first = startVersion(dashboard, '1.0.0');
  await marked(['1.0.0']);
  await first.stop();
  const again = startVersion(dashboard, '1.0.0');
  startVersion(dashboard, '1.1.0');
  await marked(['1.0.0', '1.1.0']);
  await again.stop();
  await sampled();
  expect(await versions()).toEqual(['1.0.0', '1.1.0']);
  // A long time after it was seen last.
  await dashboard.query(
    `UPDATE worker_version SET seen_at = now() - interval '11 minutes' WHERE version = '1.0.0'`,
  );
  startVersion(dashboard, '1.0.0');
  await marked(['1.0.0', '1.1.0', '1.0.0']);
  const viewer = await dashboard.signIn(await dashboard.createKey(undefined, ['queues:read']));
  const { body } = await viewer<{ items: { kind: string; text: string }[] }>(
    'GET',
    '/api/marks?queue=default',
  );
  expect(body.items.map(({ kind, text }) => [kind, text])).toEqual([
    ['deployment', '1.0.0 on default'],
    ['deployment', '1.1.0 on default'],
    ['deployment', '1.0.0 on default'],
  ]);
  expect((await viewer('GET', '/api/marks?queue=sync')).body).toEqual({ items: [] });
});

test('deployments and pauses stand in the charts and in the list of what happened lately', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  await dashboard.query(
    `INSERT INTO deployment_mark (at, queue, version) VALUES (now() - interval '20 minutes', 'default', '2.4.0'), (now() - interval '20 minutes', 'sync', '2.4.0')`,
  );
  // As the task that seals the audit log stores it.
  await withTenant(dashboard.database.owner, 0, (client) =>
    client.query(
      `INSERT INTO audit_event (tenant_id, sequence, id, actor, action, subject, details, occurred_at, previous, hash, key_id)
       VALUES (0, 1, 'e1', 'person/x', 'queue.paused', 'queue/sync', '{}', now() - interval '10 minutes', '', '', 'k')`,
    ),
  );
  await page.goto(`${dashboard.url}/overview`);
  const lately = page.locator('section', { has: page.getByRole('heading', { name: 'Lately' }) });
  await lately.getByText('Version 2.4.0 on default, sync').waitFor();
  await lately.getByText('sync paused').waitFor();
  const chart = page.locator('figure', { has: page.getByRole('heading', { name: 'Slots' }) });
  await chart.locator('.mark.deployment').first().waitFor();
  await chart.locator('.mark.action').waitFor();
  expect(await chart.locator('.mark title').allTextContents()).toContainEqual(
    expect.stringMatching(/: 2\.4\.0 on default, sync$/),
  );
  await page.goto(`${dashboard.url}/queues/default`);
  await page.locator('.mark.deployment').first().waitFor();
  expect(await page.locator('.mark.action').count()).toBe(0);
  expect(complaints).toEqual([]);
});
