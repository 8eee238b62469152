/** Saved views of the list of tasks. */
import { PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import { notFound, ProblemError } from '@stratum/shared/http';
import { parsedQuery } from '@stratum/shared/task-history';
import { z } from 'zod';
import { may, missing } from '../access/rights.js';
import type { Viewer } from '../access/sessions.js';
import { NOTHING } from '../http/answer.js';
import { viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import {
  findView,
  listViews,
  newView,
  ownerOf,
  removeView,
  savedView,
  saveView,
  type SavedView,
} from '../tasks/saved-views.js';

export function viewRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool } = resources;
  const tags = ['Tasks'];
  app.route({
    method: 'GET',
    url: '/api/views',
    config: { access: 'tasks:see' },
    schema: {
      tags,
      summary: 'List saved views: your own, and those that are shared',
      response: { 200: z.object({ items: z.array(savedView) }) },
    },
    handler: async (request): Promise<{ items: SavedView[] }> => {
      const viewer = viewerOf(request);
      const items = await withTenant(pool, tenantOf(viewer), (client) =>
        listViews(client, ownerOf(viewer.actor)),
      );
      return { items };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/views',
    config: { access: 'tasks:see' },
    schema: {
      tags,
      summary: 'Save a view, or replace your own of the same name',
      body: newView,
      response: { 201: savedView },
    },
    handler: async (request, reply) => {
      const viewer = viewerOf(request);
      parsedQuery('body.q', request.body.q);
      if (request.body.shared) requireRight(viewer);
      await recordAction(resources, request, {
        action: 'view.saved',
        subject: `view/${request.body.name}`,
        tenantId: viewer.tenantId,
        details: { shared: request.body.shared },
      });
      const view = await withTenant(pool, tenantOf(viewer), (client) =>
        saveView(client, ownerOf(viewer.actor), request.body),
      );
      if (view === undefined)
        throw new ProblemError('conflict', 'You have saved a hundred views. Remove one first.');
      return reply.code(201).send(view);
    },
  });
  app.route({
    method: 'DELETE',
    url: '/api/views/:id',
    config: { access: 'tasks:see' },
    schema: {
      tags,
      summary: 'Remove a saved view',
      params: z.object({ id: z.string().regex(/^[a-z0-9]{16}$/) }),
      response: { 204: NOTHING },
    },
    handler: async (request, reply) => {
      const viewer = viewerOf(request);
      const { id } = request.params;
      const owner = ownerOf(viewer.actor);
      const view = await withTenant(pool, tenantOf(viewer), (client) => findView(client, owner, id));
      if (view === undefined) throw notFound(`The view "${id}"`);
      if (!view.own) requireRight(viewer);
      await recordAction(resources, request, {
        action: 'view.removed',
        subject: `view/${view.name}`,
        tenantId: viewer.tenantId,
        details: { shared: view.shared },
      });
      await withTenant(pool, tenantOf(viewer), (client) => removeView(client, id));
      return reply.code(204).send(null);
    },
  });
}

function tenantOf({ tenantId }: Viewer): number {
  return tenantId ?? PLATFORM_TENANT_ID;
}

/** What others see is not everybody's to change. */
function requireRight(viewer: Viewer): void {
  if (!may(viewer, 'views:share')) throw new ProblemError('forbidden', missing(viewer, 'views:share'));
}
