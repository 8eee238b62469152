/** Workflows: found, drawn step by step, cancelled, resumed where they failed. */
import { WORKFLOW_STATES, type WorkflowView } from '@stratum/jobs';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { replayLetter, replayOutcome, type ReplayOutcome } from '../failures/replay-letter.js';
import { scopeOf, viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { finding } from '../why/finding.js';
import { findReasons } from '../why/findings.js';
import { readFacts } from '../why/read-facts.js';
import { failedSteps, graphNode, graphOf, openSteps } from '../workflows/graph.js';
import {
  searchWorkflows,
  workflowItem,
  workflowList,
  type WorkflowList,
} from '../workflows/list-workflows.js';
import { outlineOf } from '../workflows/outline.js';

const MAX_REASONS = 4;
const idParams = z.object({ id: z.string().regex(/^[\w-]{1,64}$/) });
const listQuery = z.object({
  state: z.enum(WORKFLOW_STATES).optional(),
  tenant: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  definition: z.string().trim().max(200).optional(),
  before: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
});

const some = z.int().optional();
const stepPlace = z.object({ path: z.string(), task: z.string(), task_id: z.string() });
const workflowPage = workflowItem
  .extend({
    steps: z
      .object({
        total: z.int(),
        WAITING: some,
        PENDING: some,
        SCHEDULED: some,
        STARTED: some,
        RETRY: some,
        SUCCESS: some,
        FAILURE: some,
        REVOKED: some,
        EXPIRED: some,
      } satisfies Record<keyof WorkflowView['steps'], z.ZodType>)
      .describe('The number of steps, in total and in each state.'),
    graph: graphNode.nullable().describe('`null` for a workflow that was refused.'),
    waits: z
      .array(stepPlace.extend({ finding }))
      .describe('Why steps that could run do not, or what they do: the first few.'),
    failed_steps: z.array(stepPlace).describe('Steps that failed, and can be replayed.'),
  })
  .meta({ id: 'WorkflowPage' });
export type WorkflowPage = z.output<typeof workflowPage>;

export function workflowRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { client } = resources;
  app.route({
    method: 'GET',
    url: '/api/workflows',
    config: { access: 'workflows:see' },
    schema: {
      tags: ['Workflows'],
      summary: 'List workflows, the newest first',
      querystring: listQuery,
      response: { 200: workflowList },
    },
    handler: (request): Promise<WorkflowList> => {
      const { before, ...filter } = request.query;
      const own = viewerOf(request).tenantId;
      return searchWorkflows(
        client,
        { ...filter, tenant: own === undefined ? filter.tenant : String(own) },
        before,
      );
    },
  });
  app.route({
    method: 'GET',
    url: '/api/workflows/:id',
    config: { access: 'workflows:see' },
    schema: {
      tags: ['Workflows'],
      summary: 'Show a workflow with its steps',
      params: idParams,
      response: { 200: workflowPage },
    },
    handler: async (request): Promise<WorkflowPage> => {
      const { id } = request.params;
      const { tree, ...view } = await ownView(resources, request, id);
      const definition = await client.workflows.definition(id);
      const failed = tree === null || view.state !== 'FAILURE' ? [] : failedSteps(tree);
      return {
        ...view,
        error: view.error === null ? null : { type: view.error.type, message: view.error.message },
        outline: definition === undefined ? null : outlineOf(definition),
        graph: tree === null ? null : graphOf(id, tree),
        waits: tree === null || view.state !== 'STARTED' ? [] : await reasonsOf(resources, request, tree),
        failed_steps: failed.map(({ path, task = '', task_id: taskId = '' }) => ({
          path,
          task,
          task_id: taskId,
        })),
      };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/workflows/:id/cancel',
    config: { access: 'workflows:cancel' },
    schema: {
      tags: ['Workflows'],
      summary: 'Cancel a workflow',
      params: idParams,
      body: z.strictObject({ terminate: z.boolean().default(false) }),
      response: { 200: z.object({ id: z.string(), outcome: z.enum(['cancelled', 'ended']) }) },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { terminate } = request.body;
      const { tenant } = await ownView(resources, request, id);
      await recordAction(resources, request, {
        action: 'workflow.cancelled',
        subject: `workflow/${id}`,
        tenantId: tenant === null ? undefined : Number(tenant),
        details: { terminate },
      });
      const outcome = await client.workflows.cancel(id, { terminate });
      if (outcome === 'unknown') throw notFound(`The workflow "${id}"`);
      return { id, outcome };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/workflows/:id/replay',
    config: { access: 'failures:replay' },
    schema: {
      tags: ['Workflows'],
      summary: 'Replay the failed steps of a workflow',
      params: idParams,
      body: z.strictObject({}),
      response: { 200: replayOutcome },
    },
    handler: async (request): Promise<ReplayOutcome> => {
      const { id } = request.params;
      const { tree, tenant, state } = await ownView(resources, request, id);
      const failed = tree === null || state !== 'FAILURE' ? [] : failedSteps(tree);
      if (failed.length === 0)
        throw new ProblemError('conflict', 'The workflow has not failed; there is nothing to replay.');
      await recordAction(resources, request, {
        action: 'dead_letters.replayed',
        subject: `workflow/${id}`,
        tenantId: tenant === null ? undefined : Number(tenant),
        details: { steps: failed.length },
      });
      const outcome: ReplayOutcome = { replayed: [], conflicts: [] };
      for (const { task_id: taskId = '' } of failed) await replayLetter(client, taskId, outcome);
      return outcome;
    },
  });
}

/** @throws ProblemError `not-found` for an unknown workflow, and equally for another tenant's */
async function ownView(
  { client }: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<WorkflowView> {
  const view = await client.workflows.get(id);
  const scope = scopeOf(request);
  if (view !== undefined && (scope === 'platform' || view.tenant === scope)) return view;
  throw notFound(`The workflow "${id}"`);
}

async function reasonsOf(
  resources: DashboardResources,
  request: FastifyRequest,
  tree: NonNullable<WorkflowView['tree']>,
): Promise<WorkflowPage['waits']> {
  // Whose tasks and workers stand in the way concerns the platform alone.
  const isTenant = viewerOf(request).tenantId !== undefined;
  const found = await Promise.all(
    openSteps(tree, MAX_REASONS).map(async ({ path, task = '', task_id: taskId = '', queue = '' }) => {
      const record = (await resources.client.status(taskId, { queue, task })) ?? null;
      const [first] = findReasons(await readFacts(resources, record, undefined, taskId));
      return first === undefined
        ? []
        : [{ path, task, task_id: taskId, finding: isTenant ? { ...first, remedy: null } : first }];
    }),
  );
  return found.flat();
}
