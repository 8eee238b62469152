/** Every service at its work, as the user that `deploy/nats` has for it. */
import { connectToNats, createClient, openSchedules, type JobsClient } from '@stratum/jobs';
import {
  carryOutPrivacyRequest,
  loadConfiguration,
  parseKeyRing,
  PLATFORM_TENANT_ID,
  platformTopology,
  SERVICES,
  TASKS,
  TOPOLOGY_SETTINGS,
  withTenant,
} from '@stratum/shared';
import { ALL_SCOPES, createApiKey } from '@stratum/shared/api-keys';
import { recordRequest } from '@stratum/shared/privacy';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect, onTestFinished, test } from 'vitest';
import { buildPages, callsOf, cookieOf, type Call } from '../dashboard/fixture.js';
import { freePort, waitFor, type TestDatabase } from '../harness/index.js';
import { securedServer, startServices } from '../harness/secured-server.js';

const TENANT = 1;
const EMAIL = 'ann.person@example.com';

async function signedIn({ owner }: TestDatabase, url: string): Promise<Call> {
  const { text } = await withTenant(owner, PLATFORM_TENANT_ID, (client) =>
    createApiKey(client, { tenantId: PLATFORM_TENANT_ID, name: 'test', scopes: ALL_SCOPES }),
  );
  const { headers } = await callsOf(url)('POST', '/api/session', { key: text });
  return callsOf(url, cookieOf(headers));
}

/** Every control of the dashboard once. */
async function useControls(call: Call, client: JobsClient): Promise<void> {
  const later = await client.publish(
    'rules',
    'evaluate_rules',
    { tenant_id: TENANT },
    { delayMs: 3_600_000 },
  );
  const waiting = async (): Promise<string> =>
    (await client.publish('rules', 'evaluate_rules', { tenant_id: TENANT })).id;
  const done = async (path: string, body: object): Promise<unknown> => {
    const answer = await call('POST', path, body);
    expect(answer, `${path} ${JSON.stringify(answer.body)}`).toMatchObject({ status: 200 });
    return answer.body;
  };
  await done('/api/queues/rules/pause', {});
  expect(await done(`/api/tasks/${later.id}/revoke`, {})).toMatchObject({ outcome: 'revoked' });
  const id = await waiting();
  expect(await call('GET', `/api/tasks/${id}/why`)).toMatchObject({ status: 200 });
  expect(await done(`/api/tasks/${id}/revoke`, {})).toMatchObject({ outcome: 'revoked' });
  await waiting();
  expect(await done('/api/queues/rules/purge', { confirm: 'rules' })).toMatchObject({ purged: 1 });
  await done('/api/queues/rules/resume', {});
  for (const verb of ['pause', 'resume', 'run']) await done(`/api/schedules/process_audit_logs/${verb}`, {});
  const { id: workflow } = await client.workflows.start({
    chain: ['evaluate_rules', 'evaluate_rules'].map((task) => ({
      task,
      payload: { tenant_id: TENANT },
      options: { delay_ms: 3_600_000 },
    })),
  });
  expect(await done(`/api/workflows/${workflow}/cancel`, {})).toMatchObject({ outcome: 'cancelled' });
  const failed = await client.publish(
    'intel',
    'fetch_competitor_data',
    { note: 'broken' },
    { tenant: TENANT },
  );
  await client.result(failed.id);
  const group = await waitFor('the failure in the history', async () => {
    const { body } = await call<{ items: { error_group: string }[] }>('GET', `/api/tasks?q=id:${failed.id}`);
    return body.items[0]?.error_group;
  });
  expect(await done(`/api/failures/${group}/replay`, { most: 1 })).toMatchObject({ replayed: [failed.id] });
  const worker = await waitFor('the sample of the workers', async () => {
    const { body } = await call<{ workers?: { name: string; queues: string[] }[] }>('GET', '/api/overview');
    return body.workers?.find(({ queues }) => queues.includes('ml'))?.name;
  });
  expect(await done(`/api/workers/${worker}/concurrency`, { concurrency: 2 })).toMatchObject({
    replies: [{ worker, reply: expect.anything() }],
  });
  expect(await call('GET', `/api/workers/${worker}`)).toMatchObject({ body: { worker: { name: worker } } });
  expect(await done(`/api/workers/${worker}/shutdown`, { confirm: worker })).toMatchObject({
    replies: [{ worker, reply: expect.anything() }],
  });
}

/** A waiting task, a dead letter with its record and events, and a domain event, all of which name the person. */
async function mentionPerson(client: JobsClient, platform: NatsConnection): Promise<void> {
  const options = { tenant: TENANT };
  await client.publish('intel', 'fetch_competitor_data', { note: EMAIL }, { ...options, delayMs: 3_600_000 });
  const { id } = await client.publish('intel', 'fetch_competitor_data', { note: EMAIL }, options);
  expect(await client.result(id)).toMatchObject({ state: 'FAILURE' });
  await waitFor('the dead letter', async () => (await client.deadLetters.list()).length === 1);
  await jetstream(platform).publish(
    `stratum.domain.${TENANT}.segment.entered`,
    JSON.stringify({ type: 'segment.entered', data: { profile_ids: [], external_ids: [EMAIL] } }),
  );
}

/** Streams with a message that names the person. */
async function placesOf(platform: NatsConnection): Promise<string[]> {
  const manager = await jetstreamManager(platform);
  const found: string[] = [];
  for await (const { config, state } of manager.streams.list())
    for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(config.name, { seq }).catch(() => undefined);
      if (message?.string().includes(EMAIL) === true && !found.includes(config.name)) found.push(config.name);
    }
  return found;
}

test('every service does all of its work, and the server refuses it nothing', async () => {
  const [server] = await Promise.all([securedServer(), buildPages()]);
  const port = await freePort();
  const { database, keyText } = await startServices(server, SERVICES, { DASHBOARD_PORT: String(port) });
  const connection = await connectToNats({ servers: server.urlOf('platform'), name: 'test' });
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));
  const client = createClient({ connection, topology, contracts: TASKS });
  const schedules = openSchedules({ connection, topology, contracts: TASKS });
  onTestFinished(async () => {
    await Promise.all([client.close(), schedules.close()]);
    await connection.close();
  });
  const platform = await server.connectAs('platform');

  // All scheduled jobs, and a workflow over two queues.
  const entries = await waitFor('the schedule', async () => {
    const found = await schedules.list();
    return found.length > 0 ? found : undefined;
  });
  const runs = await Promise.all(entries.map(({ name }) => schedules.run(name)));
  const { id } = await client.workflows.start({
    chain: [
      { task: 'sync_campaign_data', payload: { tenant_id: TENANT, platform: 'meta' } },
      { task: 'evaluate_rules', payload: { tenant_id: TENANT } },
    ],
  });
  expect(await client.workflows.result(id)).toMatchObject({ state: 'SUCCESS' });
  for (const run of runs)
    expect(await client.result(run.id), run.id).toMatchObject({
      state: expect.stringMatching(/SUCCESS|SKIPPED/),
    });
  await waitFor('what the jobs have enqueued', async () =>
    (await client.queues()).every(({ high, normal, low, running }) => high + normal + low + running === 0),
  );

  // A producer's request is reported to the audit log, which the default worker reads.
  const shop = await server.connectAs('shop');
  await shop.request(
    `stratum.enqueue.${TENANT}.sync.normal.sync_campaign_data.x`,
    JSON.stringify({ tenant_id: TENANT, platform: 'meta' }),
    { timeout: 10_000 },
  );
  const audited = await schedules.run('process_audit_logs');
  expect(await client.result(audited.id)).toMatchObject({ state: 'SUCCESS' });

  // A person is erased from streams, results and dead letters.
  await mentionPerson(client, platform);
  expect(await placesOf(platform)).toEqual(
    expect.arrayContaining(['QUEUE_INTEL', 'DEAD_LETTERS', 'DOMAIN_EVENTS']),
  );
  const request = await withTenant(database.owner, TENANT, (db) =>
    recordRequest(db, parseKeyRing(keyText), {
      tenantId: TENANT,
      kind: 'erase',
      origin: 'test',
      dedupKey: 'test',
      names: [{ type: 'email', value: EMAIL }],
    }),
  );
  const erasure = await client.enqueue(carryOutPrivacyRequest, { tenant_id: TENANT, request_id: request.id });
  expect(await client.result(erasure.id)).toMatchObject({ state: 'SUCCESS' });
  expect(await placesOf(platform)).toEqual([]);

  await useControls(await signedIn(database, `http://127.0.0.1:${port}`), client);
  expect(server.refusals()).toEqual([]);
});
