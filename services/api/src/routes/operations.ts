/** Operations over all tasks that a search finds, for those who run the platform: what the dashboard does, over HTTP. */
import { ProblemError } from '@stratum/shared/http';
import {
  DEFAULT_RATE,
  MAX_QUERY_LENGTH,
  MAX_RATE,
  operationDetailSchema,
  Operations,
  operationSchema,
  TYPED_ABOVE,
  VERBS,
  type OperationDetail,
} from '@stratum/shared/operations';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { principalOf, tenantOf } from '../auth/authenticate.js';
import { actorOf, audit } from '../http/audit.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['operations'];
const idParams = z.object({ id: z.string().regex(/^[\w-]{16}$/) });

const CHANGES = {
  pause: ['Pause an operation', 'What has begun ends; nothing else begins.'],
  resume: ['Resume an operation', 'It goes on where it was.'],
  stop: ['Stop an operation', 'What was done stays done. Within ten seconds of its start, nothing was.'],
  undo: [
    'Undo an operation',
    'Puts discarded dead letters back, for a day after the operation has ended. Cancelled and replayed tasks cannot be undone.',
  ],
} as const;

export function operationRoutes(app: ApiServer, resources: ApiResources): void {
  const operations = new Operations(resources);
  app.route({
    method: 'GET',
    url: '/v1/operations',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'List operations',
      description: 'The newest 100 of the last seven days, without dry runs.',
      response: { 200: z.object({ items: z.array(operationSchema) }) },
    },
    handler: async (request) => {
      requirePlatform(request);
      return { items: await operations.list() };
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/operations',
    config: { access: 'tasks:write' },
    schema: {
      tags,
      summary: 'Dry-run an operation',
      description:
        'Finds the tasks, by the search of the dashboard, and changes nothing. The answer counts them by queue, task, tenant and state; to carry it out, start it within an hour. It then touches exactly these tasks.',
      body: z.strictObject({
        verb: z.enum(VERBS),
        query: z
          .string()
          .trim()
          .max(MAX_QUERY_LENGTH)
          .describe('For example `queue:sync task:sync_* tenant:7`.'),
      }),
      response: { 201: operationDetailSchema },
    },
    handler: async (request, reply) => {
      const actor = requirePlatform(request);
      return reply.code(201).send(await operations.dryRun('body.query', { ...request.body, actor }));
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/operations/:id',
    config: { access: 'tasks:read' },
    schema: { tags, summary: 'Get an operation', params: idParams, response: { 200: operationDetailSchema } },
    handler: (request): Promise<OperationDetail> => {
      requirePlatform(request);
      return operations.find(request.params.id);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/operations/:id/start',
    config: { access: 'tasks:write' },
    schema: {
      tags,
      summary: 'Start an operation',
      description: `With the key that has made the dry run; with \`dead-letters:write\`, too, where dead letters are replayed or discarded. It begins ten seconds later. To discard more than ${TYPED_ABOVE} letters, \`confirm\` is their number.`,
      params: idParams,
      body: z.strictObject({
        rate: z.int().min(1).max(MAX_RATE).default(DEFAULT_RATE).describe('Most tasks a second.'),
        confirm: z.string().max(20).optional(),
      }),
      response: { 200: operationDetailSchema },
    },
    handler: (request): Promise<OperationDetail> => {
      const actor = requirePlatform(request);
      const options = { ...request.body, actor, mayChangeLetters: mayChangeLetters(request) };
      return operations.start(request.params.id, options, (change) =>
        audit(resources, request, { ...change, tenantId: undefined }),
      );
    },
  });
  for (const action of ['pause', 'resume', 'stop', 'undo'] as const) {
    const [summary, description] = CHANGES[action];
    app.route({
      method: 'POST',
      url: `/v1/operations/:id/${action}`,
      config: { access: 'tasks:write' },
      schema: { tags, summary, description, params: idParams, response: { 200: operationDetailSchema } },
      handler: (request): Promise<OperationDetail> => {
        requirePlatform(request);
        return operations.act(request.params.id, action, mayChangeLetters(request), (change) =>
          audit(resources, request, { ...change, tenantId: undefined }),
        );
      },
    });
  }
}

/** Returns who asks. */
function requirePlatform(request: FastifyRequest): string {
  if (tenantOf(request) === undefined) return actorOf(request).actor;
  throw new ProblemError(
    'forbidden',
    'Operations concern all tenants: use a key of the platform, without the Stratum-Tenant header. In the search, `tenant:<id>` names a tenant.',
  );
}

function mayChangeLetters(request: FastifyRequest): boolean {
  return principalOf(request).scopes.has('dead-letters:write');
}
