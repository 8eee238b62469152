/** Schedulers and workers that are killed in the middle: every event arrives, under one id, and is recorded once. */
import type { ServerResponse } from 'node:http';
import { recordDomainEvents, withTenant } from '@stratum/shared';
import { expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../../harness/index.js';
import { openApi, TENANT } from '../../api/fixture.js';
import { openReceiver } from './receiver.js';
import type { DeliveryView, SubscriptionView } from '../../api/subscriptions/fixture.js';

/** Seconds: long enough for a process under load to extend it. */
const TASK_ACK_WAIT = '5';

test('events in dispatch and in delivery are dispatched once and recorded once', async () => {
  const held: ServerResponse[] = [];
  const receiver = await openReceiver((response) => held.push(response));
  const api = await openApi({ SCANNER_ALLOWED_HOSTS: receiver.host, TASK_ACK_WAIT });
  const env = {
    NATS_URL: api.natsUrl,
    DATABASE_URL: api.database.url,
    STRATUM_PREFIX: api.prefix,
    STRATUM_CREDENTIALS_KEY: api.keyText,
    SCANNER_ALLOWED_HOSTS: receiver.host,
    TASK_ACK_WAIT,
  };
  const { body: subscription } = await api.call<SubscriptionView>('POST', '/v1/subscriptions', {
    body: { url: receiver.url, event_types: ['segment.entered'] },
  });
  const data = (segment: number) => ({ segment_id: segment, profile_ids: [1], external_ids: [null] });

  // A dispatcher that has read the events and cannot write down what is to be sent, and never will.
  const lock = await api.database.owner.connect();
  await lock.query('BEGIN');
  await lock.query('LOCK TABLE outbound_webhook_message IN SHARE MODE');
  const first = spawnProgram('services/scheduler/dist/main.js', env);
  await first.ready();
  await withTenant(api.database.owner, TENANT, (client) =>
    recordDomainEvents(
      client,
      Array.from({ length: 20 }, (_, index) => ({
        type: 'segment.entered' as const,
        data: data(index + 1),
        at: new Date(),
      })),
    ),
  );
  await waitFor('the dispatcher to be in the middle', async () => {
    const rows = await api.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'SELECT * FROM expect_webhooks%'`,
    );
    return rows.length > 0;
  });
  await first.kill('SIGKILL');
  await lock.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'scheduler'`,
  );
  await lock.query('ROLLBACK');
  lock.release();
  expect(await api.query('SELECT FROM outbound_webhook_message')).toEqual([]);

  const second = spawnProgram('services/scheduler/dist/main.js', env);
  const worker = spawnProgram('services/default-worker/dist/main.js', env);
  await Promise.all([second.ready(), worker.ready()]);
  // What was read and not acknowledged comes again after the ack wait.
  await waitFor('an event to be on its way', () => receiver.received.length === 2);
  await worker.kill('SIGKILL');
  expect(await api.query('SELECT FROM outbound_webhook_attempt')).toEqual([]);
  const interrupted = receiver.ids();
  receiver.answer(204);
  for (const response of held) response.destroy();

  const another = spawnProgram('services/default-worker/dist/main.js', env);
  await another.ready();
  const deliveries = await waitFor('all to be delivered', async () => {
    const { body } = await api.call<{ items: DeliveryView[] }>(
      'GET',
      `/v1/subscriptions/${subscription.id}/deliveries?state=delivered`,
    );
    return body.items.length === 20 && body.items;
  });
  for (const { event_id: event, attempts } of deliveries)
    expect(attempts, event).toEqual([expect.objectContaining({ attempt: 1, status_code: 204 })]);
  // Twice those that nobody could tell were taken, once all others.
  for (const { event_id: event } of deliveries)
    expect(
      receiver.ids().filter((id) => id === event),
      event,
    ).toHaveLength(interrupted.includes(event) ? 2 : 1);
  await Promise.all([another.kill('SIGTERM'), second.kill('SIGTERM')]);
});
