/** The durable steps of a run: from the worker by way of the event and the history to the page of the task. */
import { defineTask, handleTask } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { OTHER_TENANT, TENANT } from '../harness/platform.js';
import { openDashboard } from './fixture.js';
import { goTo } from './furnished.js';

const launch = defineTask({
  name: 'launch_campaign',
  queue: 'default',
  input: z.object({ steps: z.int() }),
  output: z.unknown(),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 5 } },
});

interface Found {
  runs: { attempts: { steps: { total: number; newest: { name: string; position: string }[] } | null }[] }[];
}

test('the page of a task shows its steps, their attempts and until when it sleeps, to its own tenant', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [
    handleTask(launch, async (_, attempt) => {
      await attempt.step('reserve budget', () => 'a result that no event carries');
      await attempt.all([
        () =>
          attempt.step('publish', () => {
            if (attempt.retries === 0) throw new Error('The platform is down');
          }),
      ]);
      await attempt.sleep(3_600_000);
    }),
  ]);
  const { id } = await dashboard.client.enqueue(launch, { steps: 0 }, { tenant: String(TENANT) });
  const page = await browser.newPage();
  await page.goto(`${dashboard.url}/#link=${await dashboard.createLink()}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await waitFor('the sleep in the history', async () => {
    const rows = await dashboard.query(
      `SELECT FROM task_open WHERE id = $1 AND attempts::text LIKE '%waiting%'`,
      [id],
    );
    return rows.length === 1;
  });
  await goTo(page, dashboard, `/tasks/${id}`);
  const steps = page.getByRole('region', { name: 'Steps' }).getByRole('row');
  await steps.filter({ hasText: /^reserve budget 0Done1/ }).waitFor();
  await steps.filter({ hasText: /^publish 1-0-0Done2/ }).waitFor();
  await steps.filter({ hasText: /^sleep 2Waiting1.*until / }).waitFor();
  const stored = await dashboard.query<{ text: string }>('SELECT attempts::text AS text FROM task_open');
  expect(stored[0]?.text).toContain('"failed"');
  expect(stored[0]?.text).not.toContain('no event carries');
  const stranger = await dashboard.signIn(await dashboard.createKey(OTHER_TENANT));
  expect(await stranger('GET', `/api/tasks/${id}`)).toMatchObject({ status: 404 });
});

test('of a run with very many steps the newest fifty are kept, and how many there are', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [
    handleTask(launch, async ({ steps }, attempt) => {
      for (let n = 0; n < steps; n++) await attempt.step(`step ${n}`, () => n);
    }),
  ]);
  const { id } = await dashboard.client.enqueue(launch, { steps: 60 }, { tenant: String(TENANT) });
  const platform = await dashboard.signIn(await dashboard.createKey(TENANT));
  const steps = await waitFor('the run in the history', async () => {
    const { body } = await platform<Found>('GET', `/api/tasks/${id}`);
    return body.runs?.[0]?.attempts?.at(-1)?.steps ?? undefined;
  });
  expect(steps.total).toBe(60);
  expect(steps.newest.map(({ name }) => name)).toEqual(
    Array.from({ length: 50 }, (_, index) => `step ${index + 10}`),
  );
});
