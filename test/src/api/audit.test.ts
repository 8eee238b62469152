/** Changes through the API and their keys, in an audit log whose hash chain reveals tampering. */
import { verifyAudit } from '@stratum/cli/audit';
import { parseKeyRing, PLATFORM_TENANT_ID, processAuditLogs } from '@stratum/shared';
import { auditKeys, readAnchors } from '@stratum/shared/audit';
import { expect, test } from 'vitest';
import { startDefaultWorker } from './default-worker.js';
import { openApi, TENANT } from './fixture.js';

test('every change ends in the audit log of the tenant, or of the platform', async () => {
  const api = await openApi();
  const { call, keys, createKey, query, run, database, connection, prefix } = api;
  const { id: keyId, text: key } = await createKey(TENANT);
  const task = await call('POST', '/v1/tasks/evaluate_rules', {
    key,
    body: { payload: {}, options: { delay_ms: 3_600_000 } },
  });
  await call('DELETE', `/v1/tasks/${String(task.body['id'])}`, { key });
  await call('POST', '/v1/schedules', {
    key,
    body: { name: 'nightly', task: 'evaluate_rules', cron: '0 3 * * *' },
  });
  await call('POST', '/v1/queues/rules/pause', { key: keys.platform });
  await call('GET', '/v1/queues', { key });
  startDefaultWorker(api);
  expect(await run(processAuditLogs, {})).toMatchObject({ written: 4, refused: 0 });
  const rows = await query(
    'SELECT tenant_id::int, actor, action, subject FROM audit_event ORDER BY tenant_id DESC, sequence',
  );
  const actor = `key/${keyId}`;
  expect(rows).toEqual([
    { tenant_id: TENANT, actor, action: 'task.enqueued', subject: 'task/evaluate_rules' },
    { tenant_id: TENANT, actor, action: 'task.revoked', subject: `task/${String(task.body['id'])}` },
    { tenant_id: TENANT, actor, action: 'schedule.added', subject: 'schedule/nightly' },
    {
      tenant_id: PLATFORM_TENANT_ID,
      actor: expect.stringMatching(/^key\//),
      action: 'queue.paused',
      subject: 'queue/rules',
    },
  ]);
  const ring = auditKeys({ STRATUM_CREDENTIALS_KEY: parseKeyRing(api.keyText) });
  const { anchors } = await readAnchors(connection, prefix);
  expect(await verifyAudit(database.owner, ring, anchors)).toEqual([
    { tenant_id: PLATFORM_TENANT_ID, events: 1, anchored: 1, problems: [] },
    { tenant_id: TENANT, events: 3, anchored: 3, problems: [] },
  ]);
});

test('who reads contacts or messages is in the audit log, and what was written is not', async () => {
  const api = await openApi();
  const { call, createKey, query, run } = api;
  const { text: key } = await createKey(TENANT);
  const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const made = await call('POST', `/v1/whatsapp/${path}`, { key, body });
    expect(made, path).toMatchObject({ status: 201 });
    return made.body;
  };
  const { id: account } = await post('accounts', {
    phone_number_id: '491512345',
    access_token: 'a-token-of-the-number',
  });
  const { id: contact } = await post('contacts', {
    phone: '+49 151 5550000',
    opted_in_at: '2026-11-01T00:00:00Z',
  });
  const { id: message } = await post('messages', {
    account_id: account,
    contact_id: contact,
    body: 'for your eyes only',
  });
  const { id: template } = await post('templates', {
    name: 'code',
    language: 'en',
    status: 'approved',
    parameters: 1,
  });
  await post('messages', {
    account_id: account,
    contact_id: contact,
    template_id: template,
    parameters: ['4711-secret'],
  });
  for (const path of [
    'contacts',
    `contacts/${String(contact)}`,
    'messages',
    `messages/${String(message)}`,
    'templates',
  ])
    expect(await call('GET', `/v1/whatsapp/${path}`, { key }), path).toMatchObject({ status: 200 });
  expect(await call('GET', '/v1/whatsapp/messages/999999', { key })).toMatchObject({ status: 404 });
  startDefaultWorker(api);
  await run(processAuditLogs, {});
  expect(
    await query(`SELECT action, subject FROM audit_event WHERE action LIKE '%.read' ORDER BY sequence`),
  ).toEqual([
    { action: 'whatsapp_contact.read', subject: 'whatsapp_contact' },
    { action: 'whatsapp_contact.read', subject: `whatsapp_contact/${String(contact)}` },
    { action: 'whatsapp_message.read', subject: 'whatsapp_message' },
    { action: 'whatsapp_message.read', subject: `whatsapp_message/${String(message)}` },
  ]);
  const events = JSON.stringify(await query('SELECT * FROM audit_event'));
  expect(events).toContain('whatsapp_message.created');
  expect(events).not.toMatch(/eyes only|4711|5550000/);
});

test('the audit log is read in pages, by filter, and as a file, by its tenant alone', async () => {
  const api = await openApi();
  const { call, keys, createKey, run } = api;
  for (const name of ['one', '=two', 'three'])
    await call('POST', '/v1/keys', { body: { name, scopes: ['tasks:read'] } });
  await call('POST', '/v1/queues/rules/pause', { key: keys.platform });
  startDefaultWorker(api);
  await run(processAuditLogs, {});
  const list = async (query: string, key = keys.tenant): Promise<ListedPage> =>
    (await call<ListedPage>('GET', `/v1/audit?${query}`, { key })).body;
  const first = await list('limit=2&action=key.*');
  expect(first.items.map((event) => [event.sequence, event.action])).toEqual([
    [3, 'key.created'],
    [2, 'key.created'],
  ]);
  const second = await list(`limit=2&cursor=${first.next_cursor}`);
  expect(second.items.map((event) => event.sequence)).toEqual([1]);
  expect(second.next_cursor).toBeNull();
  expect(await list('action=queue.*')).toMatchObject({ items: [] });
  expect(await list('', keys.otherTenant)).toMatchObject({ items: [] });
  expect(await list('', keys.platform)).toMatchObject({
    items: [{ tenant_id: PLATFORM_TENANT_ID, action: 'queue.paused', subject: 'queue/rules' }],
  });
  const [oldest] = second.items;
  const until = encodeURIComponent(String(oldest?.occurred_at));
  expect(await list(`until=${until}`)).toMatchObject({ items: [] });
  expect(await list(`since=${until}&subject=${oldest?.subject}`)).toMatchObject({ items: [oldest] });
  const csv = await call<string>('GET', '/v1/audit?format=csv&limit=2');
  expect(csv.headers.get('content-type')).toContain('text/csv');
  expect(csv.headers.get('stratum-next-cursor')).toBe(first.next_cursor);
  expect(csv.body.split('\n')).toHaveLength(4);
  expect(csv.body).toContain('{""name"":""=two""');
  const ndjson = await call<string>('GET', '/v1/audit?format=ndjson');
  const lines = ndjson.body.trimEnd().split('\n');
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { sequence: 3 },
    { sequence: 2 },
    { sequence: 1 },
  ]);
  const { text: weak } = await createKey(TENANT, ['tasks:read']);
  expect((await call('GET', '/v1/audit', { key: weak })).status).toBe(403);
});

test('changes say what was before and after, and the reading of personal data is an event', async () => {
  const api = await openApi();
  const { call, query, run } = api;
  await call('POST', '/v1/schedules', {
    body: { name: 'nightly', task: 'evaluate_rules', payload: {}, cron: '0 3 * * *' },
  });
  await call('PATCH', '/v1/schedules/nightly', { body: { cron: '0 4 * * *', enabled: false } });
  const source = await call('POST', '/v1/sources', { body: { name: 'Shop' } });
  await call('PATCH', `/v1/sources/${String(source.body['id'])}`, { body: { name: 'Web shop' } });
  await query(`INSERT INTO cdp_profile (tenant_id, id) VALUES (1, 5)`);
  expect((await call('GET', '/v1/profiles/5')).status).toBe(200);
  expect((await call('GET', '/v1/profiles/lookup?email=nobody@example.com')).status).toBe(404);
  await call('GET', '/v1/dead-letters');
  startDefaultWorker(api);
  await run(processAuditLogs, {});
  const rows = await query('SELECT action, subject, details FROM audit_event ORDER BY sequence');
  expect(rows).toMatchObject([
    { action: 'schedule.added' },
    {
      action: 'schedule.changed',
      details: {
        before: { cron: '0 3 * * *' },
        after: { cron: '0 4 * * *' },
      },
    },
    { action: 'schedule.paused', details: { before: { enabled: true }, after: { enabled: false } } },
    { action: 'source.created' },
    { action: 'source.changed', details: { before: { name: 'Shop' }, after: { name: 'Web shop' } } },
    { action: 'profile.read', subject: 'profile/5' },
    { action: 'profile.read', subject: 'profile/unknown' },
    { action: 'dead_letters.read' },
  ]);
  expect(JSON.stringify(rows)).not.toContain('nobody@example.com');
});

interface ListedPage {
  items: { sequence: number; action: string; subject: string; occurred_at: string }[];
  next_cursor: string | null;
}
