/** Failed runs by cause, and their way back to work. */
import { z } from 'zod';
import {
  decideFailure,
  FAILURE_DECISIONS,
  failureGroup,
  readFailureGroups,
} from '../failures/failure-groups.js';
import { groupReplay, replayGroup } from '../failures/replay-group.js';
import { notFound } from '@stratum/shared/http';
import { scopeOf, viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const HOUR_MS = 3_600_000;
const MAX_HOURS = 168;
const MAX_REPLAYED = 1_000;

const newState = z.enum([...FAILURE_DECISIONS, 'open']);
const groupParams = z.object({ group: z.string().regex(/^-?\d{1,19}$/) });

export function failureRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool, names } = resources;
  app.route({
    method: 'GET',
    url: '/api/failures',
    config: { access: 'failures:see' },
    schema: {
      tags: ['Failures'],
      summary: 'List runs that failed, by cause',
      querystring: z.object({ hours: z.coerce.number().int().min(1).max(MAX_HOURS).default(24) }),
      response: {
        200: z.object({
          groups: z.array(failureGroup).describe('The most frequent first, at most 200.'),
          since: z.iso.datetime(),
          as_of: z.iso.datetime(),
        }),
      },
    },
    handler: async (request) => {
      const now = Date.now();
      const since = new Date(now - request.query.hours * HOUR_MS);
      const groups = await readFailureGroups(pool, names, { scope: scopeOf(request), since });
      return { groups, since: since.toISOString(), as_of: new Date(now).toISOString() };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/failures/:group/replay',
    config: { access: 'failures:replay' },
    schema: {
      tags: ['Failures'],
      summary: 'Replay the dead letters of a cause',
      params: groupParams,
      body: z.strictObject({ most: z.int().min(1).max(MAX_REPLAYED) }),
      response: { 200: groupReplay },
    },
    handler: async (request) => {
      const { group } = request.params;
      const { most } = request.body;
      await recordAction(resources, request, {
        action: 'dead_letters.replayed',
        subject: `failure-group/${group}`,
        details: { most },
      });
      await names.load(pool);
      return replayGroup(resources, {
        scope: scopeOf(request),
        group,
        from: new Date(Date.now() - MAX_HOURS * HOUR_MS),
        most,
      });
    },
  });
  app.route({
    method: 'POST',
    url: '/api/failures/:group/state',
    config: { access: 'failures:decide' },
    schema: {
      tags: ['Failures'],
      summary: 'Resolve or ignore a cause, or open it again',
      params: groupParams,
      body: z.strictObject({
        queue: z.string().max(64),
        task: z.string().max(64),
        state: newState,
      }),
      response: { 200: z.object({ state: newState }) },
    },
    handler: async (request) => {
      const { group } = request.params;
      const { queue, task, state } = request.body;
      await names.load(pool);
      await recordAction(resources, request, {
        action: `failure.${state === 'open' ? 'reopened' : state}`,
        subject: `failure-group/${group}`,
        details: { queue, task },
      });
      const decision = state === 'open' ? undefined : state;
      const { actor } = viewerOf(request);
      if (!(await decideFailure(pool, names, { group, queue, task, decision, actor })))
        throw notFound(`The task "${task}" of the queue "${queue}"`);
      return { state };
    },
  });
}
