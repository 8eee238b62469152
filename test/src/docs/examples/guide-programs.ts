/** The TypeScript of the guides on workflows, schedules, tests, metrics and traces; `guide-examples.test.ts` runs it. */
import {
  chain,
  chord,
  createClient,
  createScheduler,
  createWorker,
  defineTask,
  group,
  handleTask,
  openSchedules,
  step,
  type JobsClient,
  type Schedules,
  type TaskContract,
  type TaskHandler,
  type Topology,
  type Worker,
} from '@stratum/jobs';
import { collectQueueMetrics, JobsMetrics } from '@stratum/jobs/metrics';
import { assertEnqueued, assertSucceeded, runTask, startTestBroker } from '@stratum/jobs/testing';
import type { NatsConnection } from '@nats-io/transport-node';
import { trace } from '@opentelemetry/api';
import type { Registry } from 'prom-client';
import { expect } from 'vitest';
import { z } from 'zod';
import { resizeCreative, resizeCreativeHandler } from './writing-a-task.js';

const tenant = z.object({ tenant_id: z.int() });
const syncCampaignData = defineTask({
  name: 'sync_campaign_data',
  queue: 'default',
  input: tenant.extend({ platform: z.string() }),
  output: z.object({}),
});
const evaluateRules = defineTask({
  name: 'evaluate_rules',
  queue: 'default',
  input: tenant,
  output: z.object({ alerts: z.int() }),
});
const creativeFatigue = defineTask({
  name: 'creative_fatigue',
  queue: 'default',
  input: tenant,
  output: z.object({}),
});
const sendReport = defineTask({
  name: 'send_report',
  queue: 'default',
  input: tenant.extend({ results: z.array(z.json()), alerts: z.int() }),
  output: z.object({ alerts: z.int() }),
});
const notifyTenant = defineTask({
  name: 'notify_tenant',
  queue: 'default',
  input: tenant,
  output: z.object({}),
});

export const workflowHandlers: readonly TaskHandler[] = [
  handleTask(syncCampaignData, () => ({})),
  handleTask(evaluateRules, () => ({ alerts: 3 })),
  handleTask(creativeFatigue, () => ({})),
  handleTask(sendReport, ({ alerts }) => ({ alerts })),
];

export async function startReport(client: JobsClient): Promise<unknown> {
  const definition = chain(
    step(syncCampaignData, { tenant_id: 1, platform: 'meta' }),
    chord(
      group(step(evaluateRules, { tenant_id: 1 }), step(creativeFatigue, { tenant_id: 1 })),
      step(sendReport, { tenant_id: 1 }, { with: { results: '$previous', alerts: '$previous[0].alerts' } }),
    ),
  );
  const { id } = await client.workflows.start(definition, { id: 'report-2026-11-24', tenant: 1 });
  const { state, result } = await client.workflows.result(id, { timeoutMs: 60_000 }); // or `signal`, to stop waiting
  return { state, result };
}

export async function schedule(
  connection: NatsConnection,
  topology: Topology,
  contracts: readonly TaskContract[],
): Promise<{ schedules: Schedules; stop: () => Promise<void> }> {
  const scheduler = createScheduler({
    connection,
    topology,
    contracts,
    entries: [{ name: 'nightly', task: 'report', cron: '0 3 * * *' }],
  });
  scheduler.start();

  const schedules = openSchedules({ connection, topology, contracts });
  await schedules.add({ name: 'often', task: 'report', every_ms: 90_000 });
  const stop = async (): Promise<void> => {
    await scheduler.stop();
    await schedules.close();
  };
  return { schedules, stop };
}

/** Also notifies the tenant. */
const notifyingHandler = handleTask(resizeCreative, async ({ tenant_id }, context) => {
  await context.enqueue(notifyTenant, { tenant_id });
  return { sizes: 4 };
});

export async function testWithoutBroker(): Promise<void> {
  const run = await runTask(notifyingHandler, { tenant_id: 1, creative_id: 'c-1' });
  expect(assertSucceeded(run, resizeCreative)).toEqual({ sizes: 4 });
  assertEnqueued(run, notifyTenant, { tenant_id: 1 });
}

export async function testWithBroker(binary: string): Promise<void> {
  const broker = await startTestBroker({ queues: [{ name: 'default' }], binary });
  broker.worker([resizeCreativeHandler]);
  const { id } = await broker.client.enqueue(resizeCreative, { tenant_id: 1, creative_id: 'c-1' });
  expect(await broker.client.result(id)).toMatchObject({ state: 'SUCCESS' });
  await broker.stop();
}

export interface Process {
  connection: NatsConnection;
  topology: Topology;
  handlers: readonly TaskHandler[];
}

export function measured(
  { connection, topology, handlers }: Process,
  client: JobsClient,
  registry: Registry,
): Worker {
  const metrics = new JobsMetrics(registry);
  const worker = createWorker({ connection, topology, queues: ['default'], handlers, metrics });
  collectQueueMetrics(client, registry);
  return worker;
}

export function traced({ connection, topology, handlers }: Process): { client: JobsClient; worker: Worker } {
  const tracer = trace.getTracer('my-service');
  const client = createClient({ connection, topology, tracer });
  const worker = createWorker({ connection, topology, queues: ['default'], handlers, tracer });
  return { client, worker };
}
