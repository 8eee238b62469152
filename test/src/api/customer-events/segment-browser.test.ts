/** Segment's library for browsers, in a real one, on a page of another origin. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { launchBrowser } from '../../harness/browser/launch-browser.js';
import { openEventsApi } from './fixture.js';

/** A page with the script that the guide shows: nothing but the address differs from Segment's own. */
async function page(writeKey: string, url: string, options: string): Promise<string> {
  const script = await readFile(
    fileURLToPath(new URL('../../docs/examples/segment-browser.js', import.meta.url)),
    'utf8',
  );
  return `<!doctype html>
<title>Boots</title>
<script src="/analytics.js"></script>
<script>
  const [writeKey, cdnURL, options] = ['${writeKey}', '${url}', ${options}];
  ${script}
</script>`;
}

/** The library's file for browsers, and a page that uses it. */
async function servePage(html: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const library = join(dirname(require.resolve('@segment/analytics-next/package.json')), 'dist/umd/index.js');
  const folder = dirname(library);
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8').end(html);
      return;
    }
    const file = path === '/analytics.js' ? library : join(folder, path.replaceAll('..', ''));
    readFile(file).then(
      (content) => response.setHeader('content-type', 'text/javascript').end(content),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
}

test.for([
  ['one by one', '{}'],
  [
    'in batches',
    `{ integrations: { 'Segment.io': { deliveryStrategy: { strategy: 'batching', config: { size: 2, timeout: 200 } } } } }`,
  ],
])('@segment/analytics-next in Chromium works unchanged, sending %s', async ([, options = ''], context) => {
  const browser = await launchBrowser(context);
  const api = await openEventsApi();
  api.startIngestion();
  const base = api.url.replace(/\/$/, '');
  const address = await servePage(await page(api.writeKey, base, options));
  const tab = await browser.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  tab.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('favicon')) problems.push(message.text());
  });
  tab.on('pageerror', (error) => problems.push(error.message));
  tab.on('request', (request) => requests.push(request.url()));
  await tab.goto(address);
  const events = await api.stored(4);
  expect(events.map(({ name }) => name).toSorted()).toEqual([
    'Order Completed',
    'Page Viewed',
    'Product Viewed',
    'User Identified',
  ]);
  expect(new Set(events.map(({ profile_id: id }) => id)).size).toBe(1);
  expect(events.find(({ type }) => type === 'page')?.properties).toMatchObject({
    name: 'Boots',
    url: address,
  });
  const profiles = await api.query(
    'SELECT external_id, traits, total_events::int, total_revenue::float8 FROM cdp_profile',
  );
  expect(profiles).toEqual([
    { external_id: 'u-1', traits: { plan: 'pro' }, total_events: 4, total_revenue: 25 },
  ]);
  // Everything went here, and nothing to anybody else.
  expect(requests.filter((url) => !url.startsWith(base) && !url.startsWith(address))).toEqual([]);
  expect(problems.filter((text) => !text.includes('404'))).toEqual([]);
});
