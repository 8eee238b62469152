/** Operations over all tasks that a search finds: looked at first, then carried out at a rate, paused, resumed, stopped, undone. */
import {
  DEFAULT_RATE,
  MAX_QUERY_LENGTH,
  MAX_RATE,
  operationDetailSchema,
  Operations,
  operationSchema,
  TYPED_ABOVE,
  VERBS,
  type Operation,
  type OperationDetail,
} from '@stratum/shared/operations';
import { ProblemError } from '@stratum/shared/http';
import { z } from 'zod';
import { may, missing } from '../access/rights.js';
import { viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const detail = { 200: operationDetailSchema };
const idParams = z.object({ id: z.string().regex(/^[\w-]{16}$/) });

export function operationRoutes(app: DashboardServer, resources: DashboardResources): void {
  const operations = new Operations(resources);
  app.route({
    method: 'GET',
    url: '/api/operations',
    config: { access: 'operations:see' },
    schema: {
      tags: ['Operations'],
      summary: 'List operations of the last seven days',
      response: { 200: z.object({ items: z.array(operationSchema) }) },
    },
    handler: async (): Promise<{ items: Operation[] }> => ({ items: await operations.list() }),
  });
  app.route({
    method: 'GET',
    url: '/api/operations/:id',
    config: { access: 'operations:see' },
    schema: {
      tags: ['Operations'],
      summary: 'Show an operation with its items',
      params: idParams,
      response: detail,
    },
    handler: (request): Promise<OperationDetail> => operations.find(request.params.id),
  });
  app.route({
    method: 'POST',
    url: '/api/operations/dry-run',
    config: { access: 'operations:start' },
    schema: {
      tags: ['Operations'],
      summary: 'Find and count what an operation would touch',
      body: z.strictObject({ verb: z.enum(VERBS), q: z.string().trim().max(MAX_QUERY_LENGTH) }),
      response: detail,
    },
    handler: (request): Promise<OperationDetail> => {
      const { verb, q: query } = request.body;
      return operations.dryRun('body.q', { verb, query, actor: viewerOf(request).actor });
    },
  });
  app.route({
    method: 'POST',
    url: '/api/operations/:id/start',
    config: { access: 'operations:start' },
    schema: {
      tags: ['Operations'],
      summary: 'Start an operation after its dry run',
      params: idParams,
      body: z.strictObject({
        rate: z.int().min(1).max(MAX_RATE).default(DEFAULT_RATE),
        confirm: z.string().max(20).optional(),
      }),
      response: detail,
    },
    handler: async (request): Promise<OperationDetail> => {
      const viewer = viewerOf(request);
      const { verb, counted } = await operations.find(request.params.id);
      if (verb === 'discard' && counted > TYPED_ABOVE && !may(viewer, 'operations:discard-many'))
        throw new ProblemError('forbidden', missing(viewer, 'operations:discard-many'));
      const options = {
        ...request.body,
        actor: viewer.actor,
        mayChangeLetters: may(viewer, 'failures:replay'),
      };
      return operations.start(request.params.id, options, (change) =>
        recordAction(resources, request, change),
      );
    },
  });
  for (const action of ['pause', 'resume', 'stop', 'undo'] as const)
    app.route({
      method: 'POST',
      url: `/api/operations/:id/${action}`,
      config: { access: 'operations:start' },
      schema: {
        tags: ['Operations'],
        summary: `${action[0]?.toUpperCase()}${action.slice(1)} an operation`,
        params: idParams,
        body: z.strictObject({}),
        response: detail,
      },
      handler: (request): Promise<OperationDetail> =>
        operations.act(request.params.id, action, may(viewerOf(request), 'failures:replay'), (change) =>
          recordAction(resources, request, change),
        ),
    });
}
