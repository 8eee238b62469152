/** The pages in a real browser: what a person does, and its effect. */
import { createServer, request as ask } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { openDashboard } from './fixture.js';
import { openPages } from './furnished.js';

test('a link opens the overview, and the token leaves the address', async (context) => {
  const { page, complaints, dashboard } = await openPages(context);
  expect(page.url()).toBe(`${dashboard.url}/`);
  await page
    .getByRole('row', { name: /^default/ })
    .first()
    .waitFor();
  await page.getByText('No scheduler runs').waitFor();
  expect(complaints).toEqual([]);
});

test('a queue is paused and resumed with a reason, by the keyboard alone', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  const isPaused = async (): Promise<boolean> =>
    (await dashboard.client.queues()).find(({ queue }) => queue === 'default')?.paused === true;
  await page.keyboard.press('g');
  await page.keyboard.press('q');
  const row = page.getByRole('row', { name: /^default/ });
  await row.getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('textbox').focus();
  await page.keyboard.type('Maintenance');
  await page.keyboard.press('Enter');
  await waitFor('the pause', isPaused);
  await row.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
  await waitFor('the end of the pause', async () => !(await isPaused()));
  expect(complaints).toEqual([]);
});

test('a search finds the failure, its page shows the error as text, and Back returns to the search', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  await page.getByRole('link', { name: 'Tasks', exact: true }).click();
  const search = page.getByRole('searchbox');
  await waitFor('the runs in the history', async () => {
    const [row] = await dashboard.query<{ n: string }>('SELECT count(*) AS n FROM task_run');
    return Number(row?.n) >= 5;
  });
  await search.fill('state:failure label.n:3');
  await search.press('Enter');
  await page.getByRole('link', { name: 'greet-3' }).click();
  await page.getByRole('heading', { name: /greet_customer/ }).waitFor();
  await page.getByText('<img src=x onerror=alert(1)> no greeting').first().waitFor();
  expect(await page.locator('img[src="x"]').count()).toBe(0);
  await page.getByRole('heading', { name: 'Where the time went' }).waitFor();
  await page.goBack();
  expect(await page.getByRole('searchbox').inputValue()).toBe('state:failure label.n:3');
  await page.getByRole('link', { name: 'greet-3' }).waitFor();
  expect(complaints).toEqual([]);
});

test('the failed run is a cause among the failures, and its letter is replayed from there', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  await waitFor('the failure in the history', async () => {
    const [row] = await dashboard.query<{ n: string }>('SELECT count(*) AS n FROM task_run WHERE state = 2');
    return row?.n === '1';
  });
  await page.getByRole('link', { name: 'Failures', exact: true }).click();
  await page.getByRole('heading', { name: 'Error: <img src=x onerror=alert(1)> no greeting' }).waitFor();
  await page.getByRole('button', { name: 'Replay one' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Replay one' }).click();
  await page.getByText('1 replayed.').waitFor();
  await waitFor('the second failure', async () => {
    const [letter] = await dashboard.client.deadLetters.list({});
    return letter?.id === 'greet-3';
  });
  expect(complaints).toEqual([]);
});

test('a schedule entry is run now, and its next times are listed', async (context) => {
  const { page, dashboard, complaints } = await openPages(context);
  await page.getByRole('link', { name: 'Schedules', exact: true }).click();
  const row = page.getByRole('row', { name: /^nightly/ });
  await row.getByRole('img', { name: /expected/ }).waitFor();
  await row.getByRole('button', { name: 'Run now' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Run now' }).click();
  await waitFor('its run', async () => {
    const [run] = await dashboard.query<{ id: string }>("SELECT id FROM task_run WHERE schedule = 'nightly'");
    return run?.id;
  });
  await page.getByRole('link', { name: 'nightly', exact: true }).click();
  await page.getByRole('heading', { name: 'Next 10' }).waitFor();
  await page.getByRole('row', { name: /Succeeded/ }).waitFor();
  expect(complaints).toEqual([]);
});

test('signing in needs no more than a key, and says why one is refused', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openDashboard();
  const page = await browser.newPage();
  await page.goto(dashboard.url);
  await page.getByLabel('API key').fill('sk_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('unknown, revoked or expired').waitFor();
  await page.getByLabel('API key').fill(await dashboard.createKey(TENANT));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
  const pages = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  expect(await pages.allTextContents()).toEqual([
    'Pipelines',
    'Tasks',
    'Workflows',
    'Failures',
    'Webhooks',
    'Audit',
    'People',
  ]);
});

/** A proxy that passes paths on as they come. */
async function startProxy(): Promise<{ url: string; target: (url: string) => void }> {
  let to = '';
  const proxy = createServer((incoming, outgoing) => {
    const { method, url = '/', headers } = incoming;
    const forwarded = ask(new URL(url, to), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.once('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = proxy.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}`, target: (url) => (to = url) };
}

test('behind a proxy that serves it under a path, links, calls and reloads stay under that path', async (context) => {
  const browser = await launchBrowser(context);
  const proxy = await startProxy();
  const dashboard = await openDashboard({
    DASHBOARD_BASE_PATH: '/ops/stratum',
    DASHBOARD_PUBLIC_URL: proxy.url,
  });
  proxy.target(dashboard.url);
  const page = await browser.newPage();
  const strays: string[] = [];
  page.on('request', (each) => {
    if (!new URL(each.url()).pathname.startsWith('/ops/stratum')) strays.push(each.url());
  });
  await page.goto(`${proxy.url}/ops/stratum#link=${await dashboard.createLink()}`);
  await page.getByRole('link', { name: 'Queues', exact: true }).click();
  const row = page.getByRole('row', { name: /^ml/ });
  await row.waitFor();
  expect(page.url()).toBe(`${proxy.url}/ops/stratum/queues`);
  await page.reload();
  await row.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await row.getByText('Paused').waitFor();
  await row.getByRole('link', { name: 'ml' }).click();
  await page.getByRole('heading', { level: 1, name: /ml/ }).waitFor();
  expect(page.url()).toBe(`${proxy.url}/ops/stratum/queues/ml`);
  expect(strays).toEqual([]);
});

test('several tabs share one stream, and all of them are live', async (context) => {
  const { page, dashboard } = await openPages(context);
  const tabs = [page];
  const streams: string[] = [];
  for (let n = 0; n < 8; n++) {
    const tab = await page.context().newPage();
    tab.on('request', (request) => {
      if (request.url().endsWith('/api/live')) streams.push(request.url());
    });
    await tab.goto(`${dashboard.url}/queues`);
    tabs.push(tab);
  }
  await dashboard.client.control.pause('ml');
  for (const tab of tabs.slice(1)) await tab.getByRole('row', { name: /^ml.*Paused/ }).waitFor();
  expect(streams).toEqual([]);
});
