/** From events to deliveries: once, whoever reads them, and what was lost on the way is found. */
import { jetstream } from '@nats-io/jetstream';
import { deliverWebhook } from '@stratum/shared';
import { createRetentionSweep, createWebhookDispatcher, domainEventNames } from '@stratum/scheduler';
import { RETENTION_DAYS } from './retention-days.js';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { TENANT } from '../harness/platform.js';
import { openOutgoing } from '../api/subscriptions/fixture.js';
import { openReceiver } from '../default-worker/subscriptions/receiver.js';

test('an event that is published again and again is delivered once, also by several dispatchers', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const { connection, prefix, client, database } = outgoing;
  const dispatcher = createWebhookDispatcher({
    pool: database.as('stratum_scheduler'),
    connection,
    client,
    prefix,
    ackWaitMs: 30_000,
    logger: pino({ level: 'silent' }),
    perSubscription: 2,
  });
  await dispatcher.start();
  onTestFinished(() => dispatcher.stop());
  const { id } = await outgoing.subscribe(receiver.url);
  await outgoing.happen(1);
  await outgoing.settled(id, ['delivered']);
  const names = domainEventNames(prefix);
  const again = { id: '1', type: 'segment.entered', tenant_id: TENANT, occurred_at: new Date(), data: {} };
  for (let copy = 0; copy < 5; copy++)
    await jetstream(connection).publish(names.subject(TENANT, 'segment.entered'), JSON.stringify(again));
  // Neither what nobody has recorded nor what is no event at all stops those behind it.
  await jetstream(connection).publish(
    names.subject(TENANT, 'segment.entered'),
    JSON.stringify({ ...again, id: '999999' }),
  );
  await jetstream(connection).publish(names.subject(TENANT, 'segment.entered'), 'nonsense');
  await outgoing.happen(2);
  await outgoing.settled(id, ['delivered', 'delivered']);
  await outgoing.dispatched();
  expect(new Set(receiver.ids())).toEqual(new Set(['evt_1', 'evt_2']));
  expect(receiver.received).toHaveLength(2);
});

test('a message whose task was lost is found and sent', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const { id } = await outgoing.subscribe(receiver.url, ['segment.exited']);
  await outgoing.happen(1);
  await outgoing.dispatched();
  // As if it had been dispatched, and the broker had lost the task with its disk.
  await outgoing.query(
    `INSERT INTO outbound_webhook_message (tenant_id, subscription_id, event_id, next_attempt_at, claim, claimed_until)
     SELECT tenant_id, $1, id, now() - interval '1 minute', 'lost', now() - interval '1 second' FROM domain_event WHERE tenant_id = 1`,
    [id],
  );
  const [delivery] = await outgoing.settled(id, ['delivered']);
  expect(receiver.ids()).toEqual([delivery?.event_id]);
});

test('two tasks for one message send it once', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const { id } = await outgoing.subscribe(receiver.url);
  await outgoing.happen(1);
  await outgoing.settled(id, ['delivered']);
  const payload = { tenant_id: TENANT, subscription_id: id, event_id: 1 };
  expect(await outgoing.run(deliverWebhook, payload)).toMatchObject({ outcome: 'over' });
  // Nor does a task reach another tenant's message, whatever its payload says.
  expect(await outgoing.run(deliverWebhook, { ...payload, tenant_id: 2 })).toMatchObject({ outcome: 'over' });
  expect(receiver.received).toHaveLength(1);
});

test('events are removed a month after they were published, with their messages and attempts', async () => {
  const receiver = await openReceiver();
  const outgoing = await openOutgoing({ hosts: [receiver.host] });
  const { id } = await outgoing.subscribe(receiver.url);
  await outgoing.happen(1);
  await outgoing.happen(2);
  await outgoing.settled(id, ['delivered', 'delivered']);
  await outgoing.query(`UPDATE domain_event SET published_at = now() - interval '31 days' WHERE id = 1`);
  const sweep = createRetentionSweep({
    pool: outgoing.database.as('stratum_scheduler'),
    days: RETENTION_DAYS,
    logger: pino({ level: 'silent' }),
  });
  sweep.start();
  onTestFinished(() => sweep.stop());
  const [left] = await outgoing.settled(id, ['delivered']);
  expect(left?.event_id).toBe('evt_2');
  expect(await outgoing.query('SELECT event_id FROM outbound_webhook_attempt')).toEqual([{ event_id: '2' }]);
  const gone = await outgoing.call('POST', `/v1/subscriptions/${id}/deliveries/evt_1/replay`);
  expect(gone.status).toBe(404);
});
