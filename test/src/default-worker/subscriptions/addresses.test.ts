/** Nothing inside a network is reached by an address that somebody typed, whatever it says, resolves to or redirects to. */
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { openOutgoing } from '../../api/subscriptions/fixture.js';
import { openReceiver } from './receiver.js';

describe('an address that is typed', () => {
  test('must be public and use HTTPS', async () => {
    const { call } = await openOutgoing({ hosts: ['127.0.0.1:8100'], worker: false });
    const refused: [string, RegExp][] = [
      ['nonsense', /not a URL/],
      ['ftp://example.com/', /only http and https/],
      ['http://example.com/hook', /must begin with https/],
      ['https://user:secret@example.com/', /user name/],
      ['https://example.com:8443/', /ports 80 and 443/],
      ['https://example.com/#part', /#/],
      ['https://localhost/', /inside a network/],
      ['https://printer.local/', /inside a network/],
      ['https://metadata.google.internal/', /inside a network/],
      ['https://127.0.0.1/', /public internet/],
      ['https://10.1.2.3/', /public internet/],
      ['https://172.16.0.1/', /public internet/],
      ['https://192.168.1.1/', /public internet/],
      ['https://169.254.169.254/latest/meta-data/', /public internet/],
      ['https://100.64.0.1/', /public internet/],
      ['https://0.0.0.0/', /public internet/],
      ['https://2130706433/', /public internet/],
      ['https://0x7f000001/', /public internet/],
      ['https://0177.0.0.1/', /public internet/],
      ['https://127.1/', /public internet/],
      ['https://[::1]/', /public internet/],
      ['https://[::ffff:127.0.0.1]/', /public internet/],
      ['https://[::ffff:7f00:1]/', /public internet/],
      ['https://[fd00::1]/', /public internet/],
      ['https://[fe80::1]/', /public internet/],
      ['https://[64:ff9b::7f00:1]/', /public internet/],
      ['http://127.0.0.1:8101/receiver/demo', /ports 80 and 443/],
    ];
    for (const [url, reason] of refused) {
      const { status, body } = await call('POST', '/v1/subscriptions', {
        body: { url, event_types: ['segment.entered'] },
      });
      expect([url, status, body], url).toEqual([url, 422, expect.objectContaining({ status: 422 })]);
      expect(body['detail'], url).toMatch(reason);
      expect(body['errors'], url).toEqual([expect.objectContaining({ field: 'body.url' })]);
    }
    for (const url of [
      'https://example.com/hook?tenant=1',
      'https://8.8.8.8/',
      'http://127.0.0.1:8100/receiver/demo',
    ]) {
      const { status } = await call('POST', '/v1/subscriptions', {
        body: { url, event_types: ['segment.entered'] },
      });
      expect(status, url).toBe(201);
    }
  });
});

describe('at the moment of sending', () => {
  test('a name that resolves to something inside is not connected to, also when it was public a moment ago', async () => {
    const receiver = await openReceiver();
    const asked: string[] = [];
    const answers = [['127.0.0.1'], ['93.184.215.14', '10.0.0.1'], ['::ffff:169.254.169.254'], ['fd00::1']];
    const resolve: LookupFunction = (hostname, _options, callback) => {
      const addresses = answers[asked.length] ?? ['127.0.0.1'];
      asked.push(hostname);
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
    };
    const outgoing = await openOutgoing({
      fetch: { resolve },
      deliveries: { retryDelaysMs: [10, 10, 10], restAfterFailures: 100 },
    });
    const { id } = await outgoing.subscribe('https://rebinding.example.com/hook');
    await outgoing.happen(1);
    const [delivery] = await outgoing.settled(id, ['failed']);
    expect(delivery?.attempts.map(({ error_class: kind, error }) => [kind, error])).toEqual(
      Array.from({ length: 4 }, () => ['address', 'the address is not on the public internet']),
    );
    expect(asked).toEqual(Array.from({ length: 4 }, () => 'rebinding.example.com'));
    expect(receiver.received).toHaveLength(0);
  });

  test('a redirect is not followed', async () => {
    const secret = await openReceiver();
    const receiver = await openReceiver((response) =>
      response.writeHead(307, { location: secret.url }).end(),
    );
    const outgoing = await openOutgoing({
      hosts: [receiver.host, secret.host],
      deliveries: { retryDelaysMs: [] },
    });
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const [delivery] = await outgoing.settled(id, ['failed']);
    expect(delivery?.attempts).toEqual([
      expect.objectContaining({
        status_code: 307,
        error_class: 'redirect',
        error: expect.stringContaining('not followed'),
      }),
    ]);
    expect(secret.received).toHaveLength(0);
  });

  test('an address that came into the table by other ways is refused like one that was typed', async () => {
    const receiver = await openReceiver();
    const outgoing = await openOutgoing({ deliveries: { retryDelaysMs: [] } });
    const { id } = await outgoing.subscribe('https://example.com/');
    const port = new URL(receiver.url).port;
    const urls = [
      receiver.url,
      'http://127.0.0.1/',
      'http://2130706433/',
      'http://[::ffff:127.0.0.1]/',
      `http://[::1]:${port}/`,
    ];
    for (const [index, url] of urls.entries()) {
      await outgoing.query('UPDATE subscription SET url = $1', [url]);
      await outgoing.happen(index + 1);
      await outgoing.settled(
        id,
        Array.from({ length: index + 1 }, () => 'failed'),
      );
    }
    const attempts = (await outgoing.deliveries(id)).flatMap((delivery) => delivery.attempts);
    expect(new Set(attempts.map(({ error_class: kind }) => kind))).toEqual(new Set(['address']));
    expect(receiver.received).toHaveLength(0);
  });

  test('an unreachable receiver and a silent one are distinguished', async () => {
    const hanging = await openReceiver(() => undefined);
    const outgoing = await openOutgoing({
      hosts: [hanging.host, '127.0.0.1:1'],
      deliveries: { retryDelaysMs: [], timeoutMs: 300 },
    });
    const silent = await outgoing.subscribe(hanging.url);
    const absent = await outgoing.subscribe('http://127.0.0.1:1/');
    await outgoing.happen(1);
    expect((await outgoing.settled(silent.id, ['failed']))[0]?.attempts[0]).toMatchObject({
      error_class: 'timeout',
    });
    expect((await outgoing.settled(absent.id, ['failed']))[0]?.attempts[0]).toMatchObject({
      error_class: 'connection',
    });
  });
});
