/** Endpoints of webhooks: where a tenant's senders call. */
import { count } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { plainText, withTenant } from '@stratum/shared';
import {
  changeWebhookEndpoint,
  createWebhookEndpoint,
  findWebhookEndpoint,
  listWebhookEndpoints,
  removeWebhookEndpoint,
  rotateWebhookSecret,
  SECRET_GRACE_SECONDS,
  WebhookEndpointError,
} from '@stratum/shared/webhooks';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { invalid, notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import type { EndpointCache } from '../webhooks/endpoint-cache.js';
import {
  endpointParams,
  endpointSchema,
  endpointView,
  newEndpointSchema,
  settingsSchema,
  sourceSchema,
} from './webhook-schemas.js';

const tags = ['webhooks'];
const name = plainText(100).min(1);
const secret = z.string().max(500);
const MAX_GRACE_SECONDS = 7 * 86_400;

export interface EndpointRouteParts {
  endpoints: EndpointCache;
  publicUrl: () => string;
}

export function webhookEndpointRoutes(
  app: ApiServer,
  resources: ApiResources,
  parts: EndpointRouteParts,
): void {
  readRoutes(app, resources, parts);
  createRoute(app, resources, parts);
  changeRoutes(app, resources, parts);
}

/** Works as the tenant; an endpoint's fault is reported with its field. */
async function asTenant<T>(
  { pool }: ApiResources,
  request: FastifyRequest,
  work: (client: PoolClient, tenantId: number) => Promise<T>,
): Promise<T> {
  const tenantId = requireTenant(request);
  try {
    return await withTenant(pool, tenantId, (client) => work(client, tenantId));
  } catch (error) {
    if (error instanceof WebhookEndpointError) throw invalid(`body.${error.field}`, error.reason);
    throw error;
  }
}

function unknown(id: string): Error {
  return notFound(`The webhook endpoint "${id}"`);
}

function readRoutes(app: ApiServer, resources: ApiResources, { publicUrl }: EndpointRouteParts): void {
  app.route({
    method: 'GET',
    url: '/v1/webhooks',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'List inbound webhook endpoints',
      querystring: pageQuery,
      response: { 200: pageOf(endpointSchema) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(endpointParams.shape.id, cursor);
      const found = await asTenant(resources, request, (client) =>
        listWebhookEndpoints(client, { after, limit: limit + 1 }),
      );
      return cutPage(
        found,
        limit,
        (endpoint) => endpointView(endpoint, publicUrl()),
        ({ id }) => id,
      );
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/webhooks/:id',
    config: { access: 'webhooks:read' },
    schema: { tags, summary: 'An endpoint', params: endpointParams, response: { 200: endpointSchema } },
    handler: async (request) => {
      const { id } = request.params;
      const endpoint = await asTenant(resources, request, (client) => findWebhookEndpoint(client, id));
      if (endpoint === undefined) throw unknown(id);
      return endpointView(endpoint, publicUrl());
    },
  });
}

function createRoute(app: ApiServer, resources: ApiResources, { publicUrl }: EndpointRouteParts): void {
  app.route({
    method: 'POST',
    url: '/v1/webhooks',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Create an endpoint',
      description:
        'If the sender issues the secret (Meta, WhatsApp, Shopify, Stripe, HubSpot, TikTok), pass it as `secret`. Otherwise one is generated and shown only once.',
      body: z.strictObject({
        source: sourceSchema,
        name,
        secret: secret.optional(),
        settings: settingsSchema.optional(),
      }),
      response: { 201: newEndpointSchema },
    },
    handler: async (request, reply) => {
      const { source } = request.body;
      const made = await asTenant(resources, request, async (client, tenantId) => {
        const created = await createWebhookEndpoint(client, resources.configuration.STRATUM_CREDENTIALS_KEY, {
          tenantId,
          ...request.body,
        });
        await audit(resources, request, {
          action: 'webhook.created',
          subject: `webhook/${created.endpoint.id}`,
          tenantId,
          details: { source, name: request.body.name },
        });
        return created;
      });
      return reply
        .code(201)
        .send({ ...endpointView(made.endpoint, publicUrl()), secret: made.secret ?? null });
    },
  });
}

function changeRoutes(
  app: ApiServer,
  resources: ApiResources,
  { endpoints, publicUrl }: EndpointRouteParts,
): void {
  const recordAction = (
    request: FastifyRequest,
    tenantId: number,
    action: AuditAction,
    id: string,
    details: Record<string, unknown> = {},
  ): Promise<void> => audit(resources, request, { action, subject: `webhook/${id}`, tenantId, details });
  app.route({
    method: 'PATCH',
    url: '/v1/webhooks/:id',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Rename, pause or resume an endpoint, or change its settings',
      description:
        'A paused endpoint answers 404. Senders retry for hours or days; events that they give up on are lost.',
      params: endpointParams,
      body: z.strictObject({
        name: name.optional(),
        status: z.enum(['active', 'paused']).optional(),
        settings: settingsSchema.optional().describe('Replaces the given fields.'),
      }),
      response: { 200: endpointSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const changed = await asTenant(resources, request, async (client, tenantId) => {
        const before = await findWebhookEndpoint(client, id);
        const endpoint = await changeWebhookEndpoint(client, id, request.body);
        if (endpoint !== undefined)
          await recordAction(request, tenantId, 'webhook.changed', id, differenceOf(before, endpoint));
        return endpoint;
      });
      if (changed === undefined) throw unknown(id);
      endpoints.forget(changed.token);
      return endpointView(changed, publicUrl());
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/webhooks/:id/rotate',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Rotate the secret of an endpoint; the previous one works for a while',
      params: endpointParams,
      body: z
        .strictObject({
          secret: secret.optional().describe('Required if the sender issues the secret.'),
          grace_seconds: boundedSchema(count.within({ max: MAX_GRACE_SECONDS }))
            .optional()
            .describe('Default: a day.'),
        })
        .nullish(),
      response: { 200: newEndpointSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { secret: given, grace_seconds: graceSeconds = SECRET_GRACE_SECONDS } = request.body ?? {};
      const keys = resources.configuration.STRATUM_CREDENTIALS_KEY;
      const rotated = await asTenant(resources, request, async (client, tenantId) => {
        const made = await rotateWebhookSecret(client, keys, id, { secret: given, graceSeconds });
        if (made !== undefined)
          await recordAction(request, tenantId, 'webhook.rotated', id, { grace_seconds: graceSeconds });
        return made;
      });
      if (rotated === undefined) throw unknown(id);
      endpoints.forget(rotated.endpoint.token);
      return { ...endpointView(rotated.endpoint, publicUrl()), secret: rotated.secret ?? null };
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/webhooks/:id',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Delete an endpoint; events already received are still processed',
      params: endpointParams,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const removed = await asTenant(resources, request, async (client, tenantId) => {
        const endpoint = await findWebhookEndpoint(client, id);
        if (endpoint === undefined || !(await removeWebhookEndpoint(client, id))) return undefined;
        await recordAction(request, tenantId, 'webhook.removed', id);
        return endpoint;
      });
      if (removed === undefined) throw unknown(id);
      endpoints.forget(removed.token);
      return reply.code(204).send();
    },
  });
}
