/** A dashboard in a real browser on a platform where something has happened: the pages that there are, and what stands on them. */
import { defineTask, handleTask, openSchedules, type WorkflowDefinition } from '@stratum/jobs';
import type { Browser, Page, Response } from 'playwright-core';
import type { TestContext } from 'vitest';
import { z } from 'zod';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { checkDescribed } from './described.js';
import { openDashboard, type Dashboard } from './fixture.js';

/** Every page of a furnished dashboard. */
export const PLACES = [
  '/overview',
  '/tasks',
  '/tasks/greet-3',
  '/tasks/greet-3/edit',
  '/workflows',
  '/workflows/welcome',
  '/failures',
  '/queues',
  '/queues/default',
  '/workers',
  '/schedules',
  '/schedules/nightly',
  '/tenants',
  `/tenants/${TENANT}`,
  '/pipelines',
  `/pipelines/${TENANT}`,
  '/webhooks',
  '/audit',
  '/operations',
  '/operations/new',
  '/people',
] as const;

export const greet = defineTask({
  name: 'greet_customer',
  queue: 'default',
  input: z.object({ n: z.number() }),
  output: z.string(),
  retry: 'never',
  labels: { n: { field: 'n' } },
});

export interface Opened {
  dashboard: Dashboard;
  browser: Browser;
  page: Page;
  /** What the browser complained of: scripts that failed, and violations of the policy; and answers that are not as they are described. */
  complaints: string[];
}

/** Signed in by a link, with a worker, five runs of which `greet-3` has failed, a schedule entry and a workflow with a large group. */
export async function openPages(context: TestContext): Promise<Opened> {
  const browser = await launchBrowser(context);
  const dashboard = await openDashboard();
  await furnish(dashboard);
  // A context of its own, in which tests open further tabs.
  const tabs = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await tabs.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('response', (response) => {
    compare(response).catch((error: unknown) => complaints.push(String(error)));
  });
  page.on('console', (message) => {
    // That nobody is signed in yet is an answer like any other.
    if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
  });
  await page.goto(`${dashboard.url}/#link=${await dashboard.createLink()}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return { dashboard, browser, page, complaints };
}

async function compare(response: Response): Promise<void> {
  const contentType = response.headers()['content-type'] ?? null;
  if (contentType?.includes('json') !== true) return;
  // A page that is left takes the answers with it that it has not read.
  const text = await response.text().catch(() => undefined);
  if (text === undefined) return;
  await checkDescribed({
    method: response.request().method(),
    path: new URL(response.url()).pathname,
    status: response.status(),
    contentType,
    body: JSON.parse(text),
  });
}

async function furnish(dashboard: Dashboard): Promise<void> {
  const { client, connection, topology } = dashboard;
  dashboard.startWorker('default', [
    handleTask(greet, ({ n }) =>
      n === 3
        ? Promise.reject(new Error('<img src=x onerror=alert(1)> no greeting'))
        : Promise.resolve('hello'),
    ),
  ]);
  for (let n = 0; n < 5; n++) {
    await client.enqueue(greet, { n }, { id: `greet-${n}` });
    await client.result(`greet-${n}`);
  }
  const schedules = openSchedules({ connection, topology, contracts: [greet] });
  await schedules.add({ name: 'nightly', task: greet.name, cron: '30 2 * * *', payload: { n: 1 } });
  const step = (n: number): WorkflowDefinition => ({
    task: greet.name,
    queue: greet.queue,
    payload: { n },
  });
  await client.workflows.start(
    { chain: [step(1), { group: Array.from({ length: 14 }, () => step(2)) }, step(4)] },
    { id: 'welcome' },
  );
  await waitFor('the runs in the history', async () => {
    const rows = await dashboard.query<{ state: number }>(
      "SELECT state FROM task_run WHERE id LIKE 'greet-%'",
    );
    return rows.length === 5;
  });
}

/** Once every part of the page at that path has come. */
export async function goTo(page: Page, { url }: Dashboard, path: string): Promise<void> {
  await page.goto(url + path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await waitFor(`all parts of ${path}`, async () => (await page.locator('.loading').count()) === 0);
}
