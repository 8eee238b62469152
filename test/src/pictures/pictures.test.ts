/** Takes the pictures of the documentation: `npm run pictures`. Each page in both themes, as WebP, which the browser writes itself. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDashboard } from '../dashboard/fixture.js';
import { goTo } from '../dashboard/furnished.js';
import { launchBrowser } from '../harness/browser/launch-browser.js';
import { waitFor } from '../harness/index.js';
import { TENANT } from '../harness/platform.js';
import { setScene } from './scene.js';

const FOLDER = new URL('../../../docs/operate/dashboard/', import.meta.url).pathname;
const VIEW = { width: 1280, height: 800 };
const THEMES = ['light', 'dark'] as const;
const QUALITY = 72;
/** All pictures together, in bytes. */
const BUDGET = 1_500_000;

const PAGES: readonly [name: string, path: string][] = [
  ['overview', '/overview'],
  ['tasks', '/tasks?q=tenant:1'],
  ['task', '/tasks/sync-meta-act-4470'],
  ['workflow', '/workflows/spring-campaign-refresh'],
  ['workflows', '/workflows'],
  ['failures', '/failures'],
  ['queues', '/queues'],
  ['workers', '/workers'],
  ['schedules', '/schedules'],
  ['tenants', '/tenants'],
  ['tenant', `/tenants/${TENANT}`],
  ['pipelines', '/pipelines'],
  ['pipeline', `/pipelines/${TENANT}`],
  ['webhooks', '/webhooks'],
  ['operations', '/operations'],
  ['people', '/people'],
];

test('every page is taken in both themes, all together within the budget', async (context) => {
  const browser = await launchBrowser(context);
  const dashboard = await openDashboard();
  await setScene(dashboard);
  const tabs = await browser.newContext({ viewport: VIEW });
  const page = await tabs.newPage();
  const debug = await tabs.newCDPSession(page);
  await page.goto(`${dashboard.url}/#link=${await dashboard.createLink()}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await mkdir(FOLDER, { recursive: true });
  let bytes = 0;
  for (const [name, path] of PAGES) {
    await goTo(page, dashboard, path);
    // A page counts for 150 ms; a busy machine may need another look.
    await waitFor(`all of ${path}`, async () => {
      if ((await page.getByText('Counted back to').count()) === 0) return true;
      await page.getByRole('button', { name: /^(Refresh|[\d,]+ new events?)$/ }).click();
      return false;
    });
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      const { data } = await debug.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
      const picture = Buffer.from(data, 'base64');
      bytes += picture.length;
      await writeFile(join(FOLDER, `${name}-${theme}.webp`), picture);
    }
  }
  expect(bytes).toBeLessThan(BUDGET);
});
