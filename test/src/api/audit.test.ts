/** Changes through the API and their keys, in an audit log whose hash chain reveals tampering. */
import { PLATFORM_TENANT_ID, processAuditLogs, withTenant } from '@stratum/shared';
import { findBrokenLink } from '@stratum/default-worker';
import { expect, test } from 'vitest';
import { startDefaultWorker } from './default-worker.js';
import { openApi, TENANT } from './fixture.js';

test('every change ends in the audit log of the tenant, or of the platform', async () => {
  const api = await openApi();
  const { call, keys, createKey, query, run, database } = api;
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
  for (const tenantId of [TENANT, PLATFORM_TENANT_ID]) {
    const broken = await withTenant(database.owner, tenantId, (owner) => findBrokenLink(owner, tenantId));
    expect(broken).toBeUndefined();
  }
});
