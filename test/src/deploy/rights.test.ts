/** What each user of `deploy/nats` can do, and what it cannot. */
import { randomUUID } from 'node:crypto';
import { createClient, connectToNats } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { securedServer, startServices, type SecuredServer } from '../harness/secured-server.js';

const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));

const subjectOf = (tenant: number | string, task = 'sync_campaign_data', id: string = randomUUID()): string =>
  `stratum.tasks.sync.normal.${tenant}.${task}.${id}`;

const payload = (tenant: number): string => JSON.stringify({ tenant_id: tenant, platform: 'meta' });

/** The server's word that it has refused something, as the client library tells it. */
async function refusal(connection: NatsConnection, act: () => unknown): Promise<string> {
  const told = (async () => {
    for await (const status of connection.status())
      if (status.type === 'error' && status.error.name === 'PermissionViolationError')
        return status.error.message;
    return 'the connection was closed';
  })();
  await Promise.resolve(act()).catch(() => undefined);
  await connection.flush();
  return told;
}

async function ask(
  connection: NatsConnection,
  tenant: number | string,
  id: string,
  wait = 30,
): Promise<{ code: string; body: unknown }> {
  const reply = await connection.request(`stratum.await.${tenant}.${id}`, JSON.stringify({ wait }), {
    timeout: 40_000,
  });
  return { code: reply.headers?.get('Nats-Service-Error-Code') ?? '', body: reply.json() };
}

async function openServer(): Promise<SecuredServer> {
  const server = await securedServer();
  await startServices(server);
  return server;
}

describe('the shipped configuration', () => {
  test('lets the platform work, a producer enqueue for its tenant and await the result, and nobody more', async () => {
    const server = await openServer();
    const [shop, crm, platform] = await Promise.all([
      server.connectAs('shop'),
      server.connectAsCrm(),
      server.connectAs('platform'),
    ]);

    // A task of its own, from enqueueing to the result, by a user with a password and by one with a key.
    const id = randomUUID();
    const stored = await jetstream(shop).publish(subjectOf(1, undefined, id), payload(1), { msgID: id });
    expect(stored).toMatchObject({ stream: 'QUEUE_SYNC', duplicate: false });
    expect(await ask(shop, 1, id)).toMatchObject({ code: '', body: { id, state: 'SUCCESS', tenant: '1' } });
    const foreignId = randomUUID();
    await jetstream(crm).publish(
      `stratum.tasks.rules.normal.2.evaluate_rules.${foreignId}`,
      '{"tenant_id":2}',
    );
    expect(await ask(crm, 2, foreignId)).toMatchObject({ code: '', body: { state: 'SUCCESS', tenant: '2' } });

    // The results of another tenant: the responder refuses, and no other way is open.
    const unknown = await ask(shop, 1, foreignId);
    expect(unknown).toMatchObject({ code: '404', body: { error: expect.stringContaining('has no task') } });
    for (const act of [
      () => shop.request(`stratum.await.2.${foreignId}`),
      () => shop.subscribe('stratum.results.>'),
      () => shop.subscribe(`stratum.results.${foreignId}`),
      () => shop.subscribe('stratum.events.>'),
      () => shop.subscribe('_INBOX.>'),
      () => shop.subscribe('_INBOX.crm.>'),
      () => shop.subscribe('stratum.tasks.>'),
      () => shop.publish(`$JS.API.DIRECT.GET.KV_task_results.$KV.task_results.${foreignId}`),
      () => shop.publish('$JS.API.STREAM.INFO.QUEUE_SYNC'),
      () => shop.publish('$JS.API.STREAM.PURGE.QUEUE_SYNC'),
      () => shop.publish('$JS.API.STREAM.MSG.GET.QUEUE_SYNC'),
      () => shop.publish('$JS.API.CONSUMER.MSG.NEXT.QUEUE_SYNC.sync-normal'),
      () => shop.publish('$JS.API.CONSUMER.CREATE.QUEUE_SYNC.mine'),
      () => shop.publish('$JS.API.STREAM.CREATE.MINE'),
      () => shop.publish(subjectOf(2), payload(2)),
      () => shop.publish(subjectOf('_'), payload(1)),
      () => shop.publish(subjectOf(1, 'sync_all_campaigns'), '{}'),
      () => shop.publish('stratum.delayed.sync.mine'),
      () => shop.publish('stratum.workers._all.shutdown'),
      () => shop.publish('$KV.task_results.mine'),
      () => shop.publish('stratum.results.mine'),
      () => crm.publish(subjectOf(1), payload(1)),
    ]) {
      const connection = act.toString().includes('crm.publish') ? crm : shop;
      expect(await refusal(connection, act), act.toString()).toMatch(/permissions violation/i);
    }

    // What its rights let through, the worker looks at: a payload of another tenant.
    const disguised = randomUUID();
    await jetstream(shop).publish(subjectOf(1, undefined, disguised), payload(2));
    expect(await ask(shop, 1, disguised)).toMatchObject({
      body: {
        state: 'FAILURE',
        error: { message: expect.stringContaining('work of tenant 2'), stack: null },
      },
    });

    // For later, with one header on the ordinary subject.
    const later = randomUUID();
    const inAnHour = headers();
    inAnHour.set('Task-Not-Before', String(Date.now() + 3_600_000));
    await jetstream(shop).publish(subjectOf(1, undefined, later), payload(1), { headers: inAnHour });
    const manager = await jetstreamManager(platform);
    await waitFor('the delayed message', async () => {
      const message = await manager.streams
        .getMessage('QUEUE_SYNC', { last_by_subj: `stratum.delayed.sync.${later}` })
        .catch(() => null);
      return message !== null;
    });
    expect(await ask(shop, 1, later, 0)).toMatchObject({ body: { state: 'SCHEDULED' } });
  });

  test('lets an observer see everything, and change nothing', async () => {
    const server = await openServer();
    const connection = await connectToNats({ servers: server.urlOf('observer'), name: 'observer' });
    const client = createClient({ connection, topology });
    onTestFinished(async () => {
      await client.close();
      await connection.close();
    });
    const platform = await server.connectAs('platform');
    const events: string[] = [];
    connection.subscribe('stratum.events.>', { callback: (_, message) => void events.push(message.subject) });
    await connection.flush();
    const id = randomUUID();
    await jetstream(platform).publish(subjectOf(1, undefined, id), payload(1));
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
    await waitFor('the event', () => events.some((subject) => subject.endsWith('.success')));
    expect((await client.queues()).map(({ queue }) => queue)).toContain('sync');
    expect(await client.deadLetters.list()).toEqual([]);
    expect((await client.control.workers()).length).toBeGreaterThan(0);

    for (const act of [
      () => connection.publish(subjectOf(1), payload(1)),
      () => connection.publish('stratum.delayed.sync.mine'),
      () => connection.publish('$KV.task_results.mine'),
      () => connection.publish('stratum.workers._all.shutdown'),
      () => connection.publish('$JS.API.STREAM.PURGE.QUEUE_SYNC'),
      () => connection.publish('$JS.API.STREAM.UPDATE.QUEUE_SYNC'),
      () => connection.publish('$JS.API.STREAM.DELETE.QUEUE_SYNC'),
      () => connection.publish('$JS.API.CONSUMER.CREATE.TASK_EVENTS.mine'),
      () => connection.publish('$JS.API.CONSUMER.MSG.NEXT.QUEUE_SYNC.sync-normal'),
      () => connection.subscribe('_INBOX.>'),
    ])
      expect(await refusal(connection, act), act.toString()).toMatch(/permissions violation/i);
  });

  test('is the same in the variants for durability', async () => {
    const server = await securedServer('nats-server-durable.conf');
    const platform = await server.connectAs('platform');
    const manager = await jetstreamManager(platform);
    await manager.streams.add({ name: 'ANY', subjects: ['stratum.any'] });
    expect(await jetstream(platform).publish('stratum.any', 'x')).toMatchObject({ seq: 1 });
  });
});
