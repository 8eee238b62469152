/** Each control by its effect on the broker, and in the audit. */
import { jetstream } from '@nats-io/jetstream';
import { defineTask, handleTask, openSchedules, type WorkflowDefinition } from '@stratum/jobs';
import { openAlert, syncCampaignData, withTenant } from '@stratum/shared';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { OTHER_TENANT, TENANT } from '../harness/platform.js';
import { auditedActions, openDashboard, type Call, type Dashboard } from './fixture.js';
import { addWebhooks, ENDPOINT, SUBSCRIPTION } from './webhook-rows.js';

const wait = defineTask({ name: 'wait', queue: 'default', input: z.object({}), output: z.string() });

interface Sampled {
  sampled_at: string | null;
  verdict: string;
  problems: { code: string }[];
  queues: { queue: string; normal: number; paused: boolean }[];
  workers: { name: string; concurrency: number }[];
}

const overview = async (platform: Call): Promise<Sampled> =>
  (await platform<Sampled>('GET', '/api/overview')).body;

test('pause, resume, purge, revoke and the controls of workers do what they say, and are audited first', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const paused = async (): Promise<boolean> =>
    (await dashboard.client.queues()).find(({ queue }) => queue === 'default')?.paused === true;
  expect(await platform('POST', '/api/queues/default/pause', { reason: 'Meta is down' })).toMatchObject({
    status: 200,
    body: { queue: 'default', paused: true },
  });
  expect(await paused()).toBe(true);
  for (const id of ['one', 'two', 'three'])
    await dashboard.client.enqueue(wait, {}, { id, tenant: String(TENANT) });
  // They wait, so that no event tells of them.
  const { body } = await platform<{ waiting: { items: { id: string; tenant_id: string }[]; total: number } }>(
    'GET',
    '/api/tasks?q=task:wait',
  );
  expect(body.waiting.total).toBe(3);
  expect(body.waiting.items.map(({ id }) => id)).toEqual(['one', 'two', 'three']);
  expect(await platform('POST', '/api/tasks/one/revoke', {})).toMatchObject({ body: { outcome: 'revoked' } });
  expect(await platform('POST', '/api/queues/default/purge', { confirm: 'other' })).toMatchObject({
    status: 422,
  });
  expect(await platform('POST', '/api/queues/default/purge', { confirm: 'default' })).toMatchObject({
    body: { purged: 2 },
  });
  await platform('POST', '/api/queues/default/resume', {});
  expect(await paused()).toBe(false);
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'queue.paused', 'queue/default'],
    ['key', 'task.revoked', 'task/one'],
    ['key', 'queue.purged', 'queue/default'],
    ['key', 'queue.resumed', 'queue/default'],
  ]);
  expect(await platform('POST', '/api/queues/nowhere/pause', {})).toMatchObject({ status: 404 });
});

test('a worker takes its new concurrency, and is asked to shut down by name', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const worker = await waitFor('the worker in a sample', async () => (await overview(platform)).workers[0]);
  expect(await platform('POST', `/api/workers/${worker.name}/concurrency`, { concurrency: 7 })).toMatchObject(
    {
      status: 200,
    },
  );
  await waitFor(
    'the new concurrency',
    async () => (await dashboard.client.control.workers())[0]?.concurrency === 7,
  );
  expect(await platform('POST', `/api/workers/${worker.name}/shutdown`, { confirm: 'x' })).toMatchObject({
    status: 422,
  });
  await platform('POST', `/api/workers/${worker.name}/shutdown`, { confirm: worker.name });
  await waitFor('the worker to be gone', async () => (await dashboard.client.control.workers()).length === 0);
});

test('the overview names a paused queue with a backlog first, and forgets it when it moves again', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  await waitFor('the first sample', async () => (await overview(platform)).sampled_at !== null);
  await dashboard.client.control.pause('default');
  await dashboard.client.enqueue(wait, {}, { id: 'held' });
  await waitFor(
    'the paused queue to be named',
    async () => (await overview(platform)).problems[0]?.code === 'paused_with_backlog',
  );
  await platform('POST', '/api/queues/default/resume', {});
  await waitFor('the problem to be gone', async () =>
    (await overview(platform)).problems.every(({ code }) => code !== 'paused_with_backlog'),
  );
  await jetstream(dashboard.connection).publish(
    dashboard.topology.names.taskSubject({
      queue: 'ml',
      priority: 'normal',
      tenant: '_',
      task: 'any',
      id: 'orphan',
    }),
    '{}',
  );
  const named = await waitFor('the queue without a worker to be named', async () =>
    (await overview(platform)).problems.find(({ code }) => code === 'no_worker'),
  );
  expect(named).toMatchObject({ link: 'queues/ml' });
});

test('why it is not running: asked of the broker, as things change', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const why = async (id: string): Promise<string[]> => {
    const { body } = await platform<{ findings: { code: string }[] }>('GET', `/api/tasks/${id}/why`);
    return body.findings.map(({ code }) => code);
  };
  await dashboard.client.enqueue(wait, {}, { id: 'first' });
  await dashboard.client.enqueue(wait, {}, { id: 'later', delayMs: 3_600_000 });
  expect(await why('first')).toEqual(['no_worker']);
  expect(await why('later')).toEqual(['delayed', 'no_worker']);
  await dashboard.client.control.pause('default');
  expect(await why('first')).toEqual(['queue_paused', 'no_worker']);
  let release: () => void = () => undefined;
  const released = new Promise<string>((resolve) => (release = () => resolve('done')));
  dashboard.startWorker('default', [handleTask(wait, () => released)]);
  await waitFor('the worker', async () => (await dashboard.client.control.workers()).length === 1);
  expect(await why('first')).toEqual(['queue_paused']);
  await dashboard.client.control.resume('default');
  await waitFor('the start', async () => (await why('first'))[0] === 'running');
  release();
  await dashboard.client.result('first');
  expect(await why('first')).toEqual(['ended']);
  expect((await platform('GET', '/api/tasks/never-seen/why')).status).toBe(404);
});

const flaky = defineTask({
  name: 'flaky',
  queue: 'default',
  input: z.object({ account: z.int() }),
  output: z.string(),
  retry: 'never',
});

const broken = defineTask({
  name: 'broken',
  queue: 'default',
  input: z.object({}),
  output: z.string(),
  retry: 'never',
});

interface Group {
  group: string;
  failures: number;
  tenants: number;
  error_message: string;
  state: string;
}

test('failures of one cause are one group, of which one letter and then all go back to work', async () => {
  const dashboard = await openDashboard();
  let isDown = true;
  dashboard.startWorker('default', [
    handleTask(flaky, ({ account }) =>
      isDown ? Promise.reject(new Error(`Account ${account} cannot be reached`)) : Promise.resolve('done'),
    ),
    handleTask(broken, () => Promise.reject(new Error('Another cause'))),
  ]);
  for (const [index, tenant] of [TENANT, OTHER_TENANT, TENANT].entries()) {
    const id = `flaky-${index}`;
    await dashboard.client.enqueue(flaky, { account: 4_000 + index }, { id, tenant: String(tenant) });
    await dashboard.client.result(id);
  }
  await dashboard.client.enqueue(broken, {}, { id: 'other', tenant: String(TENANT) });
  await dashboard.client.result('other');
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const groups = async (call = platform): Promise<Group[]> =>
    (await call<{ groups: Group[] }>('GET', '/api/failures')).body.groups;
  await waitFor(
    'the failures in the history',
    async () => (await groups()).length === 2 && (await groups())[0]?.failures === 3,
  );
  const [first] = await groups();
  expect(first).toMatchObject({ failures: 3, tenants: 2, error_message: 'Account 4002 cannot be reached' });
  const tenant = await dashboard.signIn(await dashboard.createKey(OTHER_TENANT));
  expect(await groups(tenant)).toMatchObject([{ failures: 1, tenants: 1 }]);

  const decide = (state: string): ReturnType<Call> =>
    platform('POST', `/api/failures/${first?.group}/state`, { queue: 'default', task: 'flaky', state });
  const stateNow = async (): Promise<string | undefined> =>
    (await groups()).find(({ group }) => group === first?.group)?.state;
  expect(await stateNow()).toBe('open');
  await decide('ignored');
  expect(await stateNow()).toBe('ignored');
  await decide('open');
  expect(await stateNow()).toBe('open');
  await decide('resolved');
  expect(await stateNow()).toBe('resolved');
  await dashboard.client.enqueue(flaky, { account: 4_009 }, { id: 'flaky-again', tenant: TENANT });
  await dashboard.client.result('flaky-again');
  await waitFor('its return with the next failure', async () => (await stateNow()) === 'returned');
  await dashboard.client.deadLetters.discard('flaky-again');

  isDown = false;
  const path = `/api/failures/${first?.group}/replay`;
  expect((await tenant('POST', path, { most: 1 })).status).toBe(403);
  expect(await platform('POST', path, { most: 1 })).toMatchObject({
    status: 200,
    body: { replayed: ['flaky-2'], conflicts: [], more: true },
  });
  expect(await platform('POST', path, { most: 1_000 })).toMatchObject({
    body: { replayed: ['flaky-1', 'flaky-0'], conflicts: [], more: false },
  });
  await waitFor('their success', async () => {
    const states = ['flaky-0', 'flaky-1', 'flaky-2'].map(
      async (id) => (await dashboard.client.status(id))?.state,
    );
    return (await Promise.all(states)).every((state) => state === 'SUCCESS');
  });
  // The letter of the other cause stays.
  expect((await dashboard.client.deadLetters.list({})).map(({ id }) => id)).toEqual(['other']);
  expect(await platform('POST', path, { most: 10 })).toMatchObject({ body: { replayed: [], more: false } });
  expect(await auditedActions(dashboard)).toContainEqual([
    'key',
    'dead_letters.replayed',
    `failure-group/${first?.group}`,
  ]);
});

interface WorkflowBody {
  state: string;
  outline: string;
  steps: Record<string, number>;
  waits: { task_id: string; finding: { code: string } }[];
  failed_steps: { task_id: string }[];
  graph: { kind: string; members: { state: string; states?: string; critical?: boolean }[] };
}

test('a workflow says where it waits, is resumed where it failed, and is cancelled', async () => {
  const dashboard = await openDashboard();
  const { workflows } = dashboard.client;
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const tenant = await dashboard.signIn(await dashboard.createKey(OTHER_TENANT));
  const step = (account: number): WorkflowDefinition => ({
    task: 'flaky',
    queue: 'default',
    payload: { account },
  });
  const definition: WorkflowDefinition = {
    chain: [step(1), { group: Array.from({ length: 20 }, (_, n) => step(n + 10)) }, step(2)],
  };
  await workflows.start(definition, { id: 'report', tenant: TENANT });
  const look = async (): Promise<WorkflowBody> =>
    (await platform<WorkflowBody>('GET', '/api/workflows/report')).body;
  expect(await look()).toMatchObject({
    state: 'STARTED',
    outline: 'flaky → (20 × flaky) → flaky',
    steps: { total: 22, PENDING: 1, WAITING: 21 },
    waits: [{ task_id: 'report-1', finding: { code: 'no_worker' } }],
  });

  let unknown = 13;
  dashboard.startWorker('default', [
    handleTask(flaky, ({ account }) =>
      account === unknown ? Promise.reject(new Error('No such account')) : Promise.resolve('done'),
    ),
  ]);
  await waitFor('the failure of one member', async () => {
    const { state, steps } = await look();
    return state === 'FAILURE' && steps['SUCCESS'] === 20;
  });
  const failed = await look();
  expect(failed.failed_steps).toMatchObject([{ task_id: 'report-6' }]);
  expect(failed.graph.members[1]).toMatchObject({ state: 'FAILURE', states: '55565555555555555555' });
  const listed = async (call: Call, q: string): Promise<string[]> => {
    const { body } = await call<{ items: { id: string }[] }>('GET', `/api/workflows?${q}`);
    return body.items.map(({ id }) => id);
  };
  expect(await listed(platform, `state=FAILURE&tenant=${TENANT}&definition=20 × flaky`)).toEqual(['report']);
  expect(await listed(platform, 'definition=other')).toEqual([]);
  expect(await listed(tenant, `tenant=${TENANT}`)).toEqual([]);
  expect((await tenant('GET', '/api/workflows/report')).status).toBe(404);
  expect((await tenant('POST', '/api/workflows/report/cancel', {})).status).toBe(404);

  unknown = 0;
  expect(await platform('POST', '/api/workflows/report/replay', {})).toMatchObject({
    status: 200,
    body: { replayed: ['report-6'], conflicts: [] },
  });
  await waitFor('its success', async () => (await look()).state === 'SUCCESS');
  expect((await platform('POST', '/api/workflows/report/replay', {})).status).toBe(409);
  expect(await platform('POST', '/api/workflows/report/cancel', {})).toMatchObject({
    body: { outcome: 'ended' },
  });

  await dashboard.client.control.pause('default');
  await workflows.start(definition, { id: 'second', tenant: TENANT });
  expect(await platform('POST', '/api/workflows/second/cancel', {})).toMatchObject({
    body: { outcome: 'cancelled' },
  });
  expect((await workflows.get('second'))?.state).toBe('REVOKED');
  // What was started can be started again.
  const again = await workflows.definition('second');
  expect(again).toMatchObject({ chain: [{ task: 'flaky' }, { group: { length: 20 } }, { task: 'flaky' }] });
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'dead_letters.replayed', 'workflow/report'],
    ['key', 'workflow.cancelled', 'workflow/report'],
    ['key', 'workflow.cancelled', 'workflow/second'],
  ]);
});

interface PipelineBody {
  status: string;
  findings: { text: string }[];
  accounts: { platform: string; late: boolean; last_run: { outcome: string } | null }[];
  jobs: { task: string; late: boolean; last_success: string | null; failed: number }[];
  alerts: { title: string }[];
}

test('a pipeline shows late accounts and jobs by the rules of the check, to its tenant and to the platform', async () => {
  const dashboard = await openDashboard();
  const { owner } = dashboard.database;
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  const look = async (call: Call): Promise<PipelineBody> =>
    (await call<PipelineBody>('GET', `/api/pipelines/${TENANT}`)).body;
  expect(await look(tenant)).toMatchObject({ status: 'healthy', findings: [], alerts: [] });
  await withTenant(owner, TENANT, async (client) => {
    await client.query(
      `UPDATE platform_account SET last_synced_at = now() - interval '30 hours' WHERE tenant_id = $1 AND platform = 'meta'`,
      [TENANT],
    );
    await client.query(
      `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until, outcome, finished_at)
       SELECT $1, id, 'task', current_date, current_date, 'failed', now() FROM platform_account WHERE tenant_id = $1 AND platform = 'meta'`,
      [TENANT],
    );
    await openAlert(client, {
      tenantId: TENANT,
      key: 'pipeline',
      kind: 'pipeline_health',
      severity: 'critical',
      title: 'The data pipeline is critical',
      message: 'late',
      at: new Date(),
    });
  });
  const found = await look(tenant);
  expect(found).toMatchObject({ status: 'critical', alerts: [{ title: 'The data pipeline is critical' }] });
  expect(found.findings.map(({ text }) => text)).toEqual([
    'the meta account m1 was last synced 30 hours ago',
  ]);
  expect(found.accounts).toMatchObject([
    { platform: 'google', late: false, last_run: null },
    { platform: 'meta', late: true, last_run: { outcome: 'failed' } },
  ]);
  // No sync of its own is in the history.
  expect(found.jobs.filter(({ late }) => late).map(({ task }) => task)).toEqual(['sync_campaign_data']);

  dashboard.startWorker('sync', [handleTask(syncCampaignData, () => Promise.reject(new Error('not today')))]);
  expect((await tenant('POST', `/api/pipelines/${TENANT}/sync`, { platform: 'meta' })).status).toBe(403);
  expect((await platform('POST', `/api/pipelines/${TENANT}/sync`, { platform: 'tiktok' })).status).toBe(409);
  const { body } = await platform<{ task_id: string }>('POST', `/api/pipelines/${TENANT}/sync`, {
    platform: 'meta',
  });
  expect((await dashboard.client.status(body.task_id))?.tenant).toBe(String(TENANT));
  await platform('POST', '/api/pipelines/check', {});
  expect((await dashboard.client.queues()).find(({ queue }) => queue === 'default')?.normal).toBe(1);
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'task.enqueued', 'task/sync_campaign_data'],
    ['key', 'task.enqueued', 'task/check_pipeline_health'],
  ]);
  const rows = async (call: Call): Promise<number[]> =>
    (await call<{ rows: { tenant_id: number }[] }>('GET', '/api/pipelines')).body.rows.map(
      ({ tenant_id: id }) => id,
    );
  expect(await rows(platform)).toEqual([TENANT, OTHER_TENANT]);
  expect(await rows(tenant)).toEqual([TENANT]);
  expect((await tenant('GET', `/api/pipelines/${OTHER_TENANT}`)).status).toBe(404);
});

interface OperationBody {
  id: string;
  state: string;
  counted: number;
  complete: boolean;
  done: number;
  kept: number;
  gone: number;
  by: Record<string, { name: string; n: number }[]>;
  items: { id: string }[];
}

/** Instead of waiting for its ten seconds. */
async function beginNow({ query }: Dashboard, id: string): Promise<void> {
  await query('UPDATE operation SET begins_at = now() WHERE id = $1', [id]);
}

test('an operation touches exactly what its search found, begins late enough to be stopped, and is audited', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const another = await dashboard.signIn(await dashboard.createKey(undefined));
  await dashboard.client.control.pause('default');
  for (let n = 0; n < 7; n++)
    await dashboard.client.enqueue(wait, {}, { id: `mine-${n}`, tenant: TENANT, priority: 'low' });
  await dashboard.client.enqueue(wait, {}, { id: 'later', tenant: TENANT, delayMs: 3_600_000 });
  await dashboard.client.enqueue(wait, {}, { id: 'other', tenant: OTHER_TENANT });
  const look = async (verb: string, q: string): Promise<OperationBody> =>
    (await platform<OperationBody>('POST', '/api/operations/dry-run', { verb, q })).body;
  const waiting = async (): Promise<string[]> => {
    const { body } = await platform<{ waiting: { items: { id: string }[] } }>(
      'GET',
      '/api/tasks?q=task:wait',
    );
    return body.waiting.items.map(({ id }) => id).toSorted();
  };
  const all = await waiting();
  expect((await platform('POST', '/api/operations/dry-run', { verb: 'cancel', q: '' })).status).toBe(422);
  const draft = await look('cancel', `task:wait tenant:${TENANT}`);
  const path = `/api/operations/${draft.id}`;
  expect(draft).toMatchObject({ state: 'draft', complete: true, by: { tenant: [{ name: String(TENANT) }] } });
  expect(draft.counted).toBe(all.filter((id) => id !== 'other').length);
  expect(draft.items.map(({ id }) => id)).toContain('mine-0');
  // What comes after the dry run is not part of it.
  await dashboard.client.enqueue(wait, {}, { id: 'newer', tenant: TENANT });
  expect((await another('POST', `${path}/start`, {})).status).toBe(403);
  expect(await platform('POST', `${path}/start`, { rate: 500 })).toMatchObject({
    body: { state: 'running' },
  });
  expect((await platform('POST', `${path}/start`, {})).status).toBe(409);
  expect(await platform('POST', `${path}/stop`, {})).toMatchObject({ body: { state: 'stopped', done: 0 } });
  expect(await waiting()).toEqual([...all, 'newer'].toSorted());

  const second = await look('cancel', `id:mine- task:wait`);
  const again = `/api/operations/${second.id}`;
  await platform('POST', `${again}/start`, { rate: 500 });
  await platform('POST', `${again}/pause`, {});
  await beginNow(dashboard, second.id);
  expect(await platform('GET', again)).toMatchObject({ body: { state: 'paused', done: 0 } });
  await platform('POST', `${again}/resume`, {});
  await waitFor('its end', async () => (await platform<OperationBody>('GET', again)).body.state === 'ended');
  expect((await platform<OperationBody>('GET', again)).body).toMatchObject({ counted: 7, done: 7, kept: 0 });
  expect(await waiting()).toEqual([...all.filter((id) => !id.startsWith('mine-')), 'newer'].toSorted());
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'operation.started', `operation/${draft.id}`],
    ['key', 'operation.stopped', `operation/${draft.id}`],
    ['key', 'operation.started', `operation/${second.id}`],
    ['key', 'operation.paused', `operation/${second.id}`],
    ['key', 'operation.resumed', `operation/${second.id}`],
  ]);
});

test('dead letters that a search finds are replayed and discarded; those that are gone or must stay say so', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  let isDown = true;
  dashboard.startWorker('default', [
    handleTask(flaky, () => (isDown ? Promise.reject(new Error('Down')) : Promise.resolve('done'))),
  ]);
  for (const [index, tenant] of [TENANT, TENANT, TENANT, OTHER_TENANT].entries()) {
    const id = `letter-${index}`;
    await dashboard.client.enqueue(flaky, { account: index }, { id, tenant });
    await dashboard.client.result(id);
  }
  await waitFor(
    'the failures in the history',
    async () => (await dashboard.query('SELECT FROM task_run WHERE state = 2')).length === 4,
  );
  isDown = false;
  const run = async (verb: string, q: string): Promise<OperationBody> => {
    const { body } = await platform<OperationBody>('POST', '/api/operations/dry-run', { verb, q });
    await platform('POST', `/api/operations/${body.id}/start`, {});
    await beginNow(dashboard, body.id);
    return waitFor('the end of the operation', async () => {
      const { body: found } = await platform<OperationBody>('GET', `/api/operations/${body.id}`);
      return found.state === 'ended' && found;
    });
  };
  await dashboard.client.deadLetters.discard('letter-2');
  expect(await run('replay', `task:flaky tenant:${TENANT}`)).toMatchObject({ counted: 3, done: 2, gone: 1 });
  const letters = async (): Promise<string[]> =>
    (await dashboard.client.deadLetters.list({})).map(({ id }) => id);
  expect(await letters()).toEqual(['letter-3']);
  expect(await run('discard', 'task:flaky error:Down')).toMatchObject({ counted: 4, done: 1, gone: 3 });
  expect(await letters()).toEqual([]);
});

interface TenantBody {
  queues: { queue: string; normal: number }[];
  tasks: { task: string; ended: number }[];
  limits: { name: string; limit: number; used: number | null; set_by: string }[];
}

test('a tenant is listed with what it does, and its limits with their use; a limit is changed and set back', async () => {
  const dashboard = await openDashboard();
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  await dashboard.client.enqueue(wait, {}, { id: 'ended', tenant: TENANT });
  await dashboard.client.result('ended');
  await dashboard.client.control.pause('default');
  await dashboard.client.enqueue(wait, {}, { id: 'held', tenant: TENANT });
  await waitFor(
    'the run in the history',
    async () => (await dashboard.query('SELECT FROM task_run')).length === 1,
  );
  const { body: list } = await platform<{ rows: object[] }>('GET', '/api/tenants');
  expect(list.rows).toMatchObject([
    { tenant_id: TENANT, queued: 1, ended: 1, failed: 0 },
    { tenant_id: OTHER_TENANT, queued: 0, ended: 0 },
  ]);
  const path = `/api/tenants/${TENANT}`;
  const { body: detail } = await platform<TenantBody>('GET', path);
  expect(detail.queues).toEqual([{ queue: 'default', high: 0, normal: 1, low: 0 }]);
  expect(detail.tasks).toMatchObject([{ task: 'wait', ended: 1 }]);
  const limitOf = ({ limits }: TenantBody): object | undefined =>
    limits.find(({ name }) => name === 'waiting_tasks');
  expect(limitOf(detail)).toMatchObject({ limit: 20_000, used: 1, set_by: 'plan' });
  const set = async (limit: number | null): Promise<object | undefined> =>
    limitOf((await platform<TenantBody>('POST', `${path}/limits/waiting_tasks`, { limit })).body);
  expect(await set(7)).toMatchObject({ limit: 7, set_by: 'operator' });
  expect(await set(null)).toMatchObject({ limit: 20_000, set_by: 'plan' });
  expect((await platform('GET', '/api/tenants/999999')).status).toBe(404);
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'quota.changed', 'quota/waiting_tasks'],
    ['key', 'quota.changed', 'quota/waiting_tasks'],
  ]);
});

interface WebhooksBody {
  rows: { direction: string; id: string; name: string; status: string; waiting: number; failed: number }[];
}
interface DeliveriesBody {
  status: string;
  items: { id: string; state: string; outcome: string | null; attempts: object[] }[];
}

test('webhooks of both directions are listed with what became of their events, replayed, paused and resumed', async () => {
  const dashboard = await openDashboard();
  const delivery = await addWebhooks(dashboard);
  const tenant = await dashboard.signIn(await dashboard.createKey(TENANT));
  const other = await dashboard.signIn(await dashboard.createKey(OTHER_TENANT));
  const listed = await tenant<WebhooksBody>('GET', '/api/webhooks');
  expect(listed.body.rows).toMatchObject([
    { direction: 'in', name: 'Shop', status: 'active', waiting: 0, failed: 1 },
    { direction: 'out', name: 'crm.example.com', status: 'active', waiting: 1, failed: 1 },
  ]);
  expect(JSON.stringify(listed.body)).not.toContain('a-secret');
  expect((await other<WebhooksBody>('GET', '/api/webhooks')).body.rows).toEqual([]);
  const [into, out] = [
    `/api/webhooks/in/${TENANT}/${ENDPOINT}`,
    `/api/webhooks/out/${TENANT}/${SUBSCRIPTION}`,
  ];
  for (const path of [into, out]) expect((await other('GET', path)).status).toBe(404);
  const received = await tenant<DeliveriesBody>('GET', `${into}?state=failed`);
  expect(received.body.items).toMatchObject([{ id: String(delivery), outcome: 'No such product' }]);
  expect(JSON.stringify(received.body)).not.toContain('secret body');
  const { body: sent } = await tenant<DeliveriesBody>('GET', out);
  expect(sent.items.map(({ state }) => state)).toEqual(['pending', 'failed']);

  const waiting = async (): Promise<number> => {
    const queues = await dashboard.client.queues();
    return queues.reduce((sum, { high, normal, low }) => sum + high + normal + low, 0);
  };
  expect((await tenant('POST', `${into}/deliveries/${delivery}/replay`, {})).status).toBe(200);
  expect((await tenant('POST', `${into}/deliveries/${delivery + 1}/replay`, {})).status).toBe(404);
  expect((await tenant('POST', `${out}/deliveries/${sent.items[1]?.id}/replay`, {})).status).toBe(200);
  expect(await waiting()).toBe(2);
  expect(await tenant('POST', `${into}/pause`, {})).toMatchObject({ body: { status: 'paused' } });
  expect(await tenant('POST', `${out}/pause`, {})).toMatchObject({ body: { status: 'paused' } });
  expect((await tenant('POST', `${out}/deliveries/${sent.items[1]?.id}/replay`, {})).status).toBe(409);
  const skipped = await tenant<DeliveriesBody>('GET', `${out}?state=skipped`);
  expect(skipped.body).toMatchObject({ status: 'paused', items: [{}, {}] });
  expect(await tenant('POST', `${out}/resume`, { replay: true })).toMatchObject({
    body: { status: 'active', replayed: 2 },
  });
  expect(await waiting()).toBe(4);
  expect(await tenant('POST', `${into}/resume`, {})).toMatchObject({ body: { status: 'active' } });
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'webhook.replayed', `webhook-delivery/${delivery}`],
    ['key', 'subscription.delivery_replayed', `subscription/${SUBSCRIPTION}`],
    ['key', 'webhook.changed', `webhook/${ENDPOINT}`],
    ['key', 'subscription.paused', `subscription/${SUBSCRIPTION}`],
    // Refused, because it is paused.
    ['key', 'subscription.delivery_replayed', `subscription/${SUBSCRIPTION}`],
    ['key', 'subscription.resumed', `subscription/${SUBSCRIPTION}`],
    ['key', 'webhook.changed', `webhook/${ENDPOINT}`],
  ]);
});

test('a schedule entry is run, paused with a reason and resumed; its run is on its page', async () => {
  const dashboard = await openDashboard();
  dashboard.startWorker('default', [handleTask(wait, () => Promise.resolve('done'))]);
  const { connection, topology } = dashboard;
  const schedules = openSchedules({ connection, topology, contracts: [wait] });
  await schedules.add({ name: 'nightly', task: 'wait', cron: '30 2 * * *', time_zone: 'Europe/Berlin' });
  const platform = await dashboard.signIn(await dashboard.createKey(undefined));
  const { body: ran } = await platform<{ id: string }>('POST', '/api/schedules/nightly/run', {});
  await dashboard.client.result(ran.id);
  const detail = async (): Promise<{ past: { id: string; state: string }[]; upcoming: string[] }> =>
    (
      await platform<{ past: { id: string; state: string }[]; upcoming: string[] }>(
        'GET',
        '/api/schedules/nightly',
      )
    ).body;
  const { past, upcoming } = await waitFor('the run on the page', async () => {
    const found = await detail();
    return found.past.length > 0 && found;
  });
  expect(past).toMatchObject([{ id: ran.id, state: 'SUCCESS' }]);
  expect(upcoming).toEqual((await schedules.upcoming('nightly', 200)).map((at) => at.toISOString()));
  expect(await platform('GET', '/api/schedules/ticks?names=nightly')).toMatchObject({
    body: { nightly: { past: [{ id: ran.id }] } },
  });
  await platform('POST', '/api/schedules/nightly/pause', { reason: 'Migration' });
  expect((await schedules.get('nightly')).paused).toMatchObject({ reason: 'Migration' });
  expect(await platform('GET', '/api/schedules')).toMatchObject({
    body: { items: [{ name: 'nightly', next: null, paused: { reason: 'Migration' } }] },
  });
  await platform('POST', '/api/schedules/nightly/resume', {});
  expect((await schedules.get('nightly')).paused).toBeNull();
  expect(await auditedActions(dashboard)).toEqual([
    ['key', 'schedule.run', 'schedule/nightly'],
    ['key', 'schedule.paused', 'schedule/nightly'],
    ['key', 'schedule.resumed', 'schedule/nightly'],
  ]);
  expect((await platform('POST', '/api/schedules/none/run', {})).status).toBe(404);
});
