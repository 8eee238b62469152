/** Who may sign in, and who is signed in. */
import { PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import {
  addDashboardUser,
  changeDashboardUser,
  dashboardUserSchema,
  DashboardUserError,
  emailSchema,
  listDashboardUsers,
  ROLES,
  type DashboardUser,
  type Role,
} from '@stratum/shared/dashboard-users';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { may, mayGrant } from '../access/rights.js';
import { openSession, type OpenSession } from '../access/sessions.js';
import { NOTHING } from '../http/answer.js';
import { viewerOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const tenant = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullable();
const role = z.enum(ROLES);
const userParams = z.object({ id: z.string().regex(/^[a-z0-9]{16}$/) });

export function peopleRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool, sessions } = resources;
  app.route({
    method: 'GET',
    url: '/api/people',
    config: { access: 'people:manage' },
    schema: {
      tags: ['People'],
      summary: 'List people',
      response: { 200: z.object({ items: z.array(dashboardUserSchema) }) },
    },
    handler: async (request): Promise<{ items: DashboardUser[] }> => ({
      items: await listDashboardUsers(pool, viewerOf(request).tenantId),
    }),
  });
  app.route({
    method: 'POST',
    url: '/api/people',
    config: { access: 'people:manage' },
    schema: {
      tags: ['People'],
      summary: 'Let somebody sign in',
      body: z.strictObject({ email: emailSchema, role, tenant: tenant.default(null) }),
      response: { 201: dashboardUserSchema },
    },
    handler: async (request, reply) => {
      const { email, role: given } = request.body;
      const tenantId = viewerOf(request).tenantId ?? request.body.tenant ?? PLATFORM_TENANT_ID;
      requireGrant(request, given, tenantId);
      const added = await withTenant(pool, tenantId, async (client) => {
        const user = await addDashboardUser(client, { tenantId, email, role: given }).catch(
          (error: unknown) => {
            if (!(error instanceof DashboardUserError)) throw error;
            throw new ProblemError(error.code === 'no_tenant' ? 'not-found' : 'conflict', error.message);
          },
        );
        await recordAction(resources, request, {
          action: 'person.added',
          subject: `person/${user.id}`,
          tenantId,
          details: { role: given },
        });
        return user;
      });
      return reply.code(201).send(added);
    },
  });
  app.route({
    method: 'POST',
    url: '/api/people/:id',
    config: { access: 'people:manage' },
    schema: {
      tags: ['People'],
      summary: 'Change a role, or lock somebody out',
      params: userParams,
      body: z.strictObject({ role: role.optional(), disabled: z.boolean().optional() }),
      response: { 200: dashboardUserSchema },
    },
    handler: async (request): Promise<DashboardUser> => {
      const { id } = request.params;
      const before = (await listDashboardUsers(pool, viewerOf(request).tenantId)).find(
        (user) => user.id === id,
      );
      if (before === undefined) throw notFound(`The person "${id}"`);
      const tenantId = before.tenant_id ?? PLATFORM_TENANT_ID;
      requireGrant(request, before.role, tenantId);
      if (request.body.role !== undefined) requireGrant(request, request.body.role, tenantId);
      // Whoever locks themselves out can undo nothing.
      if (viewerOf(request).actor === `person/${id}`)
        throw new ProblemError('conflict', 'Nobody changes their own place: ask another admin.');
      if (before.by_group && request.body.role !== undefined)
        throw new ProblemError(
          'conflict',
          'A group of the provider sets the role of this person. Change the group.',
        );
      await recordAction(resources, request, {
        action: 'person.changed',
        subject: `person/${id}`,
        tenantId,
        details: {
          before: { role: before.role, disabled: before.disabled_at !== null },
          after: { role: before.role, disabled: before.disabled_at !== null, ...request.body },
        },
      });
      const changed = await withTenant(pool, tenantId, (client) =>
        changeDashboardUser(client, id, request.body),
      );
      if (changed === undefined) throw notFound(`The person "${id}"`);
      return changed;
    },
  });
  app.route({
    method: 'GET',
    url: '/api/sessions',
    config: { access: 'signed-in' },
    schema: {
      tags: ['People'],
      summary: 'List open sessions',
      response: {
        200: z.object({
          items: z
            .array(openSession)
            .describe("Everybody's for whoever manages people, and one's own for all others."),
          own: z.string().describe('Id of the session that asks.'),
        }),
      },
    },
    handler: async (request): Promise<{ items: OpenSession[]; own: string }> => ({
      items: await visibleSessions(request),
      own: viewerOf(request).sessionId,
    }),
  });
  app.route({
    method: 'DELETE',
    url: '/api/sessions/:session',
    config: { access: 'signed-in' },
    schema: {
      tags: ['People'],
      summary: 'End a session',
      params: z.object({ session: z.string().regex(/^[\w-]{12}$/) }),
      response: { 204: NOTHING },
    },
    handler: async (request, reply) => {
      const { session: id } = request.params;
      const session = (await visibleSessions(request)).find((each) => each.id === id);
      if (session === undefined) throw notFound(`The session "${id}"`);
      await recordAction(resources, request, {
        action: 'session.revoked',
        subject: `session/${id}`,
        tenantId: session.tenant_id ?? undefined,
      });
      await sessions.close(id);
      return reply.code(204).send(null);
    },
  });

  /** Everybody's of the viewer's tenant for whoever manages people, one's own for all others. */
  async function visibleSessions(request: FastifyRequest): Promise<OpenSession[]> {
    const viewer = viewerOf(request);
    const open = await sessions.list(viewer.tenantId);
    return may(viewer, 'people:manage') ? open : open.filter((session) => actorOf(session) === viewer.actor);
  }
}

function requireGrant(request: FastifyRequest, granted: Role, tenantId: number): void {
  if (mayGrant(viewerOf(request), granted, tenantId === PLATFORM_TENANT_ID ? undefined : tenantId)) return;
  throw new ProblemError('forbidden', `The role "${granted}" may do more than you: ask an admin.`);
}

function actorOf({ id, user_id: userId, key_id: keyId }: OpenSession): string {
  if (userId !== null) return `person/${userId}`;
  return keyId === null ? `link/${id}` : `key/${keyId}`;
}
