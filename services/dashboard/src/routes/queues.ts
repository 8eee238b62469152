/** Controls of queues and workers: the same as the API's and the command's, audited under the viewer's name. */
import { invalid, notFound } from '@stratum/shared/http';
import { z } from 'zod';
import { workerSnapshot } from '../live/worker-snapshot.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const MAX_CONCURRENCY = 1_000;
const queueParams = z.object({ queue: z.string().max(64) });
/** Workers of any version answer. */
const workerReply = z
  .object({ worker: z.string(), reply: z.unknown().describe("The worker's answer, or its error.") })
  .meta({ id: 'WorkerReply' });
const workerParams = z.object({ worker: z.string().regex(/^[\w-]{1,64}$/) });

export function controlRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { client, topology, snapshots } = resources;
  const requireQueue = (name: string): string => {
    if (topology.queues.some((queue) => queue.name === name)) return name;
    throw notFound(`The queue "${name}"`);
  };
  const requireWorker = (name: string): string => {
    if (snapshots.current.workers.some((worker) => worker.name === name)) return name;
    throw notFound(`The worker "${name}"`);
  };

  for (const verb of ['pause', 'resume'] as const)
    app.route({
      method: 'POST',
      url: `/api/queues/:queue/${verb}`,
      config: { access: 'queues:control' },
      schema: {
        tags: ['Queues'],
        summary: `${verb === 'pause' ? 'Pause' : 'Resume'} a queue`,
        params: queueParams,
        body: z.strictObject({ reason: z.string().trim().max(500).default('') }),
        response: { 200: z.object({ queue: z.string(), paused: z.boolean() }) },
      },
      handler: async (request) => {
        const queue = requireQueue(request.params.queue);
        const { reason } = request.body;
        const action = verb === 'pause' ? 'queue.paused' : 'queue.resumed';
        await recordAction(resources, request, {
          action,
          subject: `queue/${queue}`,
          details: reason === '' ? {} : { reason },
        });
        await client.control[verb](queue);
        snapshots.expectPaused(queue, verb === 'pause');
        return { queue, paused: verb === 'pause' };
      },
    });
  app.route({
    method: 'POST',
    url: '/api/queues/:queue/purge',
    config: { access: 'queues:purge' },
    schema: {
      tags: ['Queues'],
      summary: 'Remove the waiting tasks of a queue',
      params: queueParams,
      body: z.strictObject({ confirm: z.string().max(64) }),
      response: { 200: z.object({ queue: z.string(), purged: z.int().describe('How many tasks.') }) },
    },
    handler: async (request) => {
      const queue = requireQueue(request.params.queue);
      if (request.body.confirm !== queue)
        throw invalid('body.confirm', `must be the name of the queue, "${queue}"`);
      await recordAction(resources, request, { action: 'queue.purged', subject: `queue/${queue}` });
      return { queue, purged: await client.purge(queue) };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/workers/:worker/concurrency',
    config: { access: 'workers:control' },
    schema: {
      tags: ['Workers'],
      summary: 'Set how many tasks a worker runs at once',
      params: workerParams,
      body: z.strictObject({ concurrency: z.int().min(1).max(MAX_CONCURRENCY) }),
      response: {
        200: z.object({ worker: z.string(), concurrency: z.int(), replies: z.array(workerReply) }),
      },
    },
    handler: async (request) => {
      const worker = requireWorker(request.params.worker);
      const { concurrency } = request.body;
      await recordAction(resources, request, {
        action: 'worker.concurrency_changed',
        subject: `worker/${worker}`,
        details: { concurrency },
      });
      return { worker, concurrency, replies: await client.control.setConcurrency(concurrency, { worker }) };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/workers/:worker/shutdown',
    config: { access: 'workers:shut-down' },
    schema: {
      tags: ['Workers'],
      summary: 'Stop a worker after its running tasks',
      params: workerParams,
      body: z.strictObject({ confirm: z.string().max(64) }),
      response: { 200: z.object({ worker: z.string(), replies: z.array(workerReply) }) },
    },
    handler: async (request) => {
      const worker = requireWorker(request.params.worker);
      if (request.body.confirm !== worker)
        throw invalid('body.confirm', `must be the name of the worker, "${worker}"`);
      await recordAction(resources, request, { action: 'worker.shut_down', subject: `worker/${worker}` });
      return { worker, replies: await client.control.shutdown({ worker }) };
    },
  });
  app.route({
    method: 'GET',
    url: '/api/workers/:worker',
    config: { access: 'workers:see' },
    schema: {
      tags: ['Workers'],
      summary: 'Show what a worker runs',
      params: workerParams,
      response: {
        200: z.object({
          worker: workerSnapshot.optional().describe('Absent once it is no longer known.'),
          active: z
            .unknown()
            .describe(
              'Its own answer: an array of `{id, task, queue, …}`, or an error; `null` where it does not answer in time.',
            ),
        }),
      },
    },
    handler: async (request) => {
      const worker = requireWorker(request.params.worker);
      const [active] = await client.control.inspect('active', { worker });
      return {
        worker: snapshots.current.workers.find(({ name }) => name === worker),
        active: active?.reply ?? null,
      };
    },
  });
}
