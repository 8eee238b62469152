/** Endpoints of webhooks: what they received, replayed; paused and resumed. */
import { replayWebhookDelivery } from '@stratum/shared';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import {
  changeWebhookEndpoint,
  findWebhookEndpoint,
  INBOUND_DELIVERY_STATES,
  listWebhookDeliveries,
} from '@stratum/shared/webhooks';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { enqueuedTask } from '../http/answer.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { asTenant, beforeDelivery, DELIVERIES_PER_PAGE, webhookPlace } from '../webhooks/as-tenant.js';
import { webhookStatus, type WebhookStatus } from '../webhooks/overview.js';
import { deliveryPage, toInboundView, type DeliveryPage } from '../webhooks/delivery-view.js';

export function inboundWebhookRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks/in/:tenant/:id',
    config: { access: 'webhooks:see' },
    schema: {
      tags: ['Webhooks'],
      summary: 'List the deliveries of an endpoint',
      params: webhookPlace,
      querystring: z.object({ state: z.enum(INBOUND_DELIVERY_STATES).optional(), before: beforeDelivery }),
      response: { 200: deliveryPage },
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
          const found = await listWebhookDeliveries(client, id, {
            ...request.query,
            limit: DELIVERIES_PER_PAGE + 1,
          });
          const items = found.slice(0, DELIVERIES_PER_PAGE);
          return {
            name: endpoint.name,
            kind: endpoint.source,
            status: endpoint.status,
            reason: null,
            items: items.map(toInboundView),
            next: found.length > DELIVERIES_PER_PAGE ? (items.at(-1)?.id ?? null) : null,
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
      schema: {
        tags: ['Webhooks'],
        summary: `${verb === 'pause' ? 'Pause' : 'Resume'} an endpoint`,
        params: webhookPlace,
        body: z.strictObject({}),
        response: { 200: z.object({ status: webhookStatus }) },
      },
      handler: (request): Promise<{ status: WebhookStatus }> => {
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
      tags: ['Webhooks'],
      summary: 'Process a received delivery again',
      params: webhookPlace.extend({ delivery: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }),
      body: z.strictObject({}),
      response: { 200: enqueuedTask },
    },
    handler: async (request) => {
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
