/** Further instances of bodies that cost more than they bring: other encodings at other doors, and bodies for addresses that nobody has. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { parseKeyRing, withTenant } from '@stratum/shared';
import { createWebhookEndpoint } from '@stratum/shared/webhooks';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openEventsApi } from './customer-events/fixture.js';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

const ENCODINGS = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  identity: (text: string) => Buffer.from(text),
};

/** 300,000 of them: more than any body may hold. */
const MANY = Array.from({ length: 300_000 }, () => '0').join(',');
const BOMBS = {
  '/v1/batch': [`{"batch":[${MANY}]}`, `{"context":{"a":[${MANY}]},"batch":[]}`],
  '/v1/track': [`{"event":"Seen","userId":"u","properties":{"a":[${MANY}]}}`],
  '/v1/identify': [`{"userId":"u","traits":[[[${MANY}]]]}`],
  '/v1/group': [`{"userId":"u","groupId":"g","traits":{"a":[${'['.repeat(200)}${']'.repeat(200)}]}}`],
} as const;

test.each(Object.entries(ENCODINGS))(
  'a body in %s that unpacks to very much is refused at every door of write keys, in a few words',
  async (encoding, compress) => {
    const { call, writeKey } = await openEventsApi({ INGEST_RATE_LIMIT: '100000' });
    const authorization = `Basic ${Buffer.from(`${writeKey}:`).toString('base64')}`;
    for (const [path, bodies] of Object.entries(BOMBS))
      for (const text of bodies) {
        const headers = { authorization, 'content-encoding': encoding, 'content-type': 'application/json' };
        const { status, body } = await call('POST', path, { key: null, body: compress(text), headers });
        expect([400, 413, 415, 429], `${path} ${JSON.stringify(body)}`).toContain(status);
        expect(JSON.stringify(body).length, path).toBeLessThan(2_000);
      }
    expect((await call('GET', '/healthz', { key: null })).status).toBe(200);
  },
);

test('a body is not waited for where nobody could use it, whatever names the address', async () => {
  const { url, database, keyText, query } = await openApi();
  const endpointOf = async (tenantId: number, source: 'github' | 'generic'): Promise<string> =>
    (
      await withTenant(database.owner, tenantId, (db) =>
        createWebhookEndpoint(db, parseKeyRing(keyText), { tenantId, source, name: source }),
      )
    ).endpoint.token;
  const [github, disabled, ofDeleted] = [
    await endpointOf(TENANT, 'github'),
    await endpointOf(TENANT, 'generic'),
    await endpointOf(OTHER_TENANT, 'generic'),
  ];
  await query(`UPDATE webhook_endpoint SET status = 'paused' WHERE token = $1`, [disabled]);
  await query('UPDATE tenant SET deleted_at = now() WHERE id = $1', [OTHER_TENANT]);
  const { hostname, port } = new URL(url);
  const answer = async (line: string, headers: string): Promise<string> => {
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    await once(socket, 'connect');
    socket.write(
      `${line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${headers.startsWith('T') ? '400\r\n' : ''}{`,
    );
    return waitFor(`an answer to ${line}`, () => /^HTTP\/1.1 (\d+)/.exec(text)?.[1], 10_000);
  };
  const missing = 'a'.repeat(24);
  for (const target of [
    `/webhooks/shopify/${missing}`,
    `/webhooks/generic/${missing.toUpperCase()}`,
    `/webhooks/github/${encodeURIComponent(missing)}%00`,
    `/webhooks/github/%2e%2e%2f${missing}`,
    `/webhooks/github/${'a'.repeat(2_000)}`,
    '/webhooks/github/',
    '/webhooks/github',
    // A token that is there, under another source, of a paused endpoint, and of a deleted tenant.
    `/webhooks/stripe/${github}`,
    `/webhooks/GITHUB/${github}`,
    `/webhooks/generic/${disabled}`,
    `/webhooks/generic/${ofDeleted}`,
    '/v2/tasks/evaluate_rules',
  ])
    for (const headers of [
      'Content-Length: 4000000',
      'Transfer-Encoding: chunked',
      'Content-Length: 4000000\r\nContent-Encoding: gzip',
    ])
      expect(await answer(`POST ${target}`, headers), `${target} ${headers}`).toMatch(/^4(?:00|04|13|14)$/);
  for (const method of ['PUT', 'PATCH', 'DELETE'])
    expect(await answer(`${method} /webhooks/github/${github}`, 'Content-Length: 4000000'), method).toMatch(
      /^4(?:04|05|13)$/,
    );
});
