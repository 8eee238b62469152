/** What each account and user of `deploy/nats` can do, and what it cannot. */
import { randomUUID } from 'node:crypto';
import { createClient, connectToNats } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { securedServer, startServices, type SecuredServer, type User } from '../harness/secured-server.js';
import { ask, askSubject, awaited, listen, payload, rawSubject, TARGETS, unanswered } from './requests.js';

const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));

/** The server's word that it has refused something, as the client library reports it. */
async function refusal(connection: NatsConnection, act: () => unknown): Promise<string> {
  const reported = (async () => {
    for await (const status of connection.status())
      if (status.type === 'error' && status.error.name === 'PermissionViolationError')
        return status.error.message;
    return 'the connection was closed';
  })();
  await Promise.resolve(act()).catch(() => undefined);
  await connection.flush();
  return reported;
}

async function openServer(): Promise<SecuredServer> {
  const server = await securedServer();
  await startServices(server);
  return server;
}

async function clientOf(server: SecuredServer, user: User): Promise<ReturnType<typeof createClient>> {
  const connection = await connectToNats({ servers: server.urlOf(user), name: user });
  const client = createClient({ connection, topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  return client;
}

describe('the shipped configuration', () => {
  test('lets producers enqueue for their tenant and await its results, and reach nothing else', async () => {
    const server = await openServer();
    const [shop, crm, platform] = await Promise.all([
      server.connectAs('shop'),
      server.connectAsCrm(),
      server.connectAs('platform'),
    ]);
    const client = await clientOf(server, 'platform');

    // A task of its own, by a user with a password and by one with a key.
    const stored = await ask(shop, askSubject(1, 'order-1'), payload(1));
    expect(stored).toMatchObject({ code: '', body: { state: 'PENDING', duplicate: false } });
    expect(await awaited(shop, 1, stored.body['id'])).toMatchObject({
      code: '',
      body: { id: stored.body['id'], state: 'SUCCESS', tenant: '1' },
    });
    const foreign = await ask(
      crm,
      'stratum.enqueue.2.rules.normal.evaluate_rules.order-1',
      '{"tenant_id":2}',
    );
    expect(await awaited(crm, 2, foreign.body['id'])).toMatchObject({
      body: { state: 'SUCCESS', tenant: '2' },
    });
    expect(foreign.body['id']).not.toBe(stored.body['id']);
    expect(await awaited(shop, 1, foreign.body['id'])).toMatchObject({ code: '404' });

    // Subjects that are not imported stay in the producer's own account.
    const before = await client.queues();
    for (const [connection, subject] of [
      [shop, askSubject(2)],
      [shop, askSubject(1, 'x', 'sync_all_campaigns')],
      [crm, askSubject(1)],
      [shop, `stratum.await.2.${String(foreign.body['id'])}`],
      [shop, 'stratum.workers._all.ping'],
      [shop, '$JS.API.INFO'],
      [shop, '$JS.API.STREAM.INFO.QUEUE_SYNC'],
      [shop, '$JS.API.DIRECT.GET.KV_task_results.$KV.task_results.x'],
      [shop, '$SRV.PING'],
    ] as const)
      expect(await unanswered(connection, subject, payload(1)), subject).toBe(true);
    const heard = await listen(server);
    for (const target of TARGETS) shop.publish(target, payload(1));
    shop.publish(rawSubject(1), payload(1));
    await shop.flush();

    // Replies, too: the answer goes to the producer's own account, whatever its subject is.
    const answers: string[] = [];
    for (const target of TARGETS)
      shop.subscribe(target, { callback: (_error, message) => void answers.push(message.subject) });
    for (const target of TARGETS) {
      shop.publish(askSubject(1, `reply-${target.replaceAll(/[^a-z]/g, '-')}`.slice(0, 60)), payload(2), {
        reply: target,
      });
      shop.publish(`stratum.await.1.${String(stored.body['id'])}`, '{"wait":0}', { reply: target });
    }
    shop.publish(askSubject(1, 'leader'), payload(2), { reply: '$KV.task_schedules.leader' });
    await waitFor('the answers in its own account', () => answers.length === 2 * TARGETS.length);
    expect(heard).toEqual([]);
    expect(await client.queues()).toMatchObject(before.map(({ queue }) => ({ queue })));
    expect(await client.control.inspect('ping')).toHaveLength(2);
    const leader = await (
      await jetstreamManager(platform)
    ).streams.getMessage('KV_task_schedules', {
      last_by_subj: '$KV.task_schedules.leader',
    });
    expect(leader?.json()).toMatchObject({ since: expect.any(String) });
    expect(server.refusals()).toEqual([]);
  });

  test('takes nothing from a request but payload, tenant, task, priority and the documented headers', async () => {
    const server = await openServer();
    const [shop, platform] = await Promise.all([server.connectAs('shop'), server.connectAs('platform')]);
    const client = await clientOf(server, 'platform');
    const manager = await jetstreamManager(platform);
    await client.control.pause('sync');
    const bystander = await client.publish(
      'sync',
      'sync_campaign_data',
      { tenant_id: 2, platform: 'meta' },
      { id: 'victim', tenant: 2 },
    );
    const delayed = await client.publish(
      'sync',
      'sync_campaign_data',
      { tenant_id: 2, platform: 'meta' },
      { id: 'later-victim', tenant: 2, delayMs: 3_600_000 },
    );
    const hostile = {
      'Nats-Rollup': 'all',
      'Nats-Schedule': '@every 1s',
      'Nats-Schedule-Target': 'stratum.delayed.sync.later-victim',
      'Nats-Msg-Id': 'victim',
      'Nats-TTL': '1s',
      'Nats-Expected-Stream': 'NONE',
      'Nats-Expected-Last-Sequence': '999',
      'Nats-Expected-Last-Subject-Sequence': '7',
      'Nats-Expected-Last-Subject-Sequence-Subject': rawSubject(2, 'victim'),
      'Nats-Trace-Dest': 'stratum.workers._all.shutdown',
      'Task-Workflow': 'w 1',
      'Task-Parent-Id': 'victim',
      'Task-Root-Id': 'victim',
      'Task-Retries': '3',
      'Task-Enqueued-At': '2020-01-01T00:00:00.000Z',
      'Task-Scheduled-By': 'campaign-sync 2026-11-29T00:00:00Z',
      'Task-Replay-Of': '1',
      'Task-Unique-Key': 'k',
      'Task-Fresh-Id': '1',
      'Task-History': '[]',
      'Dead-Reason': 'max_retries',
      'Task-Max-Retries': '7',
    };
    const stored = await ask(shop, askSubject(1, 'beat-campaign-sync-20261129T000000Z'), payload(1), hostile);
    expect(stored).toMatchObject({ code: '', body: { id: expect.stringMatching(/^n-/), state: 'PENDING' } });
    const id = String(stored.body['id']);
    const message = await manager.streams.getMessage('QUEUE_SYNC', { last_by_subj: rawSubject(1, id) });
    expect(Object.fromEntries(message?.header ?? [])).toEqual({
      'Nats-Msg-Id': [id],
      'Nats-Expected-Last-Subject-Sequence': ['0'],
      'Task-Max-Retries': ['7'],
    });
    expect(message?.json()).toEqual(JSON.parse(payload(1)));
    // The same once more is the same task, and says nothing about others.
    expect(await ask(shop, askSubject(1, 'beat-campaign-sync-20261129T000000Z'), payload(1))).toMatchObject({
      body: { id, state: 'PENDING', duplicate: true },
    });
    expect(await ask(shop, askSubject(1, 'victim'), payload(1))).toMatchObject({
      body: { id: expect.stringMatching(/^n-/), duplicate: false },
    });
    expect(await client.status(bystander.id)).toMatchObject({ state: 'PENDING', tenant: '2' });
    expect(await client.status(delayed.id)).toMatchObject({ state: 'SCHEDULED', tenant: '2' });

    // Refused with the name of the field, and nothing is stored.
    const count = async (): Promise<number> => (await manager.streams.info('QUEUE_SYNC')).state.messages;
    const held = await count();
    for (const [subject, body, given, field] of [
      [askSubject(1), '{"tenant_id":1}', {}, 'body.platform'],
      [askSubject(1), 'no JSON', {}, 'body'],
      // Its digits would be rounded on the way to a worker.
      [askSubject(1), payload(1).replace('{', '{"order":90071992547409931,'), {}, 'body.order'],
      [askSubject(1), `{"tenant_id":1,"a":${'['.repeat(70)}${']'.repeat(70)}}`, {}, 'body'],
      [askSubject(1), payload(1), { 'Task-Not-Before': 'soon' }, 'headers.Task-Not-Before'],
      [askSubject(1), payload(1), { 'Task-Expires': '5' }, 'headers.Task-Expires'],
      [askSubject(1), payload(1), { traceparent: `00-${'0'.repeat(32)}-1-1` }, 'headers.traceparent'],
      [askSubject(1), payload(1), { tracestate: 'no pair' }, 'headers.tracestate'],
      ['stratum.enqueue.1.sync.urgent.sync_campaign_data.x', payload(1), {}, 'subject.priority'],
      ['stratum.enqueue.1.sync.*.sync_campaign_data.x', payload(1), {}, 'subject.priority'],
      [askSubject(1, '*'), payload(1), {}, 'subject.id'],
      [askSubject(1, '>'), payload(1), {}, 'subject.id'],
      [askSubject(1, 'x'.repeat(300)), payload(1), {}, 'subject.id'],
    ] as const)
      expect(await ask(shop, subject, body, given), `${subject} ${body}`).toMatchObject({
        code: '422',
        body: { status: 422, errors: expect.arrayContaining([expect.objectContaining({ field })]) },
      });
    expect(
      await ask(shop, askSubject(1), JSON.stringify({ ...JSON.parse(payload(1)), x: 'x'.repeat(300_000) })),
    ).toMatchObject({ code: '413' });
    expect(await ask(shop, askSubject(1), payload(2))).toMatchObject({
      code: '403',
      body: { errors: [expect.objectContaining({ field: 'body.tenant_id' })] },
    });
    expect(await count()).toBe(held);
    // For later, with a header of the contract.
    const inAnHour = { 'Task-Not-Before': String(Date.now() + 3_600_000) };
    expect(await ask(shop, askSubject(1), payload(1), inAnHour)).toMatchObject({
      body: { state: 'SCHEDULED' },
    });
    await client.control.resume('sync');
    expect(await awaited(shop, 1, id)).toMatchObject({
      body: { state: 'SUCCESS', root_id: id, parent_id: null },
    });
  });

  test('lets an observer see everything, and change nothing', async () => {
    const server = await openServer();
    const client = await clientOf(server, 'observer');
    const observer = await server.connectAs('observer');
    const platform = await server.connectAs('platform');
    const events: string[] = [];
    observer.subscribe('stratum.events.>', { callback: (_, message) => void events.push(message.subject) });
    await observer.flush();
    const id = randomUUID();
    await jetstream(platform).publish(rawSubject(1, id), payload(1));
    expect(await client.result(id)).toMatchObject({ state: 'SUCCESS' });
    await waitFor('the event', () => events.some((subject) => subject.endsWith('.success')));
    expect((await client.queues()).map(({ queue }) => queue)).toContain('sync');
    expect(await client.deadLetters.list()).toEqual([]);
    expect((await client.control.workers()).length).toBeGreaterThan(0);
    expect(await client.control.inspect('ping')).toHaveLength(2);

    const manager = await jetstreamManager(platform);
    const sizes = async (): Promise<number[]> => {
      const found = await Promise.all(
        ['QUEUE_SYNC', 'KV_task_results', 'DEAD_LETTERS'].map((stream) => manager.streams.info(stream)),
      );
      return found.map(({ state }) => state.messages);
    };
    const before = await sizes();
    const heard = await listen(server);
    for (const target of TARGETS) {
      observer.publish(target, payload(1));
      observer.publish(
        '$JS.API.DIRECT.GET.KV_task_results',
        JSON.stringify({ last_by_subj: `$KV.task_results.${id}` }),
        { reply: target },
      );
      observer.publish(`stratum.await.1.${id}`, '{"wait":0}', { reply: target });
      observer.publish('stratum.workers._all.stats', '', { reply: target });
      observer.publish('$JS.API.STREAM.INFO.QUEUE_SYNC', '', { reply: target });
    }
    for (const subject of [
      '$JS.API.STREAM.PURGE.QUEUE_SYNC',
      '$JS.API.STREAM.UPDATE.QUEUE_SYNC',
      '$JS.API.STREAM.DELETE.QUEUE_SYNC',
      '$JS.API.STREAM.CREATE.MINE',
      '$JS.API.CONSUMER.CREATE.TASK_EVENTS.mine',
      '$JS.API.CONSUMER.MSG.NEXT.QUEUE_SYNC.sync-normal',
      'stratum.workers._all.shutdown',
      askSubject(1),
    ])
      expect(await unanswered(observer, subject), subject).toBe(true);
    expect(await client.control.inspect('ping')).toHaveLength(2);
    expect(heard).toEqual([]);
    expect(await sizes()).toEqual(before);
  });

  test('gives a service the rights of its work', async () => {
    const server = await securedServer();
    const worker = await server.connectAs('sync-worker');
    for (const act of [
      () => worker.publish('$JS.API.CONSUMER.MSG.NEXT.QUEUE_RULES.rules-normal'),
      () => worker.publish('$JS.ACK.QUEUE_RULES.rules-normal.1.1.1.1.0'),
      () => worker.publish('$JS.API.STREAM.DELETE.QUEUE_SYNC'),
      () => worker.publish('$JS.API.STREAM.PURGE.QUEUE_SYNC'),
      () => worker.publish('$JS.API.STREAM.UPDATE.QUEUE_SYNC'),
      () => worker.publish('$JS.API.CONSUMER.PAUSE.QUEUE_SYNC.sync-normal'),
      () => worker.publish('$KV.task_schedules.leader'),
      () => worker.publish('$KV.task_control.revoke.all.x'),
      () => worker.publish('stratum.workers._all.shutdown'),
      () => worker.publish('stratum.audit.1'),
      () => worker.subscribe('stratum.tasks.>'),
      () => worker.subscribe('_INBOX.>'),
    ])
      expect(await refusal(worker, act), act.toString()).toMatch(/permissions violation/i);
    for (const user of ['api', 'scheduler'] as const) {
      const service = await server.connectAs(user);
      for (const act of [
        () => service.publish('$JS.API.CONSUMER.MSG.NEXT.QUEUE_SYNC.sync-normal'),
        () => service.publish('$JS.API.STREAM.DELETE.QUEUE_SYNC'),
        () => service.publish('stratum.workers._all.shutdown'),
      ])
        expect(await refusal(service, act), `${user} ${act.toString()}`).toMatch(/permissions violation/i);
    }
  });

  test('is the same in the variants for durability', async () => {
    const server = await securedServer('nats-server-durable.conf');
    const platform = await server.connectAs('platform');
    const manager = await jetstreamManager(platform);
    await manager.streams.add({ name: 'ANY', subjects: ['stratum.any'] });
    expect(await jetstream(platform).publish('stratum.any', 'x')).toMatchObject({ seq: 1 });
  });
});
