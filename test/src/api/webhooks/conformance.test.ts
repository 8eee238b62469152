/** Guarantees for every sender of webhooks. */
import { connectToNats } from '@stratum/jobs';
import { bindSource, type WebhookRequest } from '@stratum/shared/webhooks';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tcpProxy, waitFor } from '../../harness/index.js';
import { openWebhooks } from './fixture.js';
import { SENDERS, type Sender, type SignedRequest } from './senders.js';

const MINUTE_MS = 60_000;
const URL = 'https://api.example.com/webhooks/x/y';

describe.each(SENDERS)('$label', (sender: Sender) => {
  const { secrets } = sender;

  test('is accepted only with a valid signature', async () => {
    const webhooks = await openWebhooks();
    const endpoint = await webhooks.createEndpoint(sender);
    const { url } = endpoint;
    const sign = (ids: string[], secret: string = secrets[0], at = new Date()): Promise<SignedRequest> =>
      sender.request(ids, { secret, url, at });
    const good = await sign(['a']);
    expect(await webhooks.post(url, good)).toMatchObject({ status: 200, body: { received: 1 } });

    const tampered = { ...good, body: `${good.body.slice(0, -1)} }` };
    const unsigned = { ...good, headers: { ...good.headers, [sender.signatureHeader]: 'sha256=00' } };
    const { [sender.signatureHeader]: _gone, ...without } = good.headers;
    const refused = [tampered, unsigned, { ...good, headers: without }, await sign(['b'], secrets[1])];
    for (const request of refused) {
      expect(await webhooks.post(url, request)).toMatchObject({
        status: 401,
        body: { type: '/problems/bad-signature', detail: expect.any(String) },
      });
    }
    for (const minutes of sender.timed ? [-6, 6] : []) {
      const at = new Date(Date.now() + minutes * MINUTE_MS);
      expect(await webhooks.post(url, await sign(['c'], secrets[0], at))).toMatchObject({ status: 401 });
    }

    // Another's address, or another sender's, is no address at all.
    expect(
      await webhooks.post(
        url.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')),
        good,
      ),
    ).toMatchObject({ status: 404 });
    const other = sender.source === 'stripe' ? 'github' : 'stripe';
    expect(await webhooks.post(url.replace(sender.source, other), good)).toMatchObject({ status: 404 });

    webhooks.startWorkers();
    expect(await webhooks.settled(1)).toMatchObject([{ state: expect.stringMatching(/processed|ignored/) }]);
  });

  test('signs with either secret during a rotation, and with the new one at once', async () => {
    const webhooks = await openWebhooks();
    const endpoint = await webhooks.createEndpoint(sender);
    const { url } = endpoint;
    const send = async (id: string, secret: string): Promise<number> =>
      (await webhooks.post(url, await sender.request([id], { secret, url, at: new Date() }))).status;
    expect(await send('a', secrets[0])).toBe(200);
    const path = `/v1/webhooks/${endpoint.id}/rotate`;
    const rotated = await webhooks.call('POST', path, { body: { secret: secrets[1], grace_seconds: 600 } });
    expect(rotated).toMatchObject({
      status: 200,
      body: { secret: null, previous_secret_until: expect.any(String) },
    });
    expect([await send('b', secrets[1]), await send('c', secrets[0])]).toEqual([200, 200]);
    await webhooks.call('POST', path, { body: { secret: secrets[1], grace_seconds: 0 } });
    expect([await send('d', secrets[1]), await send('e', secrets[0])]).toEqual([200, 401]);
  });

  test('applies each event once, however often it is sent', async () => {
    const webhooks = await openWebhooks();
    const endpoint = await webhooks.createEndpoint(sender);
    expect(await webhooks.send(sender, endpoint, ['one'])).toMatchObject({ status: 200 });
    // While it waits, and after it was processed.
    expect(await webhooks.send(sender, endpoint, ['one'])).toMatchObject({ status: 200 });
    webhooks.startWorkers();
    const [first] = await webhooks.settled(1);
    const depths = await webhooks.waiting();
    for (let time = 0; time < 3; time++)
      expect(await webhooks.send(sender, endpoint, ['one'])).toMatchObject({ status: 200 });
    await webhooks.send(sender, endpoint, ['two']);
    const rows = await webhooks.settled(2);
    expect(rows[0]).toEqual(first);
    if (sender.eventId !== undefined)
      expect(rows.map((row) => row.dedup_key)).toEqual(['one', 'two'].map(sender.eventId));
    // Whatever one event led to, the second one led to once, and the repetitions to nothing.
    const tasksOfTwo =
      rows[1]?.tasks.filter(({ id }) => rows[0]?.tasks.every((task) => task.id !== id)) ?? [];
    const after = await webhooks.waiting();
    const added = Object.keys(after)
      .filter((queue) => queue !== 'default' && queue !== 'cdp')
      .reduce((sum, queue) => sum + (after[queue] ?? 0) - (depths[queue] ?? 0), 0);
    expect(added).toBe(tasksOfTwo.filter(({ task }) => task !== 'ingest_customer_events').length);
  });

  test('is refused after any change of a single byte', async () => {
    const source = bindSource(
      sender.source,
      sender.settings ??
        (sender.source === 'meta' || sender.source === 'whatsapp' ? { verify_token: 'x' } : {}),
    );
    const at = new Date();
    const verdict = (request: Omit<WebhookRequest, 'url'>): unknown =>
      source.verify({ url: URL, ...request }, { secrets: [secrets[0]], now: at });
    const { body, headers } = await sender.request(['one'], { secret: secrets[0], url: URL, at });
    const bytes = Buffer.from(body);
    expect(verdict({ headers, body: bytes })).toBe('valid');
    const signature = Buffer.from(headers[sender.signatureHeader] ?? '');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] ?? 0) ^ mask;
        expect(verdict({ headers, body: changed })).not.toBe('valid');
      }),
    );
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.integer({ min: 1, max: 255 }), (index, mask) => {
        const changed = Buffer.from(signature);
        changed[index] = (changed[index] ?? 0) ^ mask;
        const altered = { ...headers, [sender.signatureHeader]: changed.toString('latin1') };
        expect(verdict({ headers: altered, body: bytes })).not.toBe('valid');
      }),
      { numRuns: 500 },
    );
  });
});

test('while the broker is down every sender is asked to retry, and afterwards nothing is missing or duplicated', async () => {
  const proxies: Awaited<ReturnType<typeof tcpProxy>>[] = [];
  const webhooks = await openWebhooks(
    {},
    {
      connect: async (natsUrl) => {
        const proxy = await tcpProxy(natsUrl);
        proxies.push(proxy);
        const connection = await connectToNats({ servers: proxy.url, name: 'api-behind-proxy' });
        onTestFinished(() => connection.close());
        return connection;
      },
    },
  );
  const [proxy] = proxies;
  const endpoints = await Promise.all(
    SENDERS.map(async (sender) => ({ sender, endpoint: await webhooks.createEndpoint(sender) })),
  );
  const sendAll = (): Promise<{ status: number; headers: Headers }[]> =>
    Promise.all(
      endpoints.map(({ sender, endpoint }) =>
        webhooks.send(
          sender,
          endpoint,
          Array.from({ length: sender.batch }, (_, index) => `event-${index}`),
        ),
      ),
    );
  proxy?.cut();
  for (const reply of await sendAll()) {
    expect(reply.status).toBe(503);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  proxy?.heal();
  await waitFor('all to be accepted', async () => (await sendAll()).every(({ status }) => status === 200));
  webhooks.startWorkers();
  await webhooks.settled(SENDERS.reduce((sum, { batch }) => sum + batch, 0));
});
