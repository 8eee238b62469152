/** Clients that are slow, give up, or send too much; and parts behind the API that are away. */
import { gzipSync, brotliCompressSync } from 'node:zlib';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { connectToNats } from '@stratum/jobs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tcpProxy, waitFor, type TcpProxy } from '../harness/index.js';
import { openApi, type Api } from './fixture.js';

const ENQUEUE = '/v1/tasks/evaluate_rules';

async function openSocket(api: Api): Promise<{ socket: Socket; received: () => string }> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return { socket, received: () => text };
}

function head(api: Api, length: number): string {
  return `POST ${ENQUEUE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.keys.tenant}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
}

async function waiting(api: Api): Promise<number> {
  const queues = await api.client.queues();
  return queues.find(({ queue }) => queue === 'rules')?.normal ?? -1;
}

describe('a client', () => {
  test('that compresses is accepted; a body that expands too far is refused while it is read', async () => {
    const api = await openApi({ API_BODY_LIMIT: '10000' });
    const send = (body: Uint8Array, encoding: string): ReturnType<Api['call']> =>
      api.call('POST', ENQUEUE, {
        body,
        headers: { 'content-type': 'application/json', 'content-encoding': encoding },
      });
    const small = JSON.stringify({ payload: {} });
    expect(await send(gzipSync(small), 'gzip')).toMatchObject({ status: 202 });
    expect(await send(brotliCompressSync(small), 'br')).toMatchObject({ status: 202 });
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, ' '));
    expect(bomb.byteLength).toBeLessThan(250_000);
    const before = process.memoryUsage().rss;
    expect(await send(gzipSync(Buffer.alloc(5_000_000, ' ')), 'gzip')).toMatchObject({ status: 413 });
    const refused = await send(bomb, 'gzip').catch(() => ({ status: 413 }));
    expect(refused).toMatchObject({ status: 413 });
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
    expect(await send(Buffer.from('not gzip'), 'gzip')).toMatchObject({ status: 400 });
    expect(await send(gzipSync(gzipSync(small)), 'gzip, gzip')).toMatchObject({ status: 415 });
    expect(await api.call('GET', '/healthz', { key: null })).toMatchObject({ status: 200 });
  });

  test('that sends too much gets 413', async () => {
    const api = await openApi({ API_BODY_LIMIT: '10000' });
    const body = { payload: { note: 'x'.repeat(20_000) } };
    expect(await api.call('POST', ENQUEUE, { body })).toMatchObject({
      status: 413,
      body: { type: '/problems/too-large' },
    });
  });

  test('that breaks off in the middle of a body leaves nothing behind', async () => {
    const api = await openApi();
    const { socket } = await openSocket(api);
    const body = JSON.stringify({ payload: {} });
    socket.write(head(api, body.length) + body.slice(0, -1));
    await api.call('GET', '/healthz', { key: null });
    socket.destroy();
    await once(socket, 'close');
    expect(await api.call('POST', ENQUEUE, { body: { payload: {} } })).toMatchObject({ status: 202 });
    expect(await waiting(api)).toBe(1);
  });

  test.each([
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
    ['a path that is too long', `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
    ['an unknown version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', 400],
    ['a negative length', 'POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
    [
      'two lengths',
      'POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n', 400],
  ])('that sends %s learns why, and that its connection ends', async (_what, bytes, status) => {
    const api = await openApi();
    const { socket, received } = await openSocket(api);
    socket.write(bytes);
    await once(socket, 'close');
    const [headers = '', body = ''] = received().split('\r\n\r\n');
    expect(headers).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(headers.toLowerCase()).toContain('\r\nconnection: close');
    expect(headers).toContain('content-type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ status, type: expect.stringMatching(/^\/problems\//) });
  });

  test('that sends its body too slowly is cut off', async () => {
    const api = await openApi({ API_REQUEST_TIMEOUT: '1' });
    const { socket, received } = await openSocket(api);
    socket.write(`${head(api, 1_000)}{`);
    await once(socket, 'close');
    expect(received()).toContain(' 408 ');
    expect(await waiting(api)).toBe(0);
  });

  test('that waits for events and never reads does not hold up the end of the server', async () => {
    const api = await openApi();
    const { body } = await api.call('POST', ENQUEUE, { body: { payload: {} } });
    const { socket, received } = await openSocket(api);
    socket.write(
      `GET /v1/tasks/${String(body['id'])}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.keys.tenant}\r\n\r\n`,
    );
    await waitFor('the stream to be open', () => received().includes('text/event-stream'));
    const closed = once(socket, 'close');
    await api.stop();
    await closed;
    expect(received()).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('while a part is away', () => {
  test('the broker: nothing is accepted, and the caller gets Retry-After', async () => {
    let proxy: TcpProxy | undefined;
    const api = await openApi(
      {},
      {
        connect: async (natsUrl) => {
          proxy = await tcpProxy(natsUrl);
          const connection = await connectToNats({ servers: proxy.url, name: 'cut-api' });
          onTestFinished(() => connection.close());
          return connection;
        },
      },
    );
    const post = (): ReturnType<Api['call']> => api.call('POST', ENQUEUE, { body: { payload: {} } });
    const isReady = async (): Promise<boolean> =>
      (await api.call('GET', '/readyz', { key: null })).status === 200;
    expect(await post()).toMatchObject({ status: 202 });
    proxy?.cut();
    const refused = await post();
    expect(refused).toMatchObject({ status: 503, body: { type: '/problems/unavailable' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await isReady()).toBe(false);
    expect(await api.call('GET', '/healthz', { key: null })).toMatchObject({ status: 200 });
    proxy?.heal();
    await waitFor('the API to be ready again', isReady);
    expect(await post()).toMatchObject({ status: 202 });
    expect(await waiting(api)).toBe(2);
  });

  test('the database: keys cannot be checked, so it is a 503 and no 401', async () => {
    let proxy: TcpProxy | undefined;
    const api = await openApi(async ({ database }) => {
      proxy = await tcpProxy(database.url);
      const url = new URL(database.url);
      url.host = new URL(proxy.url).host;
      return { DATABASE_URL: url.href, DATABASE_STATEMENT_TIMEOUT: '1' };
    });
    expect(await api.call('GET', '/v1/tasks')).toMatchObject({ status: 200 });
    proxy?.cut();
    expect(await api.call('GET', '/v1/tasks')).toMatchObject({
      status: 503,
      body: { type: '/problems/unavailable' },
    });
    expect(await api.call('GET', '/readyz', { key: null })).toMatchObject({ status: 503 });
    expect(await api.call('GET', '/healthz', { key: null })).toMatchObject({ status: 200 });
    proxy?.heal();
    await waitFor(
      'it to be ready',
      async () => (await api.call('GET', '/readyz', { key: null })).status === 200,
    );
    expect(await api.call('GET', '/v1/tasks')).toMatchObject({ status: 200 });
  });
});
