/** Subscriptions: what was sent and what waits, sent again; paused and resumed. */
import { ProblemError } from '@stratum/shared/http';
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
import { z } from 'zod';
import { enqueuedTask } from '../http/answer.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { asTenant, beforeDelivery, DELIVERIES_PER_PAGE, webhookPlace } from '../webhooks/as-tenant.js';
import { webhookStatus, type WebhookStatus } from '../webhooks/overview.js';
import { deliveryPage, toOutboundView, type DeliveryPage } from '../webhooks/delivery-view.js';

function subscriptionNamed(id: string): string {
  return `The subscription "${id}"`;
}

export function outboundWebhookRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks/out/:tenant/:id',
    config: { access: 'webhooks:see' },
    schema: {
      tags: ['Webhooks'],
      summary: 'List the deliveries of a subscription',
      params: webhookPlace,
      querystring: z.object({ state: z.enum(MESSAGE_STATES).optional(), before: beforeDelivery }),
      response: { 200: deliveryPage },
    },
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
            limit: DELIVERIES_PER_PAGE,
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
    schema: {
      tags: ['Webhooks'],
      summary: 'Pause a subscription',
      params: webhookPlace,
      body: z.strictObject({}),
      response: { 200: z.object({ status: webhookStatus }) },
    },
    handler: (request): Promise<{ status: WebhookStatus }> => {
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
    schema: {
      tags: ['Webhooks'],
      summary: 'Resume a subscription',
      params: webhookPlace,
      body: z.strictObject({ replay: z.boolean().default(false) }),
      response: {
        200: z.object({
          status: webhookStatus,
          replayed: z.int().describe('Events of the meantime that are sent.'),
        }),
      },
    },
    handler: async (request) => {
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
      return { status: 'active' as const, replayed: events.length };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/webhooks/out/:tenant/:id/deliveries/:delivery/replay',
    config: { access: 'webhooks:control' },
    schema: {
      tags: ['Webhooks'],
      summary: 'Send a delivery again',
      params: webhookPlace.extend({ delivery: z.string().max(64) }),
      body: z.strictObject({}),
      response: { 200: enqueuedTask },
    },
    handler: async (request) => {
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
