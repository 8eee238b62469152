/** Operations over all tasks that a search finds: looked at first, then carried out at a rate, paused, resumed, stopped. */
import { invalid, notFound, ProblemError } from '@stratum/shared/http';
import { z } from 'zod';
import { may, missing } from '../access/rights.js';
import { viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { findItems, VERBS } from '../operations/find-items.js';
import {
  changeOperation,
  draftOperation,
  findOperation,
  listOperations,
  type Operation,
  type OperationDetail,
  type OperationState,
} from '../operations/store.js';
import { parsedQuery } from '../search/query-problem.js';

const MAX_RATE = 500;
const DEFAULT_RATE = 50;
/** Before the first task is touched. */
const BEGINS_IN_MS = 10_000;
/** More are discarded only by whoever types their number. */
const TYPED_ABOVE = 100;
const idParams = z.object({ id: z.string().regex(/^[\w-]{16}$/) });

export function operationRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool } = resources;
  const existing = async (id: string): Promise<OperationDetail> => {
    const found = await findOperation(pool, id);
    if (found === undefined) throw notFound(`The operation "${id}"`);
    return found;
  };
  app.route({
    method: 'GET',
    url: '/api/operations',
    config: { access: 'operations:see' },
    handler: async (): Promise<{ items: Operation[] }> => ({ items: await listOperations(pool) }),
  });
  app.route({
    method: 'GET',
    url: '/api/operations/:id',
    config: { access: 'operations:see' },
    schema: { params: idParams },
    handler: (request): Promise<OperationDetail> => existing(request.params.id),
  });
  app.route({
    method: 'POST',
    url: '/api/operations/dry-run',
    config: { access: 'operations:start' },
    schema: { body: z.strictObject({ verb: z.enum(VERBS), q: z.string().trim().max(1_000) }) },
    handler: async (request): Promise<OperationDetail> => {
      const { verb, q } = request.body;
      if (q === '') throw invalid('body.q', 'must say which tasks: a search of everything is not offered');
      const found = await findItems(resources, verb, parsedQuery('body.q', q));
      const { actor } = viewerOf(request);
      return existing(await draftOperation(pool, { verb, query: q, actor, found }));
    },
  });
  app.route({
    method: 'POST',
    url: '/api/operations/:id/start',
    config: { access: 'operations:start' },
    schema: {
      params: idParams,
      body: z.strictObject({
        rate: z.int().min(1).max(MAX_RATE).default(DEFAULT_RATE),
        confirm: z.string().max(20).optional(),
      }),
    },
    handler: async (request): Promise<OperationDetail> => {
      const { id } = request.params;
      const { rate, confirm } = request.body;
      const viewer = viewerOf(request);
      const { verb, query, counted, actor, state } = await existing(id);
      requireState(state, ['draft']);
      if (verb !== 'cancel' && !may(viewer, 'failures:replay'))
        throw new ProblemError('forbidden', missing('failures:replay'));
      // Whoever starts it has seen what it will do.
      if (actor !== viewer.actor)
        throw new ProblemError('forbidden', 'Another session has looked at it: look at it yourself first.');
      if (verb === 'discard' && counted > TYPED_ABOVE && confirm !== String(counted))
        throw invalid('body.confirm', `must be the number of letters, "${counted}"`);
      await recordAction(resources, request, {
        action: 'operation.started',
        subject: `operation/${id}`,
        details: { verb, query, tasks: counted, rate },
      });
      await change(id, { from: ['draft'], to: 'running', rate, beginsInMs: BEGINS_IN_MS });
      return existing(id);
    },
  });
  for (const [verb, action, from, to] of [
    ['pause', 'operation.paused', ['running'], 'paused'],
    ['resume', 'operation.resumed', ['paused'], 'running'],
    ['stop', 'operation.stopped', ['running', 'paused'], 'stopped'],
  ] as const)
    app.route({
      method: 'POST',
      url: `/api/operations/:id/${verb}`,
      config: { access: 'operations:start' },
      schema: { params: idParams, body: z.strictObject({}) },
      handler: async (request): Promise<OperationDetail> => {
        const { id } = request.params;
        requireState((await existing(id)).state, from);
        await recordAction(resources, request, { action, subject: `operation/${id}` });
        await change(id, { from, to });
        return existing(id);
      },
    });

  async function change(id: string, wanted: Parameters<typeof changeOperation>[2]): Promise<void> {
    // Somebody else may have been quicker.
    if (!(await changeOperation(pool, id, wanted))) requireState((await existing(id)).state, []);
  }
}

/** Before it is audited. */
function requireState(state: OperationState, wanted: readonly OperationState[]): void {
  if (!wanted.includes(state)) throw new ProblemError('conflict', `The operation is ${state}.`);
}
