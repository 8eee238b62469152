/** Snapshots of competitors, and addresses that the scanner refuses. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import type { LookupFunction } from 'node:net';
import { createIntelHandlers, AdLibrary } from '@stratum/intel-worker';
import { runTask, type TaskRun } from '@stratum/jobs/testing';
import { SANDBOX_CREDENTIALS, startSandbox, type Sandbox } from '@stratum/sandbox';
import { fetchCompetitorData, refreshAllCompetitors } from '@stratum/shared';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import { readSite } from '@stratum/connectors/sites';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';

const signal = new AbortController().signal;

async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; host: string }> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return { url: `http://${host}/`, host };
}

describe('the scanner', () => {
  test.each([
    'http://127.0.0.1/',
    'http://localhost/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://168.63.129.16/',
    'http://100.100.100.200/latest/meta-data/',
    'http://192.0.0.192/opc/v2/',
    'http://[fd00:ec2::254]/latest/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:a9fe:a9fe::1]/',
    'http://2852039166/',
    'http://0xa9.0376.43518/',
    'http://169.254.169.254./',
    'http://[64:ff9b::a83f:8110]/',
    'http://161.26.0.10/',
    'http://199.36.153.10/',
    'http://[2600:1f18::5efe:7f00:1]/',
    'http://100.64.0.1/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[fd12:3456::1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001:0:7f00:1::]/',
    'http://[::127.0.0.1]/',
    'http://[::7f00:1]/',
    'http://[::ffff:0:7f00:1]/',
    'http://[64:ff9b:1::7f00:1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[2001:db8::1]/',
    'http://[3fff::1]/',
    'http://[100::1]/',
    'http://[5f00::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://017700000001/',
    'http://0x7f.1/',
    'http://①②⑦.0.0.1/',
    'http://192.0.2.1/',
    'http://240.0.0.1/',
  ])('does not fetch %s', async (address) => {
    await expect(new SafeFetch().page(address, signal)).rejects.toThrow('not on the public internet');
  });

  test.each([
    ['ftp://example.com/', 'only http and https'],
    ['file:///etc/passwd', 'only http and https'],
    ['http://user:secret@example.com/', 'user name'],
    ['http://example.com:6379/', 'ports 80 and 443'],
    ['nonsense', 'not a URL'],
  ])('does not fetch %s', async (address, message) => {
    await expect(new SafeFetch().page(address, signal)).rejects.toThrow(message);
  });

  test('does not follow a name to an address inside, nor one that changes between question and connection', async () => {
    const asked: string[] = [];
    const answers = [['93.184.216.34'], ['127.0.0.1'], ['93.184.216.34', '10.0.0.1']];
    const resolve: LookupFunction = (hostname, _options, callback) => {
      asked.push(hostname);
      callback(
        null,
        (answers[asked.length - 1] ?? []).map((address) => ({ address, family: 4 })),
      );
    };
    const fetcher = new SafeFetch({ resolve, timeoutMs: 2_000 });
    // The first answer is public, whoever is there; the name is not asked again for that page.
    await fetcher.page('http://rebinding.test/', signal).catch(() => undefined);
    expect(asked).toEqual(['rebinding.test']);
    await expect(fetcher.page('http://inside.test/', signal)).rejects.toThrow('not on the public internet');
    await expect(fetcher.page('http://both.test/', signal)).rejects.toThrow('not on the public internet');
  });

  test('does not follow a redirect inside, nor for ever', async () => {
    const { url, host } = await serve((request, response) => {
      const target =
        request.url === '/inside'
          ? 'http://169.254.169.254/latest'
          : request.url === '/names'
            ? 'http://localhost:1/'
            : request.url === '/resolved'
              ? 'http://inside.test/'
              : '/again';
      response.writeHead(302, { location: target }).end();
    });
    const resolve: LookupFunction = (_hostname, _options, callback) =>
      callback(null, [{ address: '10.0.0.1', family: 4 }]);
    const fetcher = new SafeFetch({ allowedHosts: [host], resolve });
    await expect(fetcher.page(`${url}resolved`, signal)).rejects.toThrow('not on the public internet');
    await expect(fetcher.page(`${url}inside`, signal)).rejects.toThrow('not on the public internet');
    await expect(fetcher.page(`${url}names`, signal)).rejects.toThrow('ports 80 and 443');
    await expect(fetcher.page(`${url}again`, signal)).rejects.toThrow('more than 5 redirects');
  });

  test('does not read for ever, nor without bound', async () => {
    const { url, host } = await serve((request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      if (request.url === '/slow') return;
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    });
    await expect(
      new SafeFetch({ allowedHosts: [host], timeoutMs: 300 }).page(`${url}slow`, signal),
    ).rejects.toThrow('no answer in time');
    const fetcher = new SafeFetch({ allowedHosts: [host], maxBytes: 100_000 });
    const page = await fetcher.page(`${url}large`, signal);
    expect([page.body.length, page.isCut]).toEqual([100_000, true]);
    await expect(fetcher.send(`${url}large`, {}, signal)).rejects.toThrow('larger than 100000 bytes');
  });
});

describe('the facts of a page', () => {
  const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../../fixtures', name));
  const links = (...addresses: string[]): Buffer =>
    Buffer.from(addresses.map((address) => `<a href="${address}">x</a>`).join(''));

  test.each([
    [
      'in windows-1251',
      fixture('site-windows-1251.html'),
      {},
      { title: expect.stringMatching(/^[а-яА-Я ]+$/) },
    ],
    [
      'compressed without being asked',
      gzipSync('<title>Shop</title>'),
      { 'content-encoding': 'gzip' },
      { title: 'Shop' },
    ],
    [
      'beside share buttons',
      fixture('site-share-links.html'),
      {},
      { social: { facebook: 'https://www.facebook.com/realpage' } },
    ],
    [
      'beside the share buttons of every network',
      links(
        'https://www.facebook.com/dialog/share?app_id=1',
        'https://m.facebook.com/acme',
        'https://twitter.com/intent/tweet?text=x',
        'https://x.com/share?url=x',
        'https://x.com/acme',
        'https://www.linkedin.com/shareArticle?mini=true',
        'https://www.linkedin.com/sharing/share-offsite/?url=x',
        'https://www.linkedin.com/company/acme/',
        'https://www.pinterest.com/pin/create/button/?url=x',
        'https://www.pinterest.com/acme/',
        'https://www.youtube.com/watch?v=1',
        'https://www.youtube.com/@acme',
        'https://www.tiktok.com/share?url=x',
        'https://www.tiktok.com/@acme',
        'https://www.instagram.com/p/abc/',
        'https://www.instagram.com/acme/',
      ),
      {},
      {
        social: {
          facebook: 'https://m.facebook.com/acme',
          x: 'https://x.com/acme',
          linkedin: 'https://www.linkedin.com/company/acme/',
          pinterest: 'https://www.pinterest.com/acme/',
          youtube: 'https://www.youtube.com/@acme',
          tiktok: 'https://www.tiktok.com/@acme',
          instagram: 'https://www.instagram.com/acme/',
        },
      },
    ],
    [
      'beside dialogs, posts and photos',
      links(
        'https://www.facebook.com/v19.0/dialog/share?app_id=1',
        'https://www.facebook.com/profile.php?id=100064&ref=page',
        'https://x.com/customer/status/1',
        'https://x.com/acme?lang=en',
        'https://www.tiktok.com/@acme/video/7',
        'https://www.linkedin.com/company',
        'https://www.linkedin.com/company/acme/about/',
        'https://www.youtube.com/channel/UC1/videos',
        'https://www.instagram.com/acme/p/abc/',
      ),
      {},
      {
        social: {
          facebook: 'https://www.facebook.com/profile.php?id=100064',
          x: 'https://x.com/acme',
          tiktok: 'https://www.tiktok.com/@acme',
          linkedin: 'https://www.linkedin.com/company/acme',
          youtube: 'https://www.youtube.com/channel/UC1',
          instagram: 'https://www.instagram.com/acme',
        },
      },
    ],
    [
      'whose own title comes after that of a picture',
      '<svg><title>Logo</title></svg><body><title>Shop</title>',
      {},
      { title: 'Shop' },
    ],
    [
      'compressed without zlib’s frame',
      deflateRawSync('<title>Shop</title>'),
      { 'content-encoding': 'deflate' },
      { title: 'Shop' },
    ],
  ])('are read %s', async (_name, body, headers, expected) => {
    const { url, host } = await serve((request, response) => {
      if (request.url === '/robots.txt') response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(body);
    });
    expect(await readSite(new SafeFetch({ allowedHosts: [host] }), url, signal)).toMatchObject(expected);
  });

  test('are not read where a redirect leads to a host, or a page, that forbids it', async () => {
    const forbidding = await serve((request, response) => {
      response.end(request.url === '/robots.txt' ? 'User-agent: *\nDisallow: /' : '<title>Secret</title>');
    });
    const { url, host } = await serve((request, response) => {
      if (request.url === '/robots.txt') response.end('User-agent: *\nDisallow: /hidden');
      else response.writeHead(302, { location: request.url === '/' ? forbidding.url : '/hidden' }).end();
    });
    const fetcher = new SafeFetch({ allowedHosts: [host, forbidding.host] });
    await expect(readSite(fetcher, url, signal)).rejects.toThrow('disallows');
    await expect(readSite(fetcher, `${url}moved`, signal)).rejects.toThrow('disallows');
  });

  test('of the first 500 KiB of a large robots.txt count, whole lines alone', async () => {
    const rules = (last: string): string => {
      const filler = '# comment\n'.repeat(51_190);
      return `User-agent: *\n${filler}`.padEnd(500 * 1024 - 'Disallow: /'.length - 1, '#') + `\n${last}`;
    };
    let robots = `User-agent: *\nDisallow: /hidden\n${'# comment\n'.repeat(100_000)}`;
    const { url, host } = await serve((request, response) => {
      response.end(request.url === '/robots.txt' ? robots : '<title>Page</title>');
    });
    const fetcher = new SafeFetch({ allowedHosts: [host] });
    await expect(readSite(fetcher, `${url}hidden`, signal)).rejects.toThrow('disallows');
    robots = rules(`Disallow: /elsewhere\n`);
    expect(await readSite(fetcher, url, signal)).toMatchObject({ title: 'Page' });
  });
});

interface Intel extends Platform {
  sandbox: Sandbox;
  addCompetitor: (website: string, tenantId?: number) => Promise<number>;
}

async function openIntel(options: { adLibrary?: boolean } = {}): Promise<Intel> {
  const platform = await openPlatform();
  const sandbox = await startSandbox({ now: () => new Date('2026-11-20T12:00:00Z') });
  onTestFinished(() => sandbox.stop());
  const adLibrary = new AdLibrary({
    baseUrl: sandbox.endpoints.META_BASE_URL,
    accessToken: SANDBOX_CREDENTIALS.metaAccessToken,
    timeoutMs: 5_000,
  });
  const handlers = createIntelHandlers({
    pool: platform.database.as('stratum_intel_worker'),
    site: new SafeFetch({ allowedHosts: [new URL(sandbox.url).host] }),
    adLibrary: options.adLibrary === false ? undefined : adLibrary,
  });
  platform.startWorker('intel', handlers);
  return {
    ...platform,
    sandbox,
    addCompetitor: async (website, tenantId = TENANT) => {
      const [row] = await platform.query<{ id: string }>(
        `INSERT INTO competitor (tenant_id, name, website, page_id) VALUES ($1, 'Fjell & Co', $2, '4242') RETURNING id`,
        [tenantId, website],
      );
      return Number(row?.id);
    },
  };
}

const at = (day: number): { scheduledBy: { entry: string; tick: Date } } => ({
  scheduledBy: { entry: 'test', tick: new Date(Date.parse('2026-11-20T12:00:00Z') + day * 86_400_000) },
});

describe('a snapshot of a competitor', () => {
  test('records site and ads, and the next one records the differences', async () => {
    const { run, query, sandbox, addCompetitor } = await openIntel();
    const id = await addCompetitor(`${sandbox.url}/sites/fjell-and-co/`);
    const payload = { tenant_id: TENANT, competitor_id: id };
    const first = await run(fetchCompetitorData, payload, at(0));
    expect(first).toMatchObject({ competitor_id: id, new_ads: 0, stopped_ads: 0, changes: [] });
    expect(first.active_ads).toBeGreaterThan(3);
    expect(await query('SELECT site, site_problem, ads_problem FROM competitor_snapshot')).toEqual([
      {
        site: {
          url: `${sandbox.url}/sites/fjell-and-co/`,
          title: expect.stringContaining('fjell and co – '),
          description: expect.stringContaining('fjell and co: '),
          keywords: ['outdoor', 'boots', 'fjell and co'],
          social: {
            instagram: 'https://www.instagram.com/fjell-and-co',
            linkedin: 'https://www.linkedin.com/company/fjell-and-co',
          },
          technology: ['Sandbox', 'Shopify'],
        },
        site_problem: null,
        ads_problem: null,
      },
    ]);
    const stored = JSON.stringify(await query('SELECT * FROM competitor_ad'));
    expect(stored).not.toContain(SANDBOX_CREDENTIALS.metaAccessToken);
    const before = await query<{ external_id: string }>('SELECT external_id FROM competitor_ad');
    sandbox.advance(9);
    const second = await run(fetchCompetitorData, payload, at(9));
    const now = await query<{ external_id: string; gone: boolean }>(
      'SELECT external_id, gone_at IS NOT NULL AS gone FROM competitor_ad',
    );
    // A new ad every three days.
    expect(second.new_ads).toBe(3);
    expect(now.length - before.length).toBe(3);
    expect(second.stopped_ads).toBe(now.filter(({ gone }) => gone).length);
    expect(second.changes.some((change) => change.startsWith('title: “fjell and co – '))).toBe(true);
    expect(await run(fetchCompetitorData, payload, { ...at(9), id: 'again' })).toEqual(second);
    expect(await query('SELECT FROM competitor_snapshot')).toHaveLength(2);
  });

  test('reports a surge of new ads', async () => {
    const { run, query, sandbox, addCompetitor } = await openIntel();
    const id = await addCompetitor(`${sandbox.url}/sites/fjell/`);
    const payload = { tenant_id: TENANT, competitor_id: id };
    await run(fetchCompetitorData, payload, at(0));
    sandbox.advance(21);
    // Seven began in three weeks, one of them has ended; looks before found none.
    expect(await run(fetchCompetitorData, payload, at(21))).toMatchObject({ new_ads: 6 });
    const surge = { kind: 'competitor_surge', title: 'Fjell & Co runs many new ads' };
    expect(await query('SELECT kind, title, close_reason FROM alert')).toEqual([
      { ...surge, close_reason: null },
    ]);
    await run(fetchCompetitorData, payload, at(21.25));
    expect(await query('SELECT kind, title, close_reason FROM alert')).toEqual([
      { ...surge, close_reason: 'no more new ads than usual' },
    ]);
  });

  /** Runs a look without the broker: a library of ads, and a site, that say what the test wants. */
  async function look({
    website,
    ads = [],
    retries = 0,
  }: {
    website: string;
    ads?: unknown[][];
    retries?: number;
  }): Promise<{ run: TaskRun; query: Platform['query'] }> {
    const { database, query } = await openPlatform();
    const library = await serve((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://library');
      const page = Number(searchParams.get('after') ?? 0);
      const more = page + 1 < ads.length;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          data: ads[page] ?? [],
          paging: more ? { cursors: { after: String(page + 1) }, next: 'more' } : {},
        }),
      );
    });
    await query(
      `INSERT INTO competitor (tenant_id, id, name, website, page_id) VALUES (1, 1, 'Fjell & Co', $1, '4242')`,
      [website],
    );
    const handlers = createIntelHandlers({
      pool: database.as('stratum_intel_worker'),
      site: new SafeFetch({ allowedHosts: [website.replace(/^https?:\/\//, '').replace(/\/$/, '')] }),
      adLibrary: new AdLibrary({ baseUrl: library.url.slice(0, -1), accessToken: 't', timeoutMs: 5_000 }),
    });
    const handler = handlers.find(({ contract }) => contract.name === fetchCompetitorData.name);
    if (handler === undefined) throw new Error('no handler');
    return { run: await runTask(handler, { tenant_id: TENANT, competitor_id: 1 }, { retries }), query };
  }

  test('reports the ads when the site stays down, instead of failing permanently', async () => {
    const { url } = await serve((_request, response) => {
      response.statusCode = 503;
      response.end();
    });
    const ads = [[{ id: '1', ad_creative_bodies: ['Buy'] }]];
    expect((await look({ website: url, ads })).run).toMatchObject({ outcome: 'retry' });
    const { run, query } = await look({ website: url, ads, retries: 3 });
    expect(run).toMatchObject({ outcome: 'succeeded', result: { active_ads: 1 } });
    expect(await query('SELECT site, site_problem FROM competitor_snapshot')).toEqual([
      { site: null, site_problem: 'its robots.txt cannot be read now' },
    ]);
  });

  test('handles an ad on two pages, characters that the database refuses, and an address without a scheme', async () => {
    // The end of what is kept of a description falls into the middle of a character.
    const { host } = await serve((request, response) => {
      response.statusCode = request.url === '/robots.txt' ? 404 : 200;
      response.end(`<title>Fjell</title><meta name="description" content="${'x'.repeat(999)}😀">`);
    });
    const twice = { id: '1', ad_creative_bodies: ['Buy\0now', '\ud800'] };
    const { run, query } = await look({ website: `http://${host}`, ads: [[twice], [twice, { id: '2' }]] });
    expect(run).toMatchObject({ outcome: 'succeeded', result: { active_ads: 2 } });
    expect(await query('SELECT external_id, text FROM competitor_ad ORDER BY 1')).toEqual([
      { external_id: '1', text: 'Buy\uFFFDnow\n\uFFFD' },
      { external_id: '2', text: null },
    ]);
    expect(await query(`SELECT site ->> 'title' AS title FROM competitor_snapshot`)).toEqual([
      { title: 'Fjell' },
    ]);
    const problem = `SELECT site_problem FROM competitor_snapshot`;
    // No server of ours speaks TLS: that it was asked is what counts.
    const bare = await look({ website: host, retries: 3 });
    expect(await bare.query(problem)).toEqual([
      { site_problem: expect.stringContaining('the connection failed') },
    ]);
    const none = await look({ website: 'not an address' });
    expect(await none.query(problem)).toEqual([{ site_problem: 'the address is not a URL' }]);
  });

  test('a page that is made to be slow to parse costs its own task alone, and is not tried again', async () => {
    const pages = {
      attributes: `<div ${Array.from({ length: 250_000 }, (_, index) => `a${index}`).join(' ')}>`,
      tags: '<div>'.repeat(400_000),
      depth: '<div>'.repeat(99_000),
      robots: '',
    };
    let beats = 0;
    const heart = setInterval(() => beats++, 20);
    onTestFinished(() => clearInterval(heart));
    const looks = Object.entries(pages).map(async ([name, page]) => {
      const { url } = await serve((request, response) => {
        const isRobots = request.url === '/robots.txt';
        const rules = `User-agent: *\n${`Disallow: /${'*a'.repeat(2_000)}$\n`.repeat(20)}`;
        response.end(isRobots ? (name === 'robots' ? rules : 'User-agent: *') : page);
      });
      const { run, query } = await look({ website: url });
      expect(run, name).toMatchObject({ outcome: 'succeeded' });
      const [row] = await query<{ site_problem: string | null }>(
        'SELECT site_problem FROM competitor_snapshot',
      );
      return [name, row?.site_problem];
    });
    const problems = Object.fromEntries(await Promise.all(looks));
    expect(problems).toMatchObject({
      attributes: expect.stringContaining('attributes'),
      tags: expect.stringMatching(/tags|deeper/),
      depth: expect.stringContaining('deeper'),
    });
    for (const problem of Object.values(problems))
      if (problem !== null) expect(problem).toMatch(/the page|a tag/);
    // This process went on with other work all the time.
    expect(beats).toBeGreaterThan(10);
  });

  test('leaves fields unknown that it may not or cannot read', async () => {
    const { run, query, sandbox, addCompetitor } = await openIntel({ adLibrary: false });
    const id = await addCompetitor(`${sandbox.url}/sites/private/`);
    expect(await run(fetchCompetitorData, { tenant_id: TENANT, competitor_id: id }, at(0))).toMatchObject({
      active_ads: null,
      new_ads: null,
    });
    expect(await query('SELECT site, site_problem, ads_problem FROM competitor_snapshot')).toEqual([
      {
        site: null,
        site_problem: 'its robots.txt disallows the page',
        ads_problem: 'no access to the ad library',
      },
    ]);
    await query(`UPDATE competitor SET website = 'http://169.254.169.254/'`);
    await run(fetchCompetitorData, { tenant_id: TENANT, competitor_id: id }, at(1));
    const problems = await query(
      'SELECT site_problem FROM competitor_snapshot ORDER BY taken_at DESC LIMIT 1',
    );
    expect(problems).toEqual([{ site_problem: 'the address is not on the public internet' }]);
  });

  test('is asked for each competitor of each tenant', async () => {
    const { run, client, addCompetitor, sandbox } = await openIntel();
    await addCompetitor(`${sandbox.url}/sites/a/`);
    const theirs = await addCompetitor(`${sandbox.url}/sites/b/`, OTHER_TENANT);
    expect(await run(refreshAllCompetitors, {}, at(0))).toEqual({ enqueued: 2 });
    const slot = Date.parse('2026-11-20T12:00:00Z');
    expect(await client.result(`fetch_competitor_data-${slot}-${OTHER_TENANT}-${theirs}`)).toMatchObject({
      state: 'SUCCESS',
    });
    const stranger = await client.enqueue(fetchCompetitorData, { tenant_id: TENANT, competitor_id: theirs });
    expect(await client.result(stranger.id)).toMatchObject({
      state: 'FAILURE',
      error: { message: `There is no competitor ${theirs}.` },
    });
  });
});
