/** Where an id leads: of a task, a workflow, a dead letter, a schedule entry or a trace, whichever it is. */
import { JobsError } from '@stratum/jobs';
import { notFound } from '@stratum/shared/http';
import { searchEndedRuns, searchOpenRuns } from '@stratum/shared/task-history';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { may } from '../access/rights.js';
import { scopeOf, viewerOf } from '../http/guard.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const DAY_MS = 86_400_000;

const goPlace = z.object({
  kind: z.enum(['task', 'workflow', 'schedule', 'trace']),
  path: z.string().describe('Within the dashboard, with its query.'),
});
/** A place of the pages that an id names. */
export type GoPlace = z.output<typeof goPlace>;

export function goRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/go/:id',
    config: { access: 'tasks:see' },
    schema: {
      tags: ['Tasks'],
      summary: 'Find what an id belongs to',
      params: z.object({ id: z.string().regex(/^[\w-]{1,64}$/) }),
      response: { 200: goPlace },
    },
    handler: async (request): Promise<GoPlace> => {
      const { id } = request.params;
      const [workflow, task, schedule] = await Promise.all([
        isOwnWorkflow(resources, request, id),
        isOwnTask(resources, request, id),
        isSchedule(resources, request, id),
      ]);
      if (workflow) return { kind: 'workflow', path: `/workflows/${id}` };
      if (task) return { kind: 'task', path: `/tasks/${id}` };
      if (schedule) return { kind: 'schedule', path: `/schedules/${id}` };
      // Whether there are runs says the search, which may have to go far back.
      if (/^[0-9a-f]{32}$/.test(id)) return { kind: 'trace', path: `/tasks?q=trace:${id}` };
      throw notFound(`What "${id}" names`);
    },
  });
}

async function isOwnWorkflow(
  { client }: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<boolean> {
  const view = await client.workflows.get(id);
  return view !== undefined && isOwn(request, view.tenant);
}

/** One that the broker knows, that is a dead letter, or that the history has. */
async function isOwnTask(
  resources: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<boolean> {
  const { client } = resources;
  const [record, letter] = await Promise.all([client.status(id), client.deadLetters.get(id)]);
  if ([record, letter].some((found) => found !== undefined && isOwn(request, found.tenant))) return true;
  return hasRuns(resources, request, id);
}

async function isSchedule(
  { schedules }: DashboardResources,
  request: FastifyRequest,
  name: string,
): Promise<boolean> {
  if (!may(viewerOf(request), 'schedules:see')) return false;
  try {
    await schedules.get(name);
    return true;
  } catch (error) {
    if (error instanceof JobsError && error.code === 'unknown_entry') return false;
    throw error;
  }
}

async function hasRuns(
  { pool, names, configuration }: DashboardResources,
  request: FastifyRequest,
  id: string,
): Promise<boolean> {
  await names.load(pool);
  const query = { ids: [id] };
  const scope = scopeOf(request);
  const from = new Date(Date.now() - configuration.DASHBOARD_HISTORY_DAYS * DAY_MS);
  const to = new Date(Date.now() + DAY_MS);
  const [open, ended] = await Promise.all([
    searchOpenRuns(pool, names, { scope, query }),
    searchEndedRuns(pool, names, { scope, query, from, to, limit: 1 }),
  ]);
  return open.length > 0 || ended.items.length > 0;
}

function isOwn(request: FastifyRequest, tenant: string | null): boolean {
  const { tenantId } = viewerOf(request);
  return tenantId === undefined || tenant === String(tenantId);
}
