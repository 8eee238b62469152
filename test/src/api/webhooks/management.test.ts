/** Managing endpoints and deliveries. */
import { processAuditLogs } from '@stratum/shared';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../../harness/index.js';
import { openWebhooks, type Endpoint } from './fixture.js';
import { senderOf } from './senders.js';

describe('an endpoint', () => {
  test('is created, shown, changed, paused and removed', async () => {
    const webhooks = await openWebhooks({ API_PUBLIC_URL: 'https://hooks.example.com/' });
    const made = await webhooks.call<Endpoint & Record<string, unknown>>('POST', '/v1/webhooks', {
      body: { source: 'github', name: 'Deploys' },
    });
    expect(made).toMatchObject({
      status: 201,
      body: {
        source: 'github',
        name: 'Deploys',
        status: 'active',
        url: expect.stringMatching(/^https:\/\/hooks\.example\.com\/webhooks\/github\/[a-z0-9]{24}$/),
        secret: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
    const { id, secret } = made.body;
    const path = `/v1/webhooks/${id}`;
    const shown = await webhooks.call('GET', path);
    expect(shown.status).toBe(200);
    expect(JSON.stringify(shown.body)).not.toContain(secret);
    expect(await webhooks.call('GET', '/v1/webhooks')).toMatchObject({ body: { items: [{ id }] } });

    // The API listens on another address than its public one.
    const local = new URL(new URL(made.body.url).pathname, webhooks.url).href;
    const sender = senderOf('github');
    const send = async (event: string): Promise<number> =>
      (
        await webhooks.post(
          local,
          await sender.request([event], { secret: secret ?? '', url: local, at: new Date() }),
        )
      ).status;
    expect(await send('a')).toBe(200);
    expect(
      await webhooks.call('PATCH', path, { body: { status: 'paused', name: 'Releases' } }),
    ).toMatchObject({
      status: 200,
      body: { status: 'paused', name: 'Releases' },
    });
    expect(await send('b')).toBe(404);
    await webhooks.call('PATCH', path, { body: { status: 'active' } });
    expect(await send('b')).toBe(200);

    const rotated = await webhooks.call<Endpoint>('POST', `${path}/rotate`);
    expect(rotated).toMatchObject({ status: 200, body: { secret: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect(rotated.body.secret).not.toBe(secret);
    expect(await send('c')).toBe(200);

    expect(await webhooks.call('DELETE', path)).toMatchObject({ status: 204 });
    expect(await send('d')).toBe(404);
    expect(await webhooks.call('GET', path)).toMatchObject({ status: 404 });
    expect(await webhooks.call('DELETE', path)).toMatchObject({ status: 404 });
    // What was accepted before is processed all the same.
    webhooks.startWorkers();
    expect(await webhooks.settled(3)).toHaveLength(3);
    expect(await webhooks.query('SELECT secret, previous_secret FROM webhook_endpoint')).toEqual([
      { secret: null, previous_secret: null },
    ]);
  });

  test('that cannot work is refused by the name of its field', async () => {
    const webhooks = await openWebhooks();
    const wrong = [
      [{ source: 'myspace', name: 'x' }, 'body.source'],
      [{ source: 'stripe', name: 'x' }, 'body.secret'],
      [{ source: 'standard', name: 'x', secret: 'whsec_short' }, 'body.secret'],
      [{ source: 'stripe', name: 'x', secret: 'whsec_x', settings: { nonsense: 1 } }, 'body.settings'],
      [{ source: 'generic', name: 'x', settings: { signed: '{id}' } }, 'body.settings.signed'],
      [{ source: 'generic', name: 'x', settings: { timestamp_header: 'X-Time' } }, 'body.settings.signed'],
      [
        { source: 'github', name: 'x', settings: { tasks: [{ on: '*', task: 'process_audit_logs' }] } },
        'body.settings.tasks.0.task',
      ],
      [
        {
          source: 'github',
          name: 'x',
          settings: { tasks: [{ on: '*', task: 'sync_campaign_data', payload: { platform: 'myspace' } }] },
        },
        'body.settings.tasks.0.payload.platform',
      ],
    ] as const;
    for (const [body, field] of wrong) {
      expect(await webhooks.call('POST', '/v1/webhooks', { body }), field).toMatchObject({
        status: 422,
        body: { errors: [expect.objectContaining({ field })] },
      });
    }
  });

  test('belongs to one tenant, whose keys need the scope', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('stripe');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    await webhooks.send(sender, endpoint, ['evt_1']);
    const [row] = await webhooks.settled(1);
    const path = `/v1/webhooks/${endpoint.id}`;
    const foreign = { key: webhooks.keys.otherTenant };
    const asked = [
      ['GET', path],
      ['PATCH', path, { name: 'mine' }],
      ['POST', `${path}/rotate`, { secret: 'mine' }],
      ['DELETE', path],
      ['GET', `${path}/deliveries`],
      ['POST', `${path}/deliveries/replay`, {}],
      ['GET', `/v1/webhooks/deliveries/${row?.id}`],
      ['POST', `/v1/webhooks/deliveries/${row?.id}/replay`],
    ] as const;
    for (const [method, url, body] of asked) {
      const options = { ...foreign, ...(body === undefined ? {} : { body }) };
      expect(await webhooks.call(method, url, options), `${method} ${url}`).toMatchObject({ status: 404 });
    }
    expect(await webhooks.call('GET', '/v1/webhooks', foreign)).toMatchObject({ body: { items: [] } });
    const reader = await webhooks.createKey(1, ['webhooks:read']);
    expect(await webhooks.call('GET', path, { key: reader.text })).toMatchObject({ status: 200 });
    expect(await webhooks.call('DELETE', path, { key: reader.text })).toMatchObject({ status: 403 });
    expect(await webhooks.call('GET', path, { key: null })).toMatchObject({ status: 401 });
    expect(await webhooks.call('GET', path, { key: webhooks.keys.platform })).toMatchObject({ status: 400 });
    const named = { key: webhooks.keys.platform, headers: { 'stratum-tenant': '1' } };
    expect(await webhooks.call('GET', path, named)).toMatchObject({ status: 200 });
  });
});

describe('the handshake of Meta', () => {
  test.each(['meta', 'whatsapp'] as const)(
    'is answered to who knows the verify token: %s',
    async (source) => {
      const webhooks = await openWebhooks();
      const endpoint = await webhooks.createEndpoint(senderOf(source));
      const token = String(endpoint.settings['verify_token']);
      expect(token).toMatch(/^[0-9a-f]{64}$/);
      const ask = (query: Record<string, string>): ReturnType<typeof webhooks.call> =>
        webhooks.call('GET', `${new URL(endpoint.url).pathname}?${new URLSearchParams(query).toString()}`, {
          key: null,
        });
      const right = { 'hub.mode': 'subscribe', 'hub.verify_token': token, 'hub.challenge': '1158201444' };
      const answer = await ask(right);
      expect(answer).toMatchObject({ status: 200, body: '1158201444' });
      expect(answer.headers.get('content-type')).toContain('text/plain');
      expect(await ask({ ...right, 'hub.verify_token': 'wrong' })).toMatchObject({ status: 403 });
      expect(await ask({ ...right, 'hub.mode': 'unsubscribe' })).toMatchObject({ status: 403 });
      expect(await ask({})).toMatchObject({ status: 403 });
    },
  );

  test('is refused for other senders', async () => {
    const webhooks = await openWebhooks();
    const endpoint = await webhooks.createEndpoint(senderOf('stripe'));
    expect(await webhooks.call('GET', new URL(endpoint.url).pathname, { key: null })).toMatchObject({
      status: 405,
    });
    expect(
      await webhooks.call('GET', '/webhooks/meta/abcdefghijklmnopqrstuvwx', { key: null }),
    ).toMatchObject({
      status: 404,
    });
  });
});

describe('deliveries', () => {
  test('are listed page by page, filtered, and shown with their bodies', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('github');
    const endpoint = await webhooks.createEndpoint(sender);
    webhooks.startWorkers();
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      const request = await sender.request([id], { secret: sender.secrets[0], url: '', at: new Date() });
      const event = id < 'd' ? 'push' : 'ping';
      await webhooks.post(endpoint.url, {
        ...request,
        headers: { ...request.headers, 'x-github-event': event },
      });
      await webhooks.settled('abcde'.indexOf(id) + 1);
    }
    const path = `/v1/webhooks/${endpoint.id}/deliveries`;
    const list = async (query: string): Promise<{ ids: unknown[]; next: string | null }> => {
      const { body } = await webhooks.call<{ items: { event_id: string }[]; next_cursor: string | null }>(
        'GET',
        `${path}?${query}`,
      );
      return { ids: body.items.map((item) => item.event_id), next: body.next_cursor };
    };
    const first = await list('limit=2');
    expect(first.ids).toEqual(['e', 'd']);
    const second = await list(`limit=2&cursor=${first.next}`);
    expect(second.ids).toEqual(['c', 'b']);
    expect(await list(`limit=2&cursor=${second.next}`)).toEqual({ ids: ['a'], next: null });
    expect((await list('type=ping')).ids).toEqual(['e', 'd']);
    expect((await list('state=processed')).ids).toEqual(['c', 'b', 'a']);
    expect((await list('state=failed')).ids).toEqual([]);
    expect((await list(`since=${new Date(Date.now() + 60_000).toISOString()}`)).ids).toEqual([]);
    expect(await webhooks.call('GET', `${path}?cursor=nonsense`)).toMatchObject({ status: 400 });

    const [row] = await webhooks.deliveries();
    const shown = await webhooks.call('GET', `/v1/webhooks/deliveries/${row?.id}`);
    expect(shown).toMatchObject({
      status: 200,
      body: {
        event_id: 'a',
        type: 'push',
        state: 'processed',
        tasks: [{ task: 'sync_campaign_data' }],
        body: JSON.stringify({ ref: 'refs/heads/main', after: 'a' }),
        headers: { 'x-github-event': 'push', 'x-github-delivery': 'a' },
      },
    });
    expect(JSON.stringify(shown.body)).not.toContain('sha256=');
    const [stored] = await webhooks.query<{ body: Buffer }>(
      'SELECT body FROM inbound_webhook_delivery LIMIT 1',
    );
    expect(stored?.body.toString('latin1')).not.toContain('refs/heads');
  });

  test('are replayed: tasks that know the event are kept, others run again', async () => {
    const webhooks = await openWebhooks();
    const shopify = senderOf('shopify');
    const github = senderOf('github');
    const [shop, hub] = [await webhooks.createEndpoint(shopify), await webhooks.createEndpoint(github)];
    webhooks.startWorkers();
    await webhooks.send(shopify, shop, ['one']);
    await webhooks.settled(1);
    await webhooks.send(github, hub, ['two']);
    const [order, push] = await webhooks.settled(2);
    for (const row of [order, push]) {
      const replay = await webhooks.call('POST', `/v1/webhooks/deliveries/${row?.id}/replay`);
      expect(replay.status).toBe(202);
      expect(await webhooks.client.result(String(replay.body['task_id']))).toMatchObject({
        state: 'SUCCESS',
      });
    }
    const [orderAfter, pushAfter] = await webhooks.deliveries();
    expect(orderAfter).toMatchObject({ replays: 1, state: 'processed' });
    await waitFor('both to be handed over', () => webhooks.customerEvents.length === 2);
    expect(webhooks.customerEvents[0]).toEqual(webhooks.customerEvents[1]);
    expect(new Set(pushAfter?.tasks.map(({ id }) => id)).size).toBe(2);
  });

  test('that failed are replayed together once the cause is fixed', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('github');
    const endpoint = await webhooks.createEndpoint(sender);
    // Settings of a later version, or damaged: nothing can be planned.
    await webhooks.query(
      `UPDATE webhook_endpoint SET settings = '{"tasks": [{"on": "push", "task": "no_such_task"}]}'`,
    );
    webhooks.startWorkers();
    for (const id of ['a', 'b', 'c']) await webhooks.send(sender, endpoint, [id]);
    const rows = await webhooks.settled(3);
    expect(rows).toMatchObject(
      rows.map(() => ({ state: 'failed', error: expect.stringContaining('must be one of') })),
    );
    await webhooks.query(`UPDATE webhook_endpoint SET settings = '{"tasks": []}'`);
    const path = `/v1/webhooks/${endpoint.id}/deliveries/replay`;
    expect(await webhooks.call('POST', path, { body: { state: 'processed' } })).toMatchObject({
      status: 202,
      body: { replayed: 0, after: null },
    });
    expect(await webhooks.call('POST', path, { body: { state: 'failed' } })).toMatchObject({
      body: { replayed: 3 },
    });
    await waitFor('all to be replayed', async () =>
      (await webhooks.deliveries()).every(
        ({ state, replays, error }) => state === 'ignored' && replays === 1 && error === null,
      ),
    );
  });

  test('leave an audit trail of creation, changes and replays', async () => {
    const webhooks = await openWebhooks();
    const sender = senderOf('stripe');
    const endpoint = await webhooks.createEndpoint(sender);
    await webhooks.call('POST', `/v1/webhooks/${endpoint.id}/rotate`, { body: { secret: 'whsec_next' } });
    webhooks.startWorkers();
    await webhooks.run(processAuditLogs, {});
    const events = await webhooks.query<{ action: string; subject: string; details: unknown }>(
      'SELECT action, subject, details FROM audit_event ORDER BY occurred_at',
    );
    expect(events.map(({ action, subject }) => `${action} ${subject}`)).toEqual([
      `webhook.created webhook/${endpoint.id}`,
      `webhook.rotated webhook/${endpoint.id}`,
    ]);
    expect(JSON.stringify(events)).not.toContain('whsec_');
  });
});
