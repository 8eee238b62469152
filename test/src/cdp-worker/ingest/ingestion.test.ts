/** From the stream to the database, by the worker's own service. */
import { cdpService } from '@stratum/cdp-worker';
import { loadConfiguration, ingestCustomerEvents } from '@stratum/shared';
import { settingsOf, startQueueService } from '@stratum/shared/service';
import { eventStreamNames } from '@stratum/shared/customer-events';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { testKeyText, waitFor } from '../../harness/index.js';
import { openPlatform, TENANT, type Platform } from '../../harness/platform.js';

async function startService(platform: Platform): Promise<Registry> {
  const { natsUrl, database, prefix, connection } = platform;
  const registry = new Registry();
  const service = await startQueueService(cdpService, {
    configuration: loadConfiguration(settingsOf(cdpService), {
      NATS_URL: natsUrl,
      DATABASE_URL: database.url,
      STRATUM_PREFIX: prefix,
      STRATUM_CREDENTIALS_KEY: testKeyText(),
    }),
    connection,
    logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
    registry,
  });
  onTestFinished(() => service.stop());
  return registry;
}

test('invalid events are set aside, valid ones are stored, and the stream is empty in the end', async () => {
  const platform = await openPlatform();
  const { connection, prefix, query } = platform;
  const registry = await startService(platform);
  const names = eventStreamNames(prefix);
  const stream = jetstream(connection);
  const good = { type: 'track', event: 'Seen', userId: 'u-1', messageId: 'm-1' };
  const message = {
    sourceId: 3,
    receivedAt: new Date().toISOString(),
    events: [good, { type: 'track' }, 17, { ...good, userId: 'null', messageId: 'm-2' }],
  };
  for (const body of ['no JSON', '{}', JSON.stringify(message)])
    await stream.publish(names.subject(TENANT, 3), body);
  await stream.publish(`${prefix}.customer.nobody.3`, JSON.stringify(message));
  const manager = await jetstreamManager(connection);
  await waitFor(
    'an empty stream',
    async () => (await manager.streams.info(names.stream)).state.messages === 0,
  );
  expect(await query('SELECT message_id FROM cdp_event')).toEqual([{ message_id: 'm-1' }]);
  const rejected = await query<{ error: string }>('SELECT error FROM cdp_rejected_event ORDER BY id');
  expect(rejected).toHaveLength(5);
  const metrics = await registry.metrics();
  expect(metrics).toMatch(/stratum_customer_events_total\{outcome="stored"\} 1/);
  expect(metrics).toMatch(/stratum_customer_requests_waiting 0/);
});

test('while the database takes nothing, events wait, and none is lost', async () => {
  const platform = await openPlatform();
  const { connection, prefix, database, query } = platform;
  await startService(platform);
  const names = eventStreamNames(prefix);
  await query('REVOKE INSERT ON cdp_event FROM stratum_cdp_worker');
  for (let n = 0; n < 50; n++) {
    const event = { type: 'track', event: 'Seen', userId: `u-${n % 7}`, messageId: `m-${n}` };
    await jetstream(connection).publish(
      names.subject(TENANT, 3),
      JSON.stringify({ sourceId: 3, receivedAt: new Date().toISOString(), events: [event] }),
    );
  }
  await waitFor('a try', async () => {
    const { rows } = await database.owner.query<{ rolled_back: string }>(
      'SELECT xact_rollback AS rolled_back FROM pg_stat_database WHERE datname = current_database()',
    );
    return Number(rows[0]?.rolled_back) > 1;
  });
  expect(await query('SELECT FROM cdp_message')).toEqual([]);
  await query('GRANT INSERT ON cdp_event TO stratum_cdp_worker');
  await waitFor('all events', async () => (await query('SELECT FROM cdp_event')).length === 50);
  expect(await query('SELECT sum(total_events)::int AS sum FROM cdp_profile')).toEqual([{ sum: 50 }]);
  expect(await query('SELECT FROM cdp_rejected_event')).toEqual([]);
});

test('a service of the platform brings events in by a task, each once', async () => {
  const platform = await openPlatform();
  await startService(platform);
  const events = [
    {
      type: 'track' as const,
      event: 'Order Completed',
      userId: 'customer-9',
      messageId: 'shop:order:1',
      properties: { total: '19.90' },
      traits: { email: 'ann@example.com' },
    },
    { type: 'track' as const, event: 'Order Completed', userId: 'null', messageId: 'shop:order:2' },
  ];
  const payload = { tenant_id: TENANT, events };
  expect(await platform.run(ingestCustomerEvents, payload)).toEqual({ stored: 1, repeated: 0, rejected: 1 });
  expect(await platform.run(ingestCustomerEvents, payload)).toMatchObject({ stored: 0, repeated: 1 });
  expect(
    await platform.query('SELECT external_id, total_revenue::float8 AS revenue, identities FROM cdp_profile'),
  ).toEqual([{ external_id: 'customer-9', revenue: 19.9, identities: 2 }]);
});
