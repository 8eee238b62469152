/** The TypeScript of docs/start/from-celery.md and from-bullmq.md, which show excerpts; `from-celery.test.ts` runs all of it. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  chain,
  chord,
  connectToNats,
  createClient,
  createReaper,
  createScheduler,
  createWorker,
  createWorkflowMaintenance,
  defineTask,
  defineTopology,
  group,
  handleTask,
  PublishError,
  reconcileTopology,
  SoftTimeLimitExceeded,
  step,
  TaskError,
  type JobsClient,
  type ScheduleEntryOptions,
  type TaskHandler,
} from '@stratum/jobs';
import { z } from 'zod';

const processed = new Map<number, number>();
export const letters: string[] = [];

export const simpleTask = defineTask({
  name: 'simple_task',
  queue: 'default',
  input: z.object({ arg1: z.string(), arg2: z.int() }),
  output: z.object({ status: z.literal('success'), result: z.string() }),
});
const simpleHandler = handleTask(simpleTask, ({ arg1, arg2 }) => {
  return { status: 'success' as const, result: arg1.repeat(arg2) };
});

class HttpError extends Error {
  override readonly name = 'HttpError';
}

export const retriableTask = defineTask({
  name: 'retriable_task',
  queue: 'default',
  input: z.object({ url: z.url() }),
  output: z.record(z.string(), z.json()),
  retry: {
    retryOn: (error) => error instanceof HttpError,
    backoff: { kind: 'exponential', initialMs: 1_000, maxMs: 600_000, jitter: 'full' },
    maxRetries: 3,
  },
});
const retriableHandler = handleTask(retriableTask, async ({ url }, { signal, logger, retries }) => {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    logger.warn({ retries }, 'request failed');
    throw new HttpError(`The server answered ${response.status}.`);
  }
  return z.record(z.string(), z.json()).parse(await response.json());
});

export const idempotentTask = defineTask({
  name: 'idempotent_task',
  queue: 'default',
  input: z.object({ record_id: z.int() }),
  output: z.object({ status: z.enum(['success', 'skipped']) }),
});
const idempotentHandler = handleTask(idempotentTask, ({ record_id: id }) => {
  if (processed.has(id)) return { status: 'skipped' as const };
  processed.set(id, Date.now());
  return { status: 'success' as const };
});

const syncCampaignData = defineTask({
  name: 'sync_campaign_data',
  queue: 'sync',
  input: z.object({ tenant_id: z.int(), platform: z.enum(['meta', 'google', 'tiktok']) }),
  output: z.object({ tenant_id: z.int(), platform: z.string(), campaigns_updated: z.int() }),
});
const syncHandler = handleTask(syncCampaignData, ({ tenant_id, platform }) => {
  return { tenant_id, platform, campaigns_updated: platform.length };
});

const evaluateRules = defineTask({
  name: 'evaluate_rules',
  queue: 'rules',
  input: z.object({ tenant_id: z.int(), updated: z.int().optional() }),
  output: z.object({ tenant_id: z.int(), results: z.array(z.object({ rule_id: z.int() })) }),
});
const evaluateHandler = handleTask(evaluateRules, ({ tenant_id, updated = 0 }) => {
  return { tenant_id, results: updated > 0 ? [{ rule_id: updated }] : [] };
});

const sendReport = defineTask({
  name: 'send_report',
  queue: 'default',
  input: z.object({ syncs: z.array(z.object({ campaigns_updated: z.int() })) }),
  output: z.object({ total: z.int() }),
});
const reportHandler = handleTask(sendReport, ({ syncs }) => {
  return { total: syncs.reduce((sum, { campaigns_updated: count }) => sum + count, 0) };
});

export const handleErrors = defineTask({
  name: 'task_with_error_handling',
  queue: 'default',
  input: z.object({ fail: z.enum(['validation', 'network', 'unexpected']).optional() }),
  output: z.object({ retries: z.int() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 20 } },
});
const errorHandler = handleTask(handleErrors, ({ fail }, context) => {
  if (fail === 'validation') throw new TaskError('The order has no lines.', { retryable: false });
  if (fail === 'network' && context.retries === 0) {
    context.retry({ delayMs: 50, cause: new Error('connection reset') });
  }
  if (fail === 'unexpected') throw new Error('unexpected');
  return { retries: context.retries };
});

export const processAllTenants = defineTask({
  name: 'process_all_tenants',
  queue: 'default',
  input: z.object({ tenants: z.array(z.int()) }),
  output: z.object({ started: z.int() }),
});
const fanOutHandler = handleTask(processAllTenants, async ({ tenants }, context) => {
  for (const tenant_id of tenants) {
    await context.startWorkflow(
      chain(step(syncCampaignData, { tenant_id, platform: 'meta' }), step(evaluateRules, { tenant_id })),
      { id: `${context.id}-${tenant_id}` },
    );
  }
  return { started: tenants.length };
});

export const timeLimitedTask = defineTask({
  name: 'time_limited_task',
  queue: 'default',
  input: z.object({}),
  output: z.object({ status: z.enum(['complete', 'partial']) }),
  limits: { softTimeLimitMs: 270_000, timeLimitMs: 300_000 },
});
const timeLimitedHandler = handleTask(timeLimitedTask, async (_payload, { signal }) => {
  try {
    await delay(3_600_000, undefined, { signal });
    return { status: 'complete' as const };
  } catch (error) {
    if (signal.reason instanceof SoftTimeLimitExceeded) return { status: 'partial' as const };
    throw error;
  }
});

const handlers: readonly TaskHandler[] = [
  simpleHandler,
  retriableHandler,
  idempotentHandler,
  syncHandler,
  evaluateHandler,
  reportHandler,
  errorHandler,
  fanOutHandler,
  timeLimitedHandler,
];

const topology = defineTopology({
  queues: [
    { name: 'default' },
    { name: 'sync', weight: 'high' },
    { name: 'rules', weight: 'high' },
    { name: 'intel', weight: 'low' },
    { name: 'ml' },
    { name: 'cdp' },
  ],
  resultExpiresMs: 86_400_000,
});

const entries: ScheduleEntryOptions[] = [
  { name: 'evaluate_all_rules', task: 'evaluate_rules', payload: { tenant_id: 1 }, cron: '*/15 * * * *' },
  {
    name: 'morning_sync',
    task: 'sync_campaign_data',
    payload: { tenant_id: 1, platform: 'meta' },
    cron: '0 6 * * *',
    time_zone: 'Europe/Berlin',
  },
];

/** The whole of a Celery installation in one process: worker, beat, and the parts that Celery has no name for. */
export async function startApp(servers: string): Promise<{ client: JobsClient; stop: () => Promise<void> }> {
  const connection = await connectToNats({ servers, name: 'app' });
  await reconcileTopology(connection, topology);
  const contracts = handlers.map(({ contract }) => contract);
  const worker = createWorker({
    connection,
    topology,
    handlers,
    queues: ['default', 'sync', 'rules'],
    concurrency: 4,
    prefetchMultiplier: 1,
    defaults: {
      maxRetries: 3,
      backoff: { kind: 'fixed', delayMs: 60_000 },
      softTimeLimitMs: 540_000,
      timeLimitMs: 600_000,
    },
  });
  const scheduler = createScheduler({ connection, topology, contracts, entries });
  const reaper = createReaper({ connection, topology });
  const maintenance = createWorkflowMaintenance({ connection, topology, contracts });
  for (const part of [worker, scheduler, reaper, maintenance]) part.start();

  const client = createClient({ connection, topology, contracts });
  const stop = async (): Promise<void> => {
    await Promise.all([scheduler.stop(), worker.stop(), reaper.stop(), maintenance.stop()]);
    await client.close();
    await connection.close();
  };
  return { client, stop };
}

export async function callAndWait(client: JobsClient): Promise<number> {
  const value = await client.call(
    syncCampaignData,
    { tenant_id: 1, platform: 'meta' },
    { timeoutMs: 30_000 },
  );
  return value.campaigns_updated;
}

export async function enqueue(client: JobsClient): Promise<string> {
  await client.enqueue(syncCampaignData, { tenant_id: 1, platform: 'meta' });
  const { id } = await client.enqueue(
    syncCampaignData,
    { tenant_id: 1, platform: 'meta' },
    { delayMs: 60_000 },
  );
  return id;
}

export async function startChain(client: JobsClient): Promise<string> {
  const workflow = chain(
    step(syncCampaignData, { tenant_id: 1, platform: 'meta' }),
    step(evaluateRules, { tenant_id: 1 }, { with: { updated: '$previous.campaigns_updated' } }),
  );
  const { id } = await client.workflows.start(workflow);
  return id;
}

export async function startGroup(client: JobsClient): Promise<string> {
  const workflow = group(
    step(syncCampaignData, { tenant_id: 1, platform: 'meta' }),
    step(syncCampaignData, { tenant_id: 1, platform: 'google' }),
    step(syncCampaignData, { tenant_id: 1, platform: 'tiktok' }),
  );
  const { id } = await client.workflows.start(workflow);
  return id;
}

export async function startChord(client: JobsClient): Promise<string> {
  const workflow = chord(
    [
      step(syncCampaignData, { tenant_id: 1, platform: 'meta' }),
      step(syncCampaignData, { tenant_id: 1, platform: 'google' }),
    ],
    step(sendReport, {}, { with: { syncs: '$previous' } }),
  );
  const { id } = await client.workflows.start(workflow);
  return id;
}

export async function readState(client: JobsClient, id: string): Promise<string> {
  const record = await client.status(id);
  if (record === undefined) return 'unknown';
  const { state, result, finished_at } = record;
  return finished_at === null ? state : `${state} ${JSON.stringify(result)}`;
}

export async function inspect(client: JobsClient): Promise<Record<string, number>> {
  const answers = await client.control.inspect('ping');
  const active = await client.control.inspect('active');
  const removed = await client.purge('intel');
  return { answers: answers.length, active: active.length, removed };
}

export async function mendDeadLetters(client: JobsClient): Promise<void> {
  for (const { id, reason, error, payload } of await client.deadLetters.list({
    task: 'task_with_error_handling',
  })) {
    letters.push(`${reason} ${error} ${JSON.stringify(payload)}`);
    await client.deadLetters.replay(id, { payload: {} });
  }
}

export async function onlyOneAtATime(client: JobsClient): Promise<boolean> {
  const payload = { tenant_id: 1, platform: 'meta' } as const;
  const first = await client.enqueue(syncCampaignData, payload, { uniqueKey: 'tenant-1', delayMs: 60_000 });
  const second = await client.enqueue(syncCampaignData, payload, { uniqueKey: 'tenant-1' });
  return second.duplicate && second.id === first.id;
}

export async function refuseSecond(client: JobsClient): Promise<string> {
  const payload = { record_id: 7 };
  try {
    await client.enqueue(idempotentTask, payload, { id: 'order-7', unique: true });
    return 'enqueued';
  } catch (error) {
    if (error instanceof PublishError && error.code === 'publish_conflict') return 'already queued';
    throw error;
  }
}
