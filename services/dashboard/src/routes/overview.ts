/** The state of the whole platform, and its figures over time. */
import { z } from 'zod';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { viewerOf } from '../http/guard.js';
import { followSnapshots } from '../live/follow.js';
import { mark, readMarks, type Mark } from '../live/marks.js';
import { readSeries, SERIES, series } from '../live/series.js';
import { snapshotSchema } from '../live/snapshots.js';
import { liveEvent, overviewFor } from '../live/visible.js';

const MAX_HOURS = 48;

export function overviewRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool, snapshots } = resources;
  app.route({
    method: 'GET',
    url: '/api/overview',
    config: { access: 'overview:see' },
    schema: {
      tags: ['Overview'],
      summary: 'Show the verdict, its problems, queues and workers',
      response: { 200: snapshotSchema },
    },
    handler: (request) => overviewFor(viewerOf(request), snapshots.current),
  });
  app.route({
    method: 'GET',
    url: '/api/series',
    config: { access: 'overview:see' },
    schema: {
      tags: ['Overview'],
      summary: 'Read figures of the last hours, 600 points at most',
      querystring: z.object({
        metric: z.enum(SERIES),
        queue: z.string().max(64).optional(),
        hours: z.coerce.number().positive().max(MAX_HOURS).default(1),
      }),
      response: { 200: series },
    },
    handler: (request) => readSeries(pool, request.query),
  });
  app.route({
    method: 'GET',
    url: '/api/marks',
    config: { access: 'overview:see' },
    schema: {
      tags: ['Overview'],
      summary: 'List deployments, and changes of queues and workers, of the last hours',
      querystring: z.object({
        queue: z.string().max(64).optional(),
        hours: z.coerce.number().positive().max(MAX_HOURS).default(24),
      }),
      response: { 200: z.object({ items: z.array(mark).describe('The newest 50, the oldest first.') }) },
    },
    handler: async (request): Promise<{ items: Mark[] }> => ({ items: await readMarks(pool, request.query) }),
  });
  app.route({
    method: 'GET',
    url: '/api/live',
    exposeHeadRoute: false,
    config: { access: 'signed-in' },
    schema: {
      tags: ['Overview'],
      summary: 'Follow snapshots as server-sent events',
      response: { 200: { content: { 'text/event-stream': { schema: liveEvent } } } },
    },
    handler: (request, reply) => followSnapshots(request, reply, resources),
  });
}
