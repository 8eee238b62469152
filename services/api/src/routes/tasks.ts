/** Tasks: put in, look at, wait for, take back. */
import { isFinal, ResultTimeoutError, type TaskContract, type TaskRecord } from '@stratum/jobs';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { actorOf, audit } from '../http/audit.js';
import { waitSeconds } from '../http/bounded.js';
import { idempotencyHeaders, type Idempotency } from '../http/idempotency.js';
import type { LongRequests } from '../http/long-requests.js';
import { sendEvents } from '../http/server-sent-events.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { enqueueReported } from '../tasks/enqueue-reported.js';
import { ownPayload } from './own-payload.js';
import {
  contractSchema,
  enqueuedSchema,
  idParams,
  recordSchema,
  taskOptionsSchema,
  toEnqueueOptions,
} from './task-schemas.js';

const tags = ['tasks'];

/** The parts of the API that the task routes use. */
export interface TaskRouteParts {
  idempotency: Idempotency;
  longRequests: LongRequests;
}

export function taskRoutes(app: ApiServer, resources: ApiResources, parts: TaskRouteParts): void {
  listContracts(app, resources);
  for (const contract of resources.application.tasks) enqueueRoute(app, resources, parts, contract);
  unknownTaskRoute(app);
  readRoutes(app, resources, parts);
  revokeRoute(app, resources);
}

/** A tenant sees the tasks that it may enqueue; a platform key sees all of them. */
function tasksOf({ application }: ApiResources, request: FastifyRequest): readonly TaskContract[] {
  return request.principal?.tenantId === undefined ? application.tasks : application.tenantTasks;
}

function listContracts(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/tasks',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'List tasks with the JSON Schemas of their payloads and results',
      response: { 200: z.object({ items: z.array(contractSchema) }) },
    },
    handler: async (request) => ({ items: tasksOf(resources, request).map(describeContract) }),
  });
}

function describeContract(contract: TaskContract): z.output<typeof contractSchema> {
  const { name, queue, description, priority, input, output } = contract;
  return {
    name,
    queue,
    description,
    priority,
    input: z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }),
    output: z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' }),
  };
}

/** Each task has a route of its own, so that the description shows what it takes. */
function enqueueRoute(
  app: ApiServer,
  resources: ApiResources,
  { idempotency }: TaskRouteParts,
  contract: TaskContract,
): void {
  const bodySchema = z
    .strictObject({ payload: payloadSchema(contract), options: taskOptionsSchema.default({}) })
    .meta({ id: `Enqueue_${contract.name}` });
  app.route({
    method: 'POST',
    url: `/v1/tasks/${contract.name}`,
    config: { access: 'tasks:write' },
    schema: {
      tags,
      summary: `Enqueue ${contract.name}`,
      description: contract.description,
      headers: idempotencyHeaders,
      body: bodySchema,
      response: { 202: enqueuedSchema },
    },
    handler: async (request, reply) => {
      if (!tasksOf(resources, request).includes(contract)) throw noTask(contract.name);
      const tenantId = tenantOf(request);
      const { options } = request.body;
      const payload = ownPayload(request.body.payload, tenantId);
      // The platform acting for a tenant and the tenant itself share no idempotency keys.
      const scope = String(tenantId ?? '_');
      const enqueue = async (id?: string): Promise<z.output<typeof enqueuedSchema>> => {
        const enqueued = await enqueueReported(resources, actorOf(request), {
          contract,
          payload,
          tenantId,
          options: { ...toEnqueueOptions(options, scope), ...(id === undefined ? {} : { id }) },
        });
        return { ...enqueued, state: stateOf(options) };
      };
      const key = request.headers['idempotency-key'];
      if (key === undefined) return reply.code(202).send(await enqueue());
      const asked = { scope: [scope, 'task', contract.name], key, body: { payload, options } };
      const id = idempotency.idOf(asked);
      let made: z.output<typeof enqueuedSchema> | undefined;
      const madeId = await idempotency.run(asked, async () => {
        // An earlier try that was cut short may have enqueued it.
        if ((await resources.client.status(id)) === undefined) made = await enqueue(id);
        return made?.id ?? id;
      });
      if (made !== undefined) return reply.code(202).send(made);
      const state = (await resources.client.status(madeId))?.state ?? stateOf(options);
      return reply.code(202).send({ id: madeId, state, duplicate: true });
    },
  });
}

/** The tenant need not be said by a key that has one. */
function payloadSchema({ input }: TaskContract): z.ZodType {
  if (!(input instanceof z.ZodObject) || !('tenant_id' in input.shape)) return input;
  const { tenant_id: tenantId } = input.shape;
  return input.extend({
    tenant_id: tenantId.optional().describe("Default: the key's tenant."),
  });
}

function stateOf({
  delay_ms: delay,
  eta,
  debounce,
}: z.output<typeof taskOptionsSchema>): 'SCHEDULED' | 'PENDING' {
  return debounce !== undefined || (delay ?? 0) > 0 || (eta !== undefined && eta.getTime() > Date.now())
    ? 'SCHEDULED'
    : 'PENDING';
}

function noTask(name: string): ProblemError {
  return new ProblemError('not-found', `Unknown task "${name}". GET /v1/tasks lists all tasks.`);
}

function unknownTaskRoute(app: ApiServer): void {
  app.route({
    method: 'POST',
    url: '/v1/tasks/:task',
    config: { access: 'tasks:write' },
    schema: { hide: true, params: z.object({ task: z.string() }) },
    handler: (request) => {
      throw noTask(request.params.task);
    },
  });
}

/** @throws ProblemError `not-found` for an unknown id, and equally for another tenant's */
async function ownRecord(
  { client }: Pick<ApiResources, 'client'>,
  request: FastifyRequest,
  id: string,
): Promise<TaskRecord> {
  const tenantId = tenantOf(request);
  const record = await client.status(id, tenantId === undefined ? {} : { tenant: String(tenantId) });
  if (record !== undefined) return record;
  throw notFound(`The task "${id}"`);
}

function readRoutes(app: ApiServer, resources: ApiResources, { longRequests }: TaskRouteParts): void {
  const { client } = resources;
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id',
    config: { access: 'tasks:read' },
    schema: { tags, summary: 'A task', params: idParams, response: { 200: recordSchema } },
    handler: (request) => ownRecord(resources, request, request.params.id),
  });
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/result',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'Wait for a task to finish',
      description:
        'Returns 200 with the final record, or 202 with the current record if the task has not finished within `wait` seconds.',
      params: idParams,
      querystring: z.object({
        wait: waitSeconds,
      }),
      response: { 200: recordSchema, 202: recordSchema },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const record = await ownRecord(resources, request, id);
      const waitMs = request.query.wait * 1000;
      if (isFinal(record.state) || waitMs === 0)
        return reply.code(isFinal(record.state) ? 200 : 202).send(record);
      const signal = longRequests.begin(request, reply);
      try {
        const ended = await client.result(id, { timeoutMs: waitMs, signal });
        // Another tenant may have a task of that id.
        const own = ended.tenant === record.tenant ? ended : await ownRecord(resources, request, id);
        return await reply.code(isFinal(own.state) ? 200 : 202).send(own);
      } catch (error) {
        if (!(error instanceof ResultTimeoutError)) throw error;
        return reply.code(202).send(await ownRecord(resources, request, id));
      }
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/events',
    // An answer without a body would never come: the stream lasts as long as the task.
    exposeHeadRoute: false,
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'Stream the changes of a task',
      description:
        'Sends server-sent events named `task`, each with the whole record, until the task ends. A client that reconnects with `Last-Event-ID` gets the latest record unless it has already seen it.',
      params: idParams,
      headers: z.object({ 'last-event-id': z.string().max(100).optional() }),
      response: {
        200: {
          content: {
            'text/event-stream': {
              schema: z
                .object({ event: z.literal('task'), id: z.string(), data: recordSchema })
                .describe('One event; `data` is JSON.'),
            },
          },
        },
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { tenant } = await ownRecord(resources, request, id);
      const signal = longRequests.begin(request, reply);
      await sendEvents(request, reply, {
        signal,
        name: 'task',
        items: toPublic(client.watch(id, { signal }), tenant),
      });
    },
  });
}

async function* toPublic(records: AsyncIterable<TaskRecord>, tenant: string | null): AsyncGenerator {
  for await (const record of records) if (record.tenant === tenant) yield recordSchema.parse(record);
}

function revokeRoute(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'DELETE',
    url: '/v1/tasks/:id',
    config: { access: 'tasks:write' },
    schema: {
      tags,
      summary: 'Revoke a task',
      params: idParams,
      querystring: z.object({
        terminate: z
          .stringbool()
          .default(false)
          .describe('End a running attempt at once instead of waiting for the handler to stop.'),
      }),
      response: {
        200: z.object({
          id: z.string(),
          outcome: z
            .enum(['revoked', 'signalled', 'ended'])
            .describe(
              '`revoked`: the task was waiting and has been removed. `signalled`: its worker has been signalled. `ended`: it had already finished.',
            ),
        }),
      },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { terminate } = request.query;
      const record = await ownRecord(resources, request, id);
      await audit(resources, request, {
        action: 'task.revoked',
        subject: `task/${id}`,
        tenantId: record.tenant === null ? undefined : Number(record.tenant),
        details: { terminate },
      });
      const outcome = await resources.client.revoke(id, { terminate, tenant: record.tenant });
      if (outcome === 'unknown') throw notFound(`The task "${id}"`);
      return { id, outcome };
    },
  });
}
