/** Further instances of each kind of attack by programs outside of the platform's account: every import, header and form of subject. */
import { readFile } from 'node:fs/promises';
import { createClient, connectToNats } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { securedServer, startServices, type SecuredServer } from '../harness/secured-server.js';
import { ask, askSubject, awaited, listen, payload, rawSubject, TARGETS, unanswered } from './requests.js';

const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));

/** Replies that would do harm if the platform's own right published them: JetStream's API, the system, keys of leaders, others' inboxes. */
const HARMFUL_REPLIES = [
  ...TARGETS,
  '$KV.task_schedules.leader',
  '$KV.task_schedules.member.x',
  '$KV.task_schedules.entry.x',
  '$KV.task_control.pause.sync',
  '$KV.task_locks.x',
  '$KV.task_workflows.x',
  '$JS.API.STREAM.PURGE.QUEUE_SYNC',
  '$JS.API.STREAM.DELETE.DEAD_LETTERS',
  '$JS.API.CONSUMER.DELETE.QUEUE_SYNC.sync-normal',
  '$JS.ACK.QUEUE_SYNC.sync-normal.1.1.1.1.0',
  '$JS.FC.QUEUE_SYNC.sync-normal.x',
  '$SYS.REQ.SERVER.PING',
  '$O.OBJECTS.M.x',
  '_INBOX.platform.x',
  '_R_.x.y',
  'stratum.delayed.sync.x',
  'stratum.enqueue.2.rules.normal.evaluate_rules.x',
  'stratum.dead_index.2.x',
];

/** Headers that JetStream, a key-value bucket, a workflow or tracing would obey, in the newest servers and in other spellings. */
const OBEYED_HEADERS: Readonly<Record<string, string>> = {
  'Nats-Rollup': 'sub',
  'Nats-Schedule': '@every 1s',
  'Nats-Schedule-Target': rawSubject(2, 'scheduled'),
  'Nats-Schedule-Source': rawSubject(2, 'victim'),
  'Nats-Schedule-TTL': '1s',
  'Nats-Schedule-Time-Zone': 'Europe/Berlin',
  'Nats-Schedule-Next': 'purge',
  'Nats-Scheduler': rawSubject(2, 'victim'),
  'Nats-TTL': 'never',
  'Nats-Marker-Reason': 'Purge',
  'Nats-Batch-Id': 'batch',
  'Nats-Batch-Sequence': '1',
  'Nats-Batch-Commit': '1',
  'Nats-Incr': '+5',
  'Nats-Counter-Sources': '{}',
  'Nats-Required-Api-Level': '99',
  'Nats-Expected-Last-Msg-Id': 'victim',
  'Nats-Expected-Stream': 'QUEUE_RULES',
  'Nats-Stream-Source': 'QUEUE_RULES 1 > >',
  'Nats-Msg-Size': '1',
  'Nats-Trace-Dest': '$KV.task_schedules.leader',
  'Nats-Trace-Only': 'true',
  'Nats-Trace-Hop': '1',
  'Nats-Request-Info': '{"acc":"STRATUM"}',
  'Nats-Service-Error-Code': '500',
  'KV-Operation': 'PURGE',
  Status: '503',
  'nats-msg-id': 'victim',
  'NATS-ROLLUP': 'all',
  'task-workflow': 'w 1',
  'Task-Unique-For': 'k 60000',
  'Task-Rate-Turn': 'full',
  'Task-Hand-Backs': '1000000',
  'Task-Deliveries': '1000000',
  'Task-Unreachable-Since': '2020-01-01T00:00:00Z',
  'Task-Unknown-For': '1',
  'Task-Snoozes': '1000000',
  'Dead-Subject': 'stratum.workers._all.shutdown',
};

async function open(): Promise<{ server: SecuredServer; client: ReturnType<typeof createClient> }> {
  const server = await securedServer();
  await startServices(server);
  const connection = await connectToNats({ servers: server.urlOf('platform'), name: 'platform' });
  const client = createClient({ connection, topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  return { server, client };
}

/** What an answer has to say of the platform's account to be of use; an error says nothing of it. */
const REVEALING = /"success":\s*true|"state":|"config":|STRATUM|platform|sync-worker/;

/** What a plain request is answered; empty when nobody does. The server lets every account list its own connections. */
async function answerTo(connection: NatsConnection, subject: string, body: string): Promise<string> {
  try {
    return (await connection.request(subject, body, { timeout: 1_000 })).string();
  } catch {
    return '';
  }
}

/** The services that an account imports, as `deploy/nats` says, with a token in place of each wild card. */
async function importsOf(file: string): Promise<string[]> {
  const text = await readFile(new URL(`../../../deploy/nats/${file}`, import.meta.url), 'utf8');
  const subjects = [...text.matchAll(/service: \{ account: STRATUM, subject: "([^"]+)"/g)];
  return subjects.map(([, subject = '']) => subject);
}

/** How many messages each stream of the platform holds, without those that the services write all the time. */
async function contents(platform: NatsConnection): Promise<Record<string, number>> {
  const held: Record<string, number> = {};
  for await (const { config, state } of (await jetstreamManager(platform)).streams.list())
    held[config.name] = state.messages;
  return held;
}

const leaderOf = async (platform: NatsConnection): Promise<unknown> => {
  const manager = await jetstreamManager(platform);
  const last = { last_by_subj: '$KV.task_schedules.leader' };
  return (await manager.streams.getMessage('KV_task_schedules', last))?.json();
};

test.each(['shop', 'observer'] as const)(
  'a request of the %s through any import, with a reply of its choice, is answered in its own account alone',
  async (user) => {
    const { server, client } = await open();
    const [outside, platform] = await Promise.all([server.connectAs(user), server.connectAs('platform')]);
    const imports = await importsOf(user === 'observer' ? 'observer.conf' : 'producers/shop.conf');
    expect(imports.length).toBeGreaterThan(user === 'observer' ? 20 : 2);
    await waitFor('a leader', async () => (await leaderOf(platform)) !== undefined);
    const before = await contents(platform);
    const heard = await listen(server);
    const answered = new Set<string>();
    for (const reply of HARMFUL_REPLIES)
      outside.subscribe(reply, { callback: (_error, { subject }) => void answered.add(subject) });
    for (const [index, reply] of HARMFUL_REPLIES.entries())
      for (const subject of imports) {
        const filled = subject
          .replace('$JS.API.DIRECT.GET.>', '$JS.API.DIRECT.GET.KV_task_results')
          .replace(/(STREAM\.INFO|MSG\.GET|CONSUMER\.\w+)\.\*/, '$1.QUEUE_SYNC')
          .replace('workers.*', 'workers._all')
          .replaceAll(/\*|>/g, `x${index}`);
        // Bodies that the services refuse: an accepted one would store a task by right.
        outside.publish(filled, '{"seq":1}', { reply });
      }
    await outside.flush();
    await waitFor('answers in its own account', () => TARGETS.every((target) => answered.has(target)));
    expect(heard).toEqual([]);
    expect(await client.control.inspect('ping')).toHaveLength(2);
    expect(await leaderOf(platform)).toMatchObject({ since: expect.any(String) });
    const after = await contents(platform);
    for (const stream of [
      'QUEUE_SYNC',
      'QUEUE_RULES',
      'DEAD_LETTERS',
      'KV_task_schedules',
      'KV_task_control',
    ])
      expect([stream, after[stream]]).toEqual([stream, before[stream]]);
    expect(Object.keys(after).toSorted()).toEqual(Object.keys(before).toSorted());
  },
);

test.each(['shop', 'observer'] as const)(
  'the account of the %s has no JetStream, no system and no inbox of others',
  async (user) => {
    const { server } = await open();
    const [outside, platform] = await Promise.all([server.connectAs(user), server.connectAs('platform')]);
    const overheard: string[] = [];
    for (const subject of ['_INBOX.>', '$SYS.>', '$JS.EVENT.>', '$KV.>', '$O.>', 'stratum.tasks.>', '_R_.>'])
      outside.subscribe(subject, { callback: (_error, message) => void overheard.push(message.subject) });
    await outside.flush();
    for (const [subject, body] of [
      ['$JS.API.STREAM.CREATE.MINE', '{"name":"MINE","subjects":["mine"],"sources":[{"name":"QUEUE_SYNC"}]}'],
      ['$JS.API.STREAM.SNAPSHOT.QUEUE_SYNC', '{"deliver_subject":"mine"}'],
      ['$JS.API.STREAM.RESTORE.MINE', '{}'],
      ['$JS.API.STREAM.MSG.DELETE.QUEUE_SYNC', '{"seq":1}'],
      ['$JS.API.STREAM.PURGE.KV_task_results', '{}'],
      [
        '$JS.API.CONSUMER.CREATE.QUEUE_SYNC.mine',
        '{"stream_name":"QUEUE_SYNC","config":{"deliver_subject":"stratum.workers._all.shutdown","ack_policy":"none"}}',
      ],
      ['$JS.API.CONSUMER.DURABLE.CREATE.QUEUE_SYNC.mine', '{}'],
      ['$JS.API.CONSUMER.MSG.NEXT.QUEUE_RULES.rules-normal', '1'],
      ['$JS.API.CONSUMER.PAUSE.QUEUE_SYNC.sync-normal', '{"pause_until":"2099-01-01T00:00:00Z"}'],
      ['$JS.API.CONSUMER.UNPIN.QUEUE_SYNC.sync-normal', '{}'],
      ['$JS.API.SERVER.REMOVE', '{}'],
      ['$JS.API.ACCOUNT.PURGE.STRATUM', ''],
      ['$SYS.REQ.SERVER.PING', ''],
      ['$SYS.REQ.ACCOUNT.STRATUM.CONNZ', ''],
      ['$SYS.REQ.SERVER.PING.CONNZ', ''],
      ['stratum.workers._all.concurrency', '{"concurrency":1}'],
      ['stratum.workers._all.shutdown', '{"all":true}'],
    ] as const)
      expect(await answerTo(outside, subject, body), subject).not.toMatch(REVEALING);
    // Traffic of the platform meanwhile, of which it hears nothing.
    platform.publish('stratum.tasks.heard');
    platform.publish('_INBOX.platform.heard');
    await platform.flush();
    await outside.flush();
    expect(
      overheard.filter((subject) => !subject.startsWith(`_INBOX.${user}.`) && !subject.startsWith('$')),
    ).toEqual([]);
  },
);

test('no header of a server of any version, and none of the platform, passes from a request into the task', async () => {
  const { server, client } = await open();
  const [shop, platform] = await Promise.all([server.connectAs('shop'), server.connectAs('platform')]);
  const manager = await jetstreamManager(platform);
  await client.control.pause('sync');
  const victim = await client.publish(
    'sync',
    'sync_campaign_data',
    { tenant_id: 2, platform: 'meta' },
    { id: 'victim', tenant: 2 },
  );
  const before = await contents(platform);
  const heard = await listen(server);
  const entries = Object.entries(OBEYED_HEADERS);
  // Such a request is traced and not delivered.
  const { 'Nats-Trace-Only': _, ...together } = OBEYED_HEADERS;
  const requests = [...entries.map((entry) => Object.fromEntries([entry])), together];
  for (const [index, given] of requests.entries()) {
    const stored = await ask(shop, askSubject(1, `own-${index}`), payload(1), given);
    const name = Object.keys(given).join();
    expect(stored, name).toMatchObject({ code: '', body: { state: 'PENDING', duplicate: false } });
    const id = String(stored.body['id']);
    const message = await manager.streams.getMessage('QUEUE_SYNC', { last_by_subj: rawSubject(1, id) });
    expect(Object.fromEntries(message?.header ?? []), name).toEqual({
      'Nats-Msg-Id': [id],
      'Nats-Expected-Last-Subject-Sequence': ['0'],
    });
  }
  const after = await contents(platform);
  expect(after['QUEUE_SYNC']).toBe((before['QUEUE_SYNC'] ?? 0) + requests.length);
  expect(after['QUEUE_RULES']).toBe(before['QUEUE_RULES']);
  expect(await client.status(victim.id)).toMatchObject({ state: 'PENDING', tenant: '2' });
  expect(await leaderOf(platform)).toMatchObject({ since: expect.any(String) });
  expect(heard).toEqual([]);
});

test('an id that the platform’s own work has or will have is never a producer’s', async () => {
  const { server, client } = await open();
  const shop = await server.connectAs('shop');
  await client.control.pause('sync');
  for (const id of [
    'beat-campaign-sync-20261201T000000Z',
    'run-campaign-sync-1',
    'workflow-1',
    'n-other',
    'erase-tenant-2',
    'webhook-2-1',
    'leader',
    'x'.repeat(64),
  ]) {
    const stored = await ask(shop, askSubject(1, id), payload(1));
    expect(stored.body, id).toMatchObject({ id: expect.stringMatching(/^n-[\w-]+$/), state: 'PENDING' });
    expect(stored.body['id']).not.toBe(id);
    // And asking for the platform's own id finds nothing of the platform.
    expect(await awaited(shop, 1, id, 0), id).toMatchObject({ code: '404' });
  }
});

test('subjects of odd forms store nothing, and are answered by the field or not at all', async () => {
  const { server } = await open();
  const [shop, platform] = await Promise.all([server.connectAs('shop'), server.connectAs('platform')]);
  const before = await contents(platform);
  for (const [subject, field] of [
    ['stratum.enqueue.1.sync.NORMAL.sync_campaign_data.x', 'subject.priority'],
    ['stratum.enqueue.1.sync.0.sync_campaign_data.x', 'subject.priority'],
    ['stratum.enqueue.1.sync.high%20.sync_campaign_data.x', 'subject.priority'],
    [askSubject(1, 'a%00b'), 'subject.id'],
    [askSubject(1, 'ä'), 'subject.id'],
    [askSubject(1, '\u202ex'), 'subject.id'],
    [askSubject(1, 'a:b'), 'subject.id'],
    [askSubject(1, 'x'.repeat(3_000)), 'subject.id'],
  ] as const)
    expect(await ask(shop, subject, payload(1)), subject).toMatchObject({
      code: '422',
      body: { errors: expect.arrayContaining([expect.objectContaining({ field })]) },
    });
  for (const subject of [
    'stratum.enqueue.01.sync.normal.sync_campaign_data.x',
    'stratum.enqueue.1.SYNC.normal.sync_campaign_data.x',
    'stratum.enqueue.1.sync.normal.sync_campaign_data',
    'stratum.enqueue.1.sync.normal.sync_campaign_data.x.y',
    'stratum.enqueue.*.sync.normal.sync_campaign_data.x',
    'stratum.enqueue.1.rules.normal.evaluate_rules.x',
    'stratum.await.*.x',
    'stratum.await.1.x.y',
  ])
    expect(await unanswered(shop, subject, payload(1)), subject).toBe(true);
  expect((await contents(platform))['QUEUE_SYNC']).toBe(before['QUEUE_SYNC']);
});
