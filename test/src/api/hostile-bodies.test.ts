/** Bodies that cost much and bring nothing: who sends them is known first, and they take room from nobody else. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openEventsApi } from './customer-events/fixture.js';
import { openApi, TENANT } from './fixture.js';

const track = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  event: 'Seen',
  userId: 'u-1',
  ...more,
});

interface Slow {
  socket: Socket;
  received: () => string;
}

/** Announces a body and sends some of it. */
async function announce(url: string, path: string, sent: string, headers = ''): Promise<Slow> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  let text = '';
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await once(socket, 'connect');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n${headers}\r\n${sent}`);
  return { socket, received: () => text };
}

test('senders that announce bodies and send a byte, or half of them, keep nobody out', async () => {
  const { url, send, call, writeKey } = await openEventsApi({ INGEST_MEMORY_LIMIT: '2000000' });
  const half = 'x'.repeat(250_000);
  const slow = await Promise.all(
    Array.from({ length: 60 }, (_, index) => announce(url, '/v1/track', index % 2 === 0 ? '{' : half)),
  );
  await waitFor('some to give way', () => slow.some(({ received }) => received().includes(' 503 ')));
  for (let count = 0; count < 5; count++) {
    expect(await send('/v1/track', track())).toMatchObject({ status: 200 });
    // A browser's key is in the body: before it is read, the sender is the address of the slow ones.
    const body = track({ writeKey, properties: { text: 'x'.repeat(20_000) } });
    expect(await call('POST', '/v1/t', { key: null, body })).toMatchObject({ status: 200 });
  }
});

test('a webhook address that does not exist, and a wrong key, are refused before the body', async () => {
  const { url } = await openApi();
  const paths = [`/webhooks/github/${'a'.repeat(24)}`, '/webhooks/nobody/x', '/v1/workflows'];
  const answers = await Promise.all(
    paths.map(async (path) => {
      const { received } = await announce(url, path, '', 'Content-Type: application/json\r\n');
      return waitFor('an answer', () => /^HTTP\/1.1 (\d+)/.exec(received())?.[1]);
    }),
  );
  expect(answers).toEqual(['404', '404', '401']);
});

test('a small body that unpacks to very many events gets a small answer', async () => {
  const { call, writeKey, send } = await openEventsApi();
  const bomb = (count: number): Uint8Array =>
    gzipSync(`{"batch":[${Array.from({ length: count }, () => '{}').join(',')}]}`);
  const post = (body: Uint8Array) =>
    call('POST', '/v1/batch', {
      key: null,
      body,
      headers: {
        authorization: `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`,
        'content-encoding': 'gzip',
      },
    });
  for (const count of [170_000, 2_501])
    expect(await post(bomb(count))).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/2500 events|250000 values/) },
    });
  const refused = await post(bomb(2_500));
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.body).length).toBeLessThan(20_000);
  const mixed = await send('/v1/batch', {
    batch: [track({ type: 'track' }), ...Array.from({ length: 2_000 }, () => ({}))],
  });
  expect(mixed.status).toBe(200);
  expect(JSON.stringify(mixed.body).length).toBeLessThan(20_000);
});

test('JSON is bounded in depth, fields and values, before it is parsed', async () => {
  const { call } = await openApi({ API_BODY_LIMIT: '10000000' });
  const bodies = [
    [`{${Array.from({ length: 100_001 }, (_, index) => `"k${index}":1`).join(',')}}`, 'fields'],
    [`{${Array.from({ length: 10_001 }, (_, index) => `"k${index}":1`).join(',')}}`, 'different names'],
    [`{"chain":${'['.repeat(400_000)}${']'.repeat(400_000)}}`, 'levels'],
    [`{"chain":[${'1,'.repeat(300_000)}1]}`, 'values'],
    ['{"__proto__":{"a":1}}', '__proto__'],
  ] as const;
  for (const [body, complaint] of bodies) {
    const headers = { 'content-type': 'application/json' };
    const refused = await call('POST', '/v1/workflows', { body, headers });
    expect(refused, complaint).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining(complaint) },
    });
    expect(JSON.stringify(refused.body).length).toBeLessThan(2_000);
  }
  const fields = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`field${index}`, 1]));
  const odd = await call('POST', '/v1/keys', { body: { name: 'x', scopes: ['tasks:read'], ...fields } });
  expect(odd.status).toBe(422);
  expect(JSON.stringify(odd.body).length).toBeLessThan(10_000);
  const steps = Array.from({ length: 5_000 }, () => ({ task: 1 }));
  const many = await call('POST', '/v1/workflows', { body: { chain: steps } });
  expect(many.status).toBe(422);
  expect(JSON.stringify(many.body).length).toBeLessThan(50_000);
});

test('of many large bodies that arrive at once and are no use, a few are read', async () => {
  const { call } = await openApi();
  const body = `{"chain":[${'[]'.padEnd(500_000)}}`;
  const headers = { 'content-type': 'application/json' };
  const answers = await Promise.all(
    Array.from({ length: 24 }, () => call('POST', '/v1/workflows', { body, headers })),
  );
  const read = answers.filter(({ status }) => status === 400);
  expect(read.length).toBeLessThan(12);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(answers.length - read.length);
});

test('whole numbers keep their digits, or are refused by the name of their field', async () => {
  const { call, accepted, writeKey } = await openEventsApi();
  const headers = { 'content-type': 'application/json' };
  const post = (path: string, body: string) => call('POST', path, { body, headers });
  expect(
    await post('/v1/tasks/evaluate_rules', '{"payload":{"campaigns":[{"id":9007199254740993}]}}'),
  ).toMatchObject({
    status: 422,
    body: { errors: [expect.objectContaining({ field: 'body.payload.campaigns.0.id' })] },
  });
  expect(await call('DELETE', '/v1/sources/9007199254740993')).toMatchObject({ status: 400 });
  expect(await call('GET', '/v1/keys', { headers: { 'stratum-tenant': '9007199254740993' } })).toMatchObject({
    status: 403,
  });
  const event = `{"event":"Seen","userId":"u","writeKey":"${writeKey}","properties":{"order":12345678901234567890,"small":7}}`;
  expect(await call('POST', '/v1/track', { key: null, body: event })).toMatchObject({ status: 200 });
  expect(await accepted()).toMatchObject([{ properties: { order: '12345678901234567890', small: 7 } }]);
});

test('a text that cannot be stored is refused by its field, and so is a tenant that does not exist', async () => {
  const { call, keys } = await openApi();
  for (const text of ['a\u0000b', 'a\ud800'])
    for (const [path, body, field] of [
      ['/v1/webhooks', { source: 'generic', name: 'x', settings: { prefix: text } }, 'body.settings.prefix'],
      [
        '/v1/webhooks',
        { source: 'generic', name: 'x', settings: { tasks: [{ on: text, task: 'evaluate_rules' }] } },
        'body.settings.tasks.0.on',
      ],
      ['/v1/workflows', { task: 'evaluate_rules', payload: { note: [text] } }, 'body.payload.note.0'],
      ['/v1/schedules', { name: 'x', payload: { [text]: 1 } }, `body.payload.${text}`],
    ] as const)
      expect(await call('POST', path, { body }), field).toMatchObject({
        status: 422,
        body: { errors: [expect.objectContaining({ field })] },
      });
  const nobody = { key: keys.platform, headers: { 'stratum-tenant': '999' } };
  for (const [method, path, body] of [
    ['POST', '/v1/tasks/evaluate_rules', { payload: {} }],
    ['POST', '/v1/workflows', { task: 'evaluate_rules' }],
    ['GET', '/v1/keys', undefined],
  ] as const)
    expect(await call(method, path, { ...nobody, body }), path).toMatchObject({ status: 404 });
  const somebody = { ...nobody, headers: { 'stratum-tenant': String(TENANT) } };
  expect(await call('GET', '/v1/keys', somebody)).toMatchObject({ status: 200 });
});
