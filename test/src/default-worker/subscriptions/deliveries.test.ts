/** Events on their way to receivers: signed, repeated, recorded, and never in each other's way. */
import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../../harness/index.js';
import { OTHER_TENANT, TENANT } from '../../harness/platform.js';
import { openOutgoing } from '../../api/subscriptions/fixture.js';
import { openReceiver, type Received } from './receiver.js';

function verify(secret: string, { headers, body }: Received): unknown {
  return new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  });
}

describe('an event', () => {
  test('reaches its subscribers, signed, and nobody else', async () => {
    const [wanted, unwanted, foreign] = [await openReceiver(), await openReceiver(), await openReceiver()];
    const outgoing = await openOutgoing({ hosts: [wanted.host, unwanted.host, foreign.host] });
    const subscription = await outgoing.subscribe(wanted.url);
    await outgoing.subscribe(unwanted.url, ['segment.exited']);
    const others = await outgoing.subscribe(foreign.url, ['segment.entered'], {
      key: outgoing.keys.otherTenant,
    });
    await outgoing.happen(7);
    const [delivery] = await outgoing.settled(subscription.id, ['delivered']);
    expect(delivery).toMatchObject({
      type: 'segment.entered',
      next_attempt_at: null,
      attempts: [{ attempt: 1, status_code: 204, error: null }],
    });
    const [request] = wanted.received;
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': delivery?.event_id,
    });
    expect(request && verify(subscription.secret, request)).toEqual({
      type: 'segment.entered',
      timestamp: expect.any(String),
      data: { segment_id: 7, profile_ids: [1], external_ids: ['customer-1'] },
    });
    expect(() => request && verify(others.secret, request)).toThrow(/signature/i);
    await outgoing.happen(8, OTHER_TENANT);
    await waitFor('the other tenant’s event', () => foreign.received.length === 1);
    expect(wanted.received).toHaveLength(1);
    expect(unwanted.received).toHaveLength(0);
  });

  test('is tried again until it is taken, under the same id, each attempt with its own time and record', async () => {
    const receiver = await openReceiver(500, 302, 404, 204);
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id, secret } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const [delivery] = await outgoing.settled(id, ['delivered']);
    expect(
      delivery?.attempts.map((each) => [each.attempt, each.status_code, each.error_class, each.response]),
    ).toEqual([
      [4, 204, null, ''],
      [3, 404, 'http', 'status 404'],
      [2, 302, 'redirect', 'status 302'],
      [1, 500, 'http', 'status 500'],
    ]);
    expect(new Set(receiver.ids())).toEqual(new Set([delivery?.event_id]));
    expect(receiver.received).toHaveLength(4);
    for (const request of receiver.received) verify(secret, request);
    expect(await outgoing.subscription(id)).toMatchObject({ consecutive_failures: 0, first_failed_at: null });
  });

  test('is given up after its last attempt, and can be sent again', async () => {
    const receiver = await openReceiver(503);
    const outgoing = await openOutgoing({ hosts: [receiver.host], deliveries: { retryDelaysMs: [10, 10] } });
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const [failed] = await outgoing.settled(id, ['failed']);
    expect(failed?.attempts).toHaveLength(3);
    expect(await outgoing.subscription(id)).toMatchObject({ status: 'active', consecutive_failures: 3 });
    receiver.answer(503, 204);
    const replay = await outgoing.call(
      'POST',
      `/v1/subscriptions/${id}/deliveries/${failed?.event_id}/replay`,
    );
    expect(replay).toMatchObject({ status: 202, body: { event_id: failed?.event_id } });
    const [delivered] = await outgoing.settled(id, ['delivered']);
    expect(delivered?.attempts.map(({ attempt }) => attempt)).toEqual([5, 4, 3, 2, 1]);
    expect(new Set(receiver.ids()).size).toBe(1);
    // Nothing of it is a failure of the platform's own.
    expect(await outgoing.client.deadLetters.list({})).toEqual([]);
  });

  test('waits as long as the receiver asks, and longer from try to try', async () => {
    const receiver = await openReceiver(500, 500, 429);
    receiver.answer(500, 500, (response) => response.writeHead(429, { 'retry-after': '3600' }).end());
    const outgoing = await openOutgoing({
      hosts: [receiver.host],
      deliveries: { retryDelaysMs: [100, 400, 1_000, 1_000] },
    });
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const delivery = await waitFor('the third attempt', async () => {
      const [found] = await outgoing.deliveries(id);
      return found?.attempts.length === 3 && found;
    });
    const [first = 0, second = 0, third = 0] = receiver.received.map(({ at }) => at);
    // Within a tenth of what is planned; time that the machine takes comes on top.
    expect(second - first).toBeGreaterThanOrEqual(85);
    expect(third - second).toBeGreaterThanOrEqual(355);
    const waitMs = Date.parse(String(delivery.next_attempt_at)) - Date.now();
    expect(waitMs).toBeGreaterThan(3_500_000);
    expect(waitMs).toBeLessThanOrEqual(3_600_000);
    // The whole receiver is left in peace: another event is not tried meanwhile.
    await outgoing.happen(2);
    await waitFor('the second event to wait', async () => (await outgoing.deliveries(id)).length === 2);
    const [rest] = await outgoing.query<{ rests: boolean }>(
      `SELECT throttled_until > now() + interval '50 minutes' AS rests FROM subscription`,
    );
    expect(rest?.rests).toBe(true);
    expect(receiver.received).toHaveLength(3);
  });

  test('is signed by both secrets for a day after a rotation', async () => {
    const receiver = await openReceiver();
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id, secret } = await outgoing.subscribe(receiver.url);
    const rotated = await outgoing.call<{ secret: string; previous_secret_until: string }>(
      'POST',
      `/v1/subscriptions/${id}/rotate`,
    );
    expect(rotated.body.secret).not.toBe(secret);
    expect(Date.parse(rotated.body.previous_secret_until) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    await outgoing.happen(1);
    await outgoing.settled(id, ['delivered']);
    await outgoing.query(`UPDATE subscription SET previous_until = now() - interval '1 second'`);
    await outgoing.happen(2);
    await outgoing.settled(id, ['delivered', 'delivered']);
    const [during, after] = receiver.received;
    expect(String(during?.headers['webhook-signature']).split(' ')).toHaveLength(2);
    for (const each of [secret, rotated.body.secret]) expect(during && verify(each, during)).toBeDefined();
    expect(after && verify(rotated.body.secret, after)).toBeDefined();
    expect(() => after && verify(secret, after)).toThrow(/signature/i);
  });

  test('succeeds by its status, even if the response never ends', async () => {
    const receiver = await openReceiver((response) => {
      response.writeHead(200);
      const pour = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.once('close', () => clearInterval(pour));
    });
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    const [delivery] = await outgoing.settled(id, ['delivered']);
    expect(delivery?.attempts[0]?.response).toBe('x'.repeat(1_024));
  });
});

describe('a subscription', () => {
  test('is disabled by a 410, with a notice, and nothing more is sent', async () => {
    const receiver = await openReceiver(410);
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id } = await outgoing.subscribe(receiver.url);
    await outgoing.happen(1);
    await outgoing.settled(id, ['failed']);
    expect(await outgoing.subscription(id)).toMatchObject({
      status: 'disabled',
      status_reason: expect.stringContaining('410'),
    });
    expect(await outgoing.query('SELECT kind, title FROM alert')).toEqual([
      { kind: 'subscription_disabled', title: `Events are no longer sent to ${receiver.host}` },
    ]);
    await outgoing.happen(2);
    await outgoing.dispatched();
    expect(await outgoing.deliveries(id)).toHaveLength(1);
    expect(receiver.received).toHaveLength(1);
  });

  test('that keeps failing is paused with a notice; after it is resumed, it receives the missed events', async () => {
    const [broken, watching] = [await openReceiver(500), await openReceiver()];
    const outgoing = await openOutgoing({
      hosts: [broken.host, watching.host],
      deliveries: {
        pauseAfterFailures: 4,
        pauseAfterMs: 0,
        retryDelaysMs: [20, 3_600_000],
        restAfterFailures: 100,
      },
    });
    const { id } = await outgoing.subscribe(broken.url);
    const alerts = await outgoing.subscribe(watching.url, ['alert.triggered']);
    await outgoing.happen(1);
    await waitFor('the first to wait', async () => (await outgoing.deliveries(id))[0]?.attempts.length === 2);
    await outgoing.happen(2);
    await waitFor('the pause', async () => (await outgoing.subscription(id)).status === 'paused');
    // What waited is not sent any more.
    await outgoing.settled(id, ['skipped', 'skipped']);
    expect(broken.received).toHaveLength(4);
    await outgoing.settled(alerts.id, ['delivered']);
    expect(JSON.parse(watching.received[0]?.body ?? '')).toMatchObject({
      type: 'alert.triggered',
      data: { kind: 'subscription_paused', severity: 'warning', details: { subscription_id: id } },
    });
    // Missed while it is paused, and never among its deliveries.
    await outgoing.happen(3);
    await outgoing.dispatched();
    expect(await outgoing.deliveries(id)).toHaveLength(2);
    broken.answer(204);
    const conflict = await outgoing.call('POST', `/v1/subscriptions/${id}/deliveries/evt_1/replay`);
    expect(conflict).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('resume it first') },
    });
    const resumed = await outgoing.call('POST', `/v1/subscriptions/${id}/resume`, { body: { replay: true } });
    expect(resumed.body).toMatchObject({ status: 'active', replayed: 3, consecutive_failures: 0 });
    await outgoing.settled(id, ['delivered', 'delivered', 'delivered']);
    expect(await outgoing.query(`SELECT close_reason FROM alert`)).toEqual([{ close_reason: 'resumed' }]);
  });

  test('that its owner pauses receives nothing, and only later events when it is resumed without a replay', async () => {
    const receiver = await openReceiver();
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id } = await outgoing.subscribe(receiver.url);
    expect(await outgoing.call('POST', `/v1/subscriptions/${id}/pause`)).toMatchObject({
      status: 200,
      body: { status: 'paused', status_reason: 'Paused by its owner.' },
    });
    await outgoing.happen(1);
    await outgoing.dispatched();
    expect(await outgoing.call('POST', `/v1/subscriptions/${id}/resume`)).toMatchObject({
      body: { status: 'active', replayed: 0 },
    });
    await outgoing.happen(2);
    await outgoing.settled(id, ['delivered']);
    expect(receiver.received.map(({ body }) => JSON.parse(body).data.segment_id)).toEqual([2]);
  });

  test('that hangs holds up neither another one nor the other jobs', async () => {
    const held: ServerResponse[] = [];
    const [hanging, quick] = [await openReceiver((response) => held.push(response)), await openReceiver()];
    const outgoing = await openOutgoing({
      hosts: [hanging.host, quick.host],
      deliveries: { timeoutMs: 20_000 },
    });
    const stuck = await outgoing.subscribe(hanging.url, ['segment.entered']);
    const well = await outgoing.subscribe(quick.url, ['segment.exited']);
    for (let event = 1; event <= 30; event++) await outgoing.happen(event);
    await waitFor('the receiver to hang', () => hanging.received.length === 2);
    const data = { segment_id: 1, profile_ids: [1], external_ids: [null] };
    await outgoing.record(
      Array.from({ length: 10 }, () => ({ type: 'segment.exited' as const, data, at: new Date() })),
    );
    await outgoing.settled(
      well.id,
      Array.from({ length: 10 }, () => 'delivered'),
    );
    // Two at a time, and the rest waits without a task that holds a place.
    expect(hanging.received).toHaveLength(2);
    expect(await outgoing.deliveries(stuck.id, '?state=pending&limit=200')).toHaveLength(30);
    // Once it answers again, all that waited goes on.
    hanging.answer(204);
    for (const response of held) response.writeHead(204).end();
    await outgoing.settled(
      stuck.id,
      Array.from({ length: 30 }, () => 'delivered'),
    );
    expect(new Set(hanging.ids()).size).toBe(30);
    expect(hanging.received).toHaveLength(30);
  });

  test('whose receiver is quick is not held up by many that are slow', async () => {
    const slow = await Promise.all(Array.from({ length: 4 }, () => openReceiver(() => undefined)));
    const quick = await openReceiver();
    const outgoing = await openOutgoing({
      hosts: [...slow, quick].map(({ host }) => host),
      // They fail again and again, and are tried again and again.
      deliveries: {
        // Far longer than a quick receiver takes, even on a busy machine.
        timeoutMs: 1_600,
        slowMs: 1_500,
        restAfterFailures: 1_000,
        pauseAfterFailures: 1_000,
        retryDelaysMs: Array.from({ length: 50 }, () => 10),
      },
    });
    for (const { url } of slow) await outgoing.subscribe(url, ['segment.entered']);
    const { id } = await outgoing.subscribe(quick.url, ['segment.exited']);
    for (let event = 1; event <= 5; event++) await outgoing.happen(event);
    await waitFor('all four to be known as slow', async () => {
      const rows = await outgoing.query('SELECT FROM subscription WHERE slow');
      return rows.length === slow.length;
    });
    const data = { segment_id: 1, profile_ids: [1], external_ids: [null] };
    await outgoing.record(
      Array.from({ length: 20 }, () => ({ type: 'segment.exited' as const, data, at: new Date() })),
    );
    await outgoing.settled(
      id,
      Array.from({ length: 20 }, () => 'delivered'),
    );
    const [busy] = await outgoing.query<{ count: string }>(
      `SELECT count(*) FROM outbound_webhook_message WHERE state = 'pending'`,
    );
    expect(Number(busy?.count)).toBe(20);
  });

  test('whose receiver is quick is not held up by tasks of others that have yet to claim their message', async () => {
    // As many as a process has places for deliveries.
    const others = await Promise.all(Array.from({ length: 3 }, () => openReceiver()));
    const quick = await openReceiver();
    const outgoing = await openOutgoing({
      hosts: [...others, quick].map(({ host }) => host),
      overdueMs: 60_000,
    });
    const blocked = await Promise.all(
      others.map(async ({ url }) => (await outgoing.subscribe(url, ['segment.entered'])).id),
    );
    const { id } = await outgoing.subscribe(quick.url, ['segment.exited']);
    const lock = await outgoing.database.owner.connect();
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT FROM subscription WHERE id = ANY($1) FOR NO KEY UPDATE', [blocked]);
      await outgoing.happen(1);
      await waitFor('tasks that cannot claim their message', async () => {
        const rows = await outgoing.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length === blocked.length;
      });
      const data = { segment_id: 1, profile_ids: [1], external_ids: [null] };
      await outgoing.record([{ type: 'segment.exited', data, at: new Date() }]);
      await outgoing.settled(id, ['delivered']);
      expect(others.flatMap(({ received }) => received)).toEqual([]);
    } finally {
      await lock.query('ROLLBACK');
      lock.release();
    }
    for (const each of blocked) await outgoing.settled(each, ['delivered']);
  });

  test('gets its event although more receivers than the process has places for get it as well', async () => {
    const receivers = await Promise.all(Array.from({ length: 8 }, () => openReceiver()));
    const outgoing = await openOutgoing({
      hosts: receivers.map(({ host }) => host),
      deliveries: { places: 1 },
      // Nothing but the tasks themselves brings them back.
      overdueMs: 3_600_000,
    });
    for (const { url } of receivers) await outgoing.subscribe(url);
    await outgoing.happen(1);
    await waitFor('all receivers', () => receivers.every(({ received }) => received.length > 0));
    expect(receivers.map(({ received }) => received.length)).toEqual(receivers.map(() => 1));
  });

  test('that is overloaded gets every event once, two at a time', async () => {
    let open = 0;
    let most = 0;
    const receiver = await openReceiver((response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        response.writeHead(204).end();
      });
    });
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id } = await outgoing.subscribe(receiver.url);
    const event = (segment: number) => ({
      type: 'segment.entered' as const,
      data: { segment_id: segment, profile_ids: [1], external_ids: [null] },
      at: new Date(),
    });
    await outgoing.record(Array.from({ length: 150 }, (_, index) => event(index + 1)));
    await waitFor(
      'all to be delivered',
      async () => (await outgoing.deliveries(id, '?state=delivered&limit=200')).length === 150,
    );
    expect(receiver.received).toHaveLength(150);
    expect(new Set(receiver.ids()).size).toBe(150);
    expect(most).toBeLessThanOrEqual(2);
  });

  test('receives a test event, also while it is paused', async () => {
    const receiver = await openReceiver(200, 418);
    const outgoing = await openOutgoing({ hosts: [receiver.host] });
    const { id, secret } = await outgoing.subscribe(receiver.url);
    await outgoing.call('POST', `/v1/subscriptions/${id}/pause`);
    for (const expected of [200, 418]) {
      const { status, body } = await outgoing.call<{ task_id: string }>(
        'POST',
        `/v1/subscriptions/${id}/test`,
      );
      expect(status).toBe(202);
      const { result } = await outgoing.client.result(body.task_id);
      expect(result).toMatchObject({
        outcome: expected === 200 ? 'delivered' : 'failed',
        status_code: expected,
      });
    }
    const [request] = receiver.received;
    expect(request && verify(secret, request)).toMatchObject({ type: 'ping', data: { subscription_id: id } });
    expect(await outgoing.subscription(id)).toMatchObject({ status: 'paused', consecutive_failures: 0 });
    expect(
      await outgoing.query('SELECT FROM outbound_webhook_attempt WHERE tenant_id = $1', [TENANT]),
    ).toHaveLength(2);
  });
});
