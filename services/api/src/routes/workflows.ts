/** Workflows: started, looked at, waited for, cancelled. */
import type { AuditAction } from '@stratum/shared/audit';
import {
  ResultTimeoutError,
  WORKFLOW_STATES,
  type WorkflowDefinition,
  type WorkflowView,
} from '@stratum/jobs';
import { notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { position, waitSeconds } from '../http/bounded.js';
import { idempotencyHeaders } from '../http/idempotency.js';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownWorkflow, sizeOf } from './own-workflow.js';
import { idParams } from './task-schemas.js';
import type { TaskRouteParts } from './tasks.js';
import { definitionBody, outcomeSchema, summarySchema, viewSchema } from './workflow-schemas.js';

const tags = ['workflows'];
/** Ten thousand steps with payloads of their own. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

export function workflowRoutes(
  app: ApiServer,
  resources: ApiResources,
  { idempotency, longRequests }: TaskRouteParts,
): void {
  const { workflows } = resources.client;
  app.route({
    method: 'POST',
    url: '/v1/workflows',
    config: { access: 'tasks:write' },
    bodyLimit: MAX_BODY_BYTES,
    schema: {
      tags,
      summary: 'Start a workflow',
      description:
        'A chain, a group, a chord or a single step. A step may be another workflow. `with` fills payload fields from the result of the previous step.',
      headers: idempotencyHeaders,
      body: definitionBody,
      response: { 202: z.object({ id: z.string(), duplicate: z.boolean() }) },
    },
    handler: async (request, reply) => {
      const tenantId = tenantOf(request);
      const definition =
        tenantId === undefined
          ? request.body
          : ownWorkflow(request.body, tenantId, resources.application.tenantTasks);
      const start = async (id?: string): Promise<{ id: string; duplicate: boolean }> =>
        resources.taskQuota.withinWorkflow(tenantId, sizeOf(definition), async () => {
          await recordAction(request, 'workflow.started', id ?? '(new)', tenantId);
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `start` checks it, and names what is wrong
          return workflows.start(definition as unknown as WorkflowDefinition, {
            ...(id === undefined ? {} : { id }),
            ...(tenantId === undefined ? {} : { tenant: tenantId }),
          });
        });
      const key = request.headers['idempotency-key'];
      if (key === undefined) return reply.code(202).send(await start());
      const asked = { scope: [String(tenantId ?? '_'), 'workflow'], key, body: request.body };
      const id = idempotency.idOf(asked);
      let started = { id, duplicate: true };
      await idempotency.run(asked, async () => {
        started = await start(id);
        return started.id;
      });
      return reply.code(202).send(started);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/workflows',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'List workflows, newest first',
      querystring: pageQuery.extend({ state: z.enum(WORKFLOW_STATES).optional() }),
      response: { 200: pageOf(summarySchema) },
    },
    handler: async (request) => {
      const { limit, cursor, state } = request.query;
      const before = decodeCursor(position, cursor);
      const tenantId = tenantOf(request);
      const page = await workflows.list({
        limit,
        ...(before === undefined ? {} : { before }),
        ...(state === undefined ? {} : { state }),
        ...(tenantId === undefined ? {} : { tenant: tenantId }),
      });
      return { items: page.workflows, next_cursor: page.next === null ? null : encodeCursor(page.next) };
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/workflows/:id',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'Get a workflow as a tree with states and times',
      params: idParams,
      response: { 200: viewSchema },
    },
    handler: async (request) => viewSchema.parse(await ownView(request, request.params.id)),
  });
  app.route({
    method: 'GET',
    url: '/v1/workflows/:id/result',
    config: { access: 'tasks:read' },
    schema: {
      tags,
      summary: 'Wait for a workflow to finish',
      description:
        'Returns 200 with the result once the workflow has finished, or 202 if it has not finished within `wait` seconds.',
      params: idParams,
      querystring: z.object({ wait: waitSeconds }),
      response: { 200: outcomeSchema, 202: summarySchema },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const { wait } = request.query;
      const view = await ownView(request, id);
      if (view.state !== 'STARTED') return reply.code(200).send(await workflows.result(id));
      if (wait === 0) return reply.code(202).send(view);
      const signal = longRequests.begin(request, reply);
      try {
        return await reply.code(200).send(await workflows.result(id, { timeoutMs: wait * 1000, signal }));
      } catch (error) {
        if (!(error instanceof ResultTimeoutError)) throw error;
        return reply.code(202).send(await ownView(request, id));
      }
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/workflows/:id',
    config: { access: 'tasks:write' },
    schema: {
      tags,
      summary: 'Cancel a workflow',
      description:
        'Removes waiting steps, signals running ones (or, with `terminate`, ends them) and starts no further steps.',
      params: idParams,
      querystring: z.object({ terminate: z.stringbool().default(false) }),
      response: { 200: z.object({ id: z.string(), outcome: z.enum(['cancelled', 'ended']) }) },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { terminate } = request.query;
      const { tenant } = await ownView(request, id);
      await recordAction(request, 'workflow.cancelled', id, tenant === null ? undefined : Number(tenant), {
        terminate,
      });
      const outcome = await workflows.cancel(id, { terminate });
      if (outcome === 'unknown') throw notFound(`The workflow "${id}"`);
      return { id, outcome };
    },
  });

  async function ownView(request: FastifyRequest, id: string): Promise<WorkflowView> {
    const view = await workflows.get(id);
    const tenantId = tenantOf(request);
    if (view !== undefined && (tenantId === undefined || view.tenant === String(tenantId))) return view;
    throw notFound(`The workflow "${id}"`);
  }

  function recordAction(
    request: FastifyRequest,
    action: AuditAction,
    id: string,
    tenantId: number | undefined,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, { action, subject: `workflow/${id}`, tenantId, details });
  }
}
