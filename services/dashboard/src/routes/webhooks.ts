/** Webhooks of both directions: what came in and what went out, retried, paused and resumed. */
import { replayWebhookDelivery, withTenant } from '@stratum/shared';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { notFound, ProblemError } from '@stratum/shared/http';
import {
  enqueueDeliveries,
  findSubscription,
  formatEventId,
  listDeliveries,
  MESSAGE_STATES,
  parseEventId,
  replayDelivery,
  resumeWithMissed,
  stopSubscription,
  SubscriptionError,
} from '@stratum/shared/subscriptions';
import {
  changeWebhookEndpoint,
  findWebhookEndpoint,
  INBOUND_DELIVERY_STATES,
  listWebhookDeliveries,
} from '@stratum/shared/webhooks';
import type { FastifyRequest } from 'fastify';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { scopeOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { readWebhookOverview, type WebhookOverview } from '../webhooks/overview.js';
import { toInboundView, toOutboundView, type DeliveryPage } from '../webhooks/delivery-view.js';

const PAGE = 50;
const tenant = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const place = z.object({ tenant, id: z.string().regex(/^[a-z0-9]{16}$/) });
const before = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional();

export function webhookRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks',
    config: { access: 'webhooks:see' },
    handler: (request): Promise<WebhookOverview> => readWebhookOverview(resources.pool, scopeOf(request)),
  });
  inboundRoutes(app, resources);
  outboundRoutes(app, resources);
}

/** Works as the tenant of the address. @throws ProblemError `not-found` for another tenant's */
function asTenant<Result>(
  { pool }: DashboardResources,
  request: FastifyRequest,
  { tenant: tenantId, what }: { tenant: number; what: string },
  work: (client: PoolClient) => Promise<Result | undefined>,
): Promise<Result> {
  const scope = scopeOf(request);
  const isOwn = scope === 'platform' || scope === String(tenantId);
  return (isOwn ? withTenant(pool, tenantId, work) : Promise.resolve(undefined)).then((found) => {
    if (found === undefined) throw notFound(what);
    return found;
  });
}

function inboundRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks/in/:tenant/:id',
    config: { access: 'webhooks:see' },
    schema: {
      params: place,
      querystring: z.object({ state: z.enum(INBOUND_DELIVERY_STATES).optional(), before }),
    },
    handler: (request): Promise<DeliveryPage> => {
      const { id, tenant: tenantId } = request.params;
      return asTenant(
        resources,
        request,
        { tenant: tenantId, what: `The webhook endpoint "${id}"` },
        async (client) => {
          const endpoint = await findWebhookEndpoint(client, id);
          if (endpoint === undefined) return undefined;
          const found = await listWebhookDeliveries(client, id, { ...request.query, limit: PAGE + 1 });
          const items = found.slice(0, PAGE);
          return {
            name: endpoint.name,
            kind: endpoint.source,
            status: endpoint.status,
            reason: null,
            items: items.map(toInboundView),
            next: found.length > PAGE ? (items.at(-1)?.id ?? null) : null,
          };
        },
      );
    },
  });
  for (const verb of ['pause', 'resume'] as const)
    app.route({
      method: 'POST',
      url: `/api/webhooks/in/:tenant/:id/${verb}`,
      config: { access: 'webhooks:control' },
      schema: { params: place, body: z.strictObject({}) },
      handler: (request): Promise<{ status: string }> => {
        const { id, tenant: tenantId } = request.params;
        return asTenant(
          resources,
          request,
          { tenant: tenantId, what: `The webhook endpoint "${id}"` },
          async (client) => {
            const found = await findWebhookEndpoint(client, id);
            if (found === undefined) return undefined;
            const status = verb === 'pause' ? 'paused' : 'active';
            await record(request, 'webhook.changed', `webhook/${id}`, {
              tenantId,
              details: differenceOf({ status: found.status }, { status }),
            });
            await changeWebhookEndpoint(client, id, { status });
            return { status };
          },
        );
      },
    });
  app.route({
    method: 'POST',
    url: '/api/webhooks/in/:tenant/:id/deliveries/:delivery/replay',
    config: { access: 'webhooks:control' },
    schema: {
      params: place.extend({ delivery: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
      body: z.strictObject({}),
    },
    handler: async (request): Promise<{ task_id: string }> => {
      const { id, tenant: tenantId, delivery } = request.params;
      await asTenant(
        resources,
        request,
        { tenant: tenantId, what: `The delivery ${delivery}` },
        async (client) => {
          const [found] = await listWebhookDeliveries(client, id, { before: delivery + 1, limit: 1 });
          return found?.id === delivery ? found : undefined;
        },
      );
      await record(request, 'webhook.replayed', `webhook-delivery/${delivery}`, { tenantId });
      const payload = { tenant_id: tenantId, delivery_id: delivery };
      return { task_id: (await resources.client.enqueue(replayWebhookDelivery, payload)).id };
    },
  });

  function record(
    request: FastifyRequest,
    action: AuditAction,
    subject: string,
    rest: { tenantId: number; details?: Record<string, unknown> },
  ): Promise<void> {
    return recordAction(resources, request, { action, subject, ...rest });
  }
}

function subscriptionNamed(id: string): string {
  return `The subscription "${id}"`;
}

function outboundRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks/out/:tenant/:id',
    config: { access: 'webhooks:see' },
    schema: { params: place, querystring: z.object({ state: z.enum(MESSAGE_STATES).optional(), before }) },
    handler: (request): Promise<DeliveryPage> => {
      const { id, tenant: tenantId } = request.params;
      const { state, before: last } = request.query;
      return asTenant(
        resources,
        request,
        { tenant: tenantId, what: subscriptionNamed(id) },
        async (client) => {
          const found = await findSubscription(client, id);
          if (found === undefined) return undefined;
          const { deliveries, next } = await listDeliveries(client, id, {
            limit: PAGE,
            ...(state === undefined ? {} : { state }),
            ...(last === undefined ? {} : { before: last }),
          });
          return {
            name: new URL(found.url).host,
            kind: found.eventTypes.join(', '),
            status: found.status,
            reason: found.statusReason,
            items: deliveries.map((each) => toOutboundView(each, formatEventId(each.eventId))),
            next: next ?? null,
          };
        },
      );
    },
  });
  app.route({
    method: 'POST',
    url: '/api/webhooks/out/:tenant/:id/pause',
    config: { access: 'webhooks:control' },
    schema: { params: place, body: z.strictObject({}) },
    handler: (request): Promise<{ status: string }> => {
      const { id, tenant: tenantId } = request.params;
      return asTenant(
        resources,
        request,
        { tenant: tenantId, what: subscriptionNamed(id) },
        async (client) => {
          const found = await findSubscription(client, id);
          if (found?.status !== 'active') return found && { status: found.status };
          await recordAction(resources, request, {
            action: 'subscription.paused',
            subject: `subscription/${id}`,
            tenantId,
          });
          await stopSubscription(client, id, { status: 'paused', reason: 'Paused in the dashboard.' });
          return { status: 'paused' };
        },
      );
    },
  });
  app.route({
    method: 'POST',
    url: '/api/webhooks/out/:tenant/:id/resume',
    config: { access: 'webhooks:control' },
    schema: { params: place, body: z.strictObject({ replay: z.boolean().default(false) }) },
    handler: async (request): Promise<{ status: string; replayed: number }> => {
      const { id, tenant: tenantId } = request.params;
      const { replay } = request.body;
      const events = await asTenant(
        resources,
        request,
        { tenant: tenantId, what: subscriptionNamed(id) },
        async (client) => {
          if ((await findSubscription(client, id)) === undefined) return undefined;
          await recordAction(resources, request, {
            action: 'subscription.resumed',
            subject: `subscription/${id}`,
            tenantId,
            details: { replay },
          });
          return (await resumeWithMissed(client, id, { replay }))?.events;
        },
      );
      await enqueueDeliveries(resources.client, { tenantId, subscriptionId: id }, events);
      return { status: 'active', replayed: events.length };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/webhooks/out/:tenant/:id/deliveries/:delivery/replay',
    config: { access: 'webhooks:control' },
    schema: { params: place.extend({ delivery: z.string().max(64) }), body: z.strictObject({}) },
    handler: async (request): Promise<{ task_id: string }> => {
      const { id, tenant: tenantId, delivery } = request.params;
      const eventId = parseEventId(delivery) ?? 0;
      await asTenant(
        resources,
        request,
        { tenant: tenantId, what: `The event "${delivery}"` },
        async (client) => {
          const found = await findSubscription(client, id);
          if (found === undefined) return undefined;
          await recordAction(resources, request, {
            action: 'subscription.delivery_replayed',
            subject: `subscription/${id}`,
            tenantId,
            details: { event_id: delivery },
          });
          return (await replayDelivery(client, found, eventId)) ? found : undefined;
        },
      ).catch((error: unknown) => {
        if (error instanceof SubscriptionError) throw new ProblemError('conflict', error.message);
        throw error;
      });
      const [task = ''] = await enqueueDeliveries(resources.client, { tenantId, subscriptionId: id }, [
        eventId,
      ]);
      return { task_id: task };
    },
  });
}
