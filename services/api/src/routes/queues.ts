/** Queues and workers: shared by all tenants, so a tenant sees only its own waiting tasks. */
import type { AuditAction } from '@stratum/shared/audit';
import { WORKER_CONDITIONS, type QueueDepth } from '@stratum/jobs';
import { invalid, notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { principalOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import type { QueueRates } from './queue-rates.js';

const tags = ['queues'];
const queueParams = z.object({ queue: z.string().max(64) });
const depth = z.int().nonnegative();

const queueSchema = z
  .object({
    queue: z.string(),
    waiting: z
      .object({ high: depth, normal: depth, low: depth })
      .describe('Tasks ready to run, by priority.'),
    paused: z.boolean(),
    delayed: depth.nullable().describe('Delayed tasks and waiting retries. `null` for a tenant.'),
    running: depth.nullable().describe('Tasks held by workers. `null` for a tenant.'),
    oldest_waiting_at: z.iso
      .datetime()
      .nullable()
      .describe('`null` if no task is waiting, and for a tenant.'),
    consumers: z
      .array(z.object({ worker: z.string(), condition: z.string(), concurrency: z.int() }))
      .nullable()
      .describe('Workers that serve the queue. `null` for a tenant.'),
    rates: z
      .object({
        over_seconds: z.number(),
        started_per_second: z.number(),
        finished_per_second: z.number(),
      })
      .nullable()
      .describe('Rates over the last minute. `null` for a tenant, and until two samples exist.'),
  })
  .meta({ id: 'Queue' });
type QueueView = z.output<typeof queueSchema>;

export function queueRoutes(app: ApiServer, resources: ApiResources, rates: QueueRates): void {
  app.route({
    method: 'GET',
    url: '/v1/queues',
    config: { access: 'queues:read' },
    schema: { tags, summary: 'List queues', response: { 200: z.object({ items: z.array(queueSchema) }) } },
    handler: async (request) => ({ items: await viewQueues(resources, rates, request) }),
  });
  app.route({
    method: 'GET',
    url: '/v1/queues/:queue',
    config: { access: 'queues:read' },
    schema: { tags, summary: 'Get a queue', params: queueParams, response: { 200: queueSchema } },
    handler: async (request) => {
      const { queue } = requireQueue(resources, request.params.queue);
      const view = (await viewQueues(resources, rates, request)).find((each) => each.queue === queue);
      if (view === undefined) throw notFound(`The queue "${queue}"`);
      return view;
    },
  });
  pauseRoute('pause', true);
  pauseRoute('resume', false);
  app.route({
    method: 'POST',
    url: '/v1/queues/:queue/purge',
    config: { access: 'queues:admin' },
    schema: {
      tags,
      summary: 'Purge a queue',
      description:
        'Removes all waiting tasks, including delayed tasks and retries. Running tasks continue. This cannot be undone.',
      params: queueParams,
      body: z.strictObject({ confirm: z.string().describe('The queue name, as confirmation.') }),
      response: { 200: z.object({ queue: z.string(), purged: z.int() }) },
    },
    handler: async (request) => {
      const { queue } = requireQueue(resources, request.params.queue);
      if (request.body.confirm !== queue)
        throw invalid('body.confirm', `must be the name of the queue, "${queue}"`);
      await recordAction(request, 'queue.purged', queue);
      return { queue, purged: await resources.client.purge(queue) };
    },
  });
  workerRoute(app, resources);

  function pauseRoute(verb: 'pause' | 'resume', paused: boolean): void {
    app.route({
      method: 'POST',
      url: `/v1/queues/:queue/${verb}`,
      config: { access: 'queues:admin' },
      schema: {
        tags,
        summary: paused ? 'Pause a queue' : 'Resume a queue',
        params: queueParams,
        response: { 200: z.object({ queue: z.string(), paused: z.boolean() }) },
      },
      handler: async (request) => {
        const { queue } = requireQueue(resources, request.params.queue);
        await recordAction(request, paused ? 'queue.paused' : 'queue.resumed', queue);
        await resources.client.control[verb](queue);
        return { queue, paused };
      },
    });
  }

  function recordAction(request: FastifyRequest, action: AuditAction, queue: string): Promise<void> {
    return audit(resources, request, { action, subject: `queue/${queue}`, tenantId: undefined });
  }
}

function requireQueue({ topology }: ApiResources, name: string): { queue: string } {
  const queue = topology.queues.find((each) => each.name === name);
  if (queue !== undefined) return { queue: queue.name };
  const names = topology.queues.map((each) => each.name).join(', ');
  throw new ProblemError('not-found', `Unknown queue "${name}". The queues are: ${names}.`);
}

async function viewQueues(
  resources: ApiResources,
  rates: QueueRates,
  request: FastifyRequest,
): Promise<QueueView[]> {
  const { tenantId } = principalOf(request);
  const { client } = resources;
  const depths = await client.queues();
  if (tenantId !== undefined) {
    const own = await client.waitingOf(String(tenantId));
    return depths.map(({ queue, paused }) => ({
      queue,
      waiting: own[queue] ?? { high: 0, normal: 0, low: 0 },
      paused,
      delayed: null,
      running: null,
      oldest_waiting_at: null,
      consumers: null,
      rates: null,
    }));
  }
  const workers = await client.control.workers();
  return depths.map((each) => ({
    ...wholeView(each),
    rates: rates.of(each.queue),
    consumers: workers
      .filter(({ queues, condition }) => condition !== 'unreachable' && queues.includes(each.queue))
      .map(({ name, condition, concurrency }) => ({ worker: name, condition, concurrency })),
  }));
}

function wholeView(depths: QueueDepth): Omit<QueueView, 'rates' | 'consumers'> {
  const { queue, high, normal, low, delayed, running, paused, oldestWaitingAt } = depths;
  return {
    queue,
    waiting: { high, normal, low },
    paused,
    delayed,
    running,
    oldest_waiting_at: oldestWaitingAt,
  };
}

const workerSchema = z
  .object({
    name: z.string(),
    host: z.string(),
    pid: z.int(),
    condition: z
      .enum(WORKER_CONDITIONS)
      .describe(
        '`unreachable`: dead or disconnected. `blocked`: connected, but its event loop does not answer. `busy`: no slot is free.',
      ),
    queues: z.array(z.string()),
    concurrency: z.int(),
    running: z.int(),
    reserved: z.int(),
    scheduled: z.int(),
    succeeded: z.int(),
    failed: z.int(),
    retried: z.int(),
    loop_lag_ms: z.number(),
    version: z.string().optional().describe('Of the program.'),
    memory_bytes: z.number().optional().describe('Resident set of the process.'),
    cpu_percent: z.number().optional().describe('Of one core, since the last heartbeat but one.'),
    started_at: z.string(),
    at: z.string().describe('Time of the last heartbeat.'),
  })
  .meta({ id: 'Worker' });

function workerRoute(app: ApiServer, { client }: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/workers',
    config: { access: 'workers:read' },
    schema: {
      tags: ['workers'],
      summary: 'List workers with a heartbeat in the last day that have not shut down',
      response: { 200: z.object({ items: z.array(workerSchema) }) },
    },
    handler: async () => ({ items: await client.control.workers() }),
  });
}
