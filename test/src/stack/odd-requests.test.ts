/** Requests that no client of ours sends, byte by byte, at every door that listens: API, dashboard, metrics and health. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { startMonitoring } from '@stratum/shared/service';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { openApi } from '../api/fixture.js';
import { openDashboard } from '../dashboard/fixture.js';

/** Stands for the address of the door. */
const HOST = 'door.invalid';
const close = 'Connection: close\r\n';

type Bytes = string | Uint8Array;

/** Sends bytes, and resolves with everything that came back until the server ended, or until a first answer where it may go on. */
async function exchange(url: string, sent: readonly Bytes[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  let answer = '';
  const endsItself = sent.some((bytes) => typeof bytes === 'string' && bytes.includes(close));
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (!endsItself) socket.end();
  });
  // A reset after the answer takes nothing from it.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const bytes of sent) {
    if (socket.destroyed) break;
    const own = typeof bytes === 'string' ? bytes.replaceAll(HOST, `${hostname}:${port}`) : bytes;
    if (!socket.write(own)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  await closed;
  return answer;
}

const statuses = (answer: string): number[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));

const get = (target: string, head = ''): string => `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\n${head}\r\n`;
const post = (path: string, head: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\n${head}\r\n`;

/** By what they try; each has an answer that is no fault of the server, or a closed connection. */
const ODD: Readonly<Record<string, readonly Bytes[]>> = {
  'a target without a path': [get('//', close)],
  'a target with another host': [get('http://evil.example/healthz', close)],
  'a target of an address that is none': [get('http://[::/', close)],
  'a target of a broken escape': [get('/%zz%', close)],
  'a target that leaves its folder': [get('/..%2f..%2fetc/passwd', close)],
  'a NUL in the target': [get('/\0', close)],
  'a target of 100 KB': [get(`/${'x'.repeat(100_000)}`, close)],
  '5,000 parameters': [get(`/healthz?${'a=1&'.repeat(2_500)}`, close)],
  'a parameter of brackets': [get('/healthz?a[b][c][__proto__]=1', close)],
  'all of the server': ['OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  'a tunnel': ['CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
  'a trace': [`TRACE / HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  'a method of its own': [`STEAL / HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  'no host': ['GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'],
  'two hosts': ['GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'],
  'an older version': ['GET /healthz HTTP/0.9\r\n\r\n'],
  'a version that is none': ['GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n'],
  'HTTP/2 without asking': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'an upgrade': [get('/healthz', `${close}Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n`)],
  'TLS on a plain port': [Buffer.from('160301020001000001fc0303', 'hex')],
  'a header of 100 KB': [get('/healthz', `${close}X: ${'x'.repeat(100_000)}\r\n`)],
  '5,000 headers': [get('/healthz', `${close}${'X: 1\r\n'.repeat(5_000)}`)],
  'a folded header': [get('/healthz', `${close}X: 1\r\n 2\r\n`)],
  'a header without a name': [get('/healthz', `${close}: 1\r\n`)],
  'lines without a carriage return': ['GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n'],
  'two lengths': [post('/v1/track', 'Content-Length: 2\r\nContent-Length: 3\r\n'), '{}'],
  'a length and chunks': [
    post('/v1/track', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n'),
    '0\r\n\r\n',
  ],
  'chunks in disguise': [post('/v1/track', 'Transfer-Encoding: xchunked\r\n'), '0\r\n\r\n'],
  'chunks twice': [post('/v1/track', 'Transfer-Encoding: chunked, chunked\r\n'), '0\r\n\r\n'],
  'a chunk of a negative length': [post('/v1/track', 'Transfer-Encoding: chunked\r\n'), '-1\r\n{}\r\n'],
  'a chunk of an endless length': [
    post('/v1/track', 'Transfer-Encoding: chunked\r\n'),
    'fffffffffffffffff\r\n{',
  ],
  'a length beyond every number': [post('/v1/track', 'Content-Length: 99999999999999999999\r\n'), '{'],
  'an expectation that nobody meets': [
    post('/v1/track', `${close}Expect: 200-ok\r\nContent-Length: 2\r\n`),
    '{}',
  ],
  'a body only after a word, without a key': [
    post('/v1/workflows', `${close}Expect: 100-continue\r\nContent-Length: 500000\r\n`),
  ],
  'a body in gzip three times': [
    post('/v1/track', `${close}Content-Encoding: gzip, gzip, gzip\r\nContent-Length: 20\r\n`),
    gzipSync('').subarray(0, 20),
  ],
  'a body in an encoding that is none': [
    post('/v1/track', `${close}Content-Encoding: evil\r\nContent-Length: 2\r\n`),
    '{}',
  ],
};

/** What each door answers to an honest request afterwards. */
async function expectWell(url: string): Promise<void> {
  expect(statuses(await exchange(url, [get('/healthz', close)]))).toEqual([200]);
}

async function doors(): Promise<Record<string, string>> {
  const api = await openApi({ API_REQUEST_TIMEOUT: '2' });
  const dashboard = await openDashboard();
  const metrics = await startMonitoring({
    port: 0,
    registry: new Registry(),
    connection: api.connection,
  });
  onTestFinished(() => metrics.stop());
  return { api: api.url, dashboard: dashboard.url, metrics: `http://127.0.0.1:${metrics.port}` };
}

test('no door fails at an odd request, or hangs on one', async () => {
  for (const [door, url] of Object.entries(await doors())) {
    for (const [what, sent] of Object.entries(ODD)) {
      const answer = await exchange(url, sent);
      const bad = statuses(answer).filter((status) => status >= 500 && status !== 501 && status !== 505);
      expect(bad, `${door}: ${what}: ${answer.slice(0, 200)}`).toEqual([]);
      expect(answer, `${door}: ${what}`).not.toMatch(/\bat \S+ \(.*:\d+:\d+\)|node_modules/);
    }
    await expectWell(url);
  }
});

test('two requests in one, and a second one behind a refused body, are never taken for one sender’s', async () => {
  const api = await openApi();
  const smuggled = `POST /v1/tasks/evaluate_rules HTTP/1.1\r\nHost: x\r\n${close}Authorization: Bearer ${api.keys.tenant}\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"payload":{}}`;
  const waiting = async (): Promise<number> =>
    (await api.client.queues()).find(({ queue }) => queue === 'rules')?.normal ?? -1;
  for (const head of [
    'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    'Transfer-Encoding : chunked\r\nContent-Length: 4\r\n',
    'Content-Length: 4\r\nContent-Length: 5\r\n',
    'Transfer-Encoding: identity, chunked, identity\r\n',
  ]) {
    const answer = await exchange(api.url, [post('/v1/track', head), '0\r\n\r\n', smuggled]);
    expect(statuses(answer), head).toEqual([400]);
  }
  expect(await waiting()).toBe(0);
  // An honest second request on the connection is answered.
  expect(statuses(await exchange(api.url, [get('/healthz'), smuggled]))).toEqual([200, 202]);
  expect(await waiting()).toBe(1);
});

test('a thousand requests that are sent without waiting are answered in order, or the rest is refused', async () => {
  const api = await openApi({ API_RATE_LIMIT: '100' });
  const key = `Authorization: Bearer ${api.keys.tenant}\r\n`;
  const expectations: readonly [string, readonly number[]][] = [
    [key, [200, 429]],
    ['', [401, 429]],
  ];
  for (const [head, expected] of expectations) {
    const requests = get('/v1/tasks', head).repeat(1_000);
    const found = statuses(await exchange(api.url, [requests, get('/v1/tasks', `${head}${close}`)]));
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((status) => !expected.includes(status))).toEqual([]);
  }
  await expectWell(api.url);
});

test('a body in chunks without an end is refused at the limit, compressed or not', async () => {
  const api = await openApi({ API_BODY_LIMIT: '100000', API_REQUEST_TIMEOUT: '2' });
  const key = `Authorization: Bearer ${api.keys.tenant}\r\n`;
  const chunk = (bytes: Uint8Array): Uint8Array =>
    Buffer.concat([Buffer.from(`${bytes.byteLength.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  const before = process.memoryUsage().rss;
  const large = Buffer.alloc(1_000_000, ' ');
  for (const [encoding, bytes] of [
    ['', large],
    ['Content-Encoding: gzip\r\n', gzipSync(large)],
    ['Content-Encoding: deflate\r\n', deflateSync(large)],
  ] as const)
    for (const who of ['', key]) {
      const sent = [post('/v1/workflows', `${who}${encoding}Transfer-Encoding: chunked\r\n`)];
      const answer = await exchange(api.url, [...sent, ...Array.from({ length: 50 }, () => chunk(bytes))]);
      // The answer may be lost with the reset of a connection that goes on sending.
      expect(
        statuses(answer).every((status) => [400, 401, 408, 413].includes(status)),
        answer,
      ).toBe(true);
    }
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  await expectWell(api.url);
});
