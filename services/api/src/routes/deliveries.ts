/** Deliveries of a subscription: list them, send a test event, send one again. */
import { withTenant } from '@stratum/shared';
import {
  addTestEvent,
  MESSAGE_STATES,
  enqueueDeliveries,
  findSubscription,
  formatEventId,
  listDeliveries,
  parseEventId,
  replayDelivery,
  SubscriptionError,
  type Subscription,
} from '@stratum/shared/subscriptions';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId } from '../http/bounded.js';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import {
  deliveryParams,
  deliverySchema,
  enqueuedDeliverySchema,
  subscriptionParams,
  toDeliveryView,
} from './subscription-schemas.js';

const tags = ['subscriptions'];

export function deliveryRoutes(app: ApiServer, resources: ApiResources): void {
  listRoute(app, resources);
  testRoute(app, resources);
  replayRoute(app, resources);
}

function listRoute(app: ApiServer, { pool }: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/subscriptions/:id/deliveries',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'List the sent and pending events of a subscription with every attempt; kept for 30 days',
      params: subscriptionParams,
      querystring: pageQuery.extend({ state: z.enum(MESSAGE_STATES).optional() }),
      response: { 200: pageOf(deliverySchema) },
    },
    handler: async (request) => {
      const { limit, cursor, state } = request.query;
      const before = decodeCursor(rowId, cursor);
      return withTenant(pool, requireTenant(request), async (client) => {
        const { id } = await ownSubscription(client, request.params.id);
        const { deliveries, next } = await listDeliveries(client, id, {
          limit,
          ...(before === undefined ? {} : { before }),
          ...(state === undefined ? {} : { state }),
        });
        return {
          items: deliveries.map(toDeliveryView),
          next_cursor: next === undefined ? null : encodeCursor(next),
        };
      });
    },
  });
}

function testRoute(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'POST',
    url: '/v1/subscriptions/:id/test',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Send a test event, also to a paused subscription',
      description:
        'Sends an event of type `ping` once. The response is listed among the deliveries and in the task result.',
      params: subscriptionParams,
      response: { 202: enqueuedDeliverySchema },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const { id } = request.params;
      const event = await withTenant(resources.pool, tenantId, async (client) => {
        await ownSubscription(client, id);
        await audit(resources, request, {
          action: 'subscription.tested',
          subject: `subscription/${id}`,
          tenantId,
        });
        return addTestEvent(client, id);
      });
      const [task] = await enqueueDeliveries(resources.client, { tenantId, subscriptionId: id }, [event]);
      return reply.code(202).send({ event_id: formatEventId(event), task_id: task ?? '' });
    },
  });
}

function replayRoute(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'POST',
    url: '/v1/subscriptions/:id/deliveries/:event/replay',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Send an event again now, with the same `webhook-id` and a fresh set of attempts',
      description:
        'Works for pending events, and for events of the last 30 days that the subscription missed.',
      params: deliveryParams,
      response: { 202: enqueuedDeliverySchema },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const { id, event } = request.params;
      const eventId = parseEventId(event) ?? 0;
      await withTenant(resources.pool, tenantId, async (client) => {
        const subscription = await ownSubscription(client, id);
        await audit(resources, request, {
          action: 'subscription.delivery_replayed',
          subject: `subscription/${id}`,
          tenantId,
          details: { event_id: event },
        });
        const known = await replayDelivery(client, subscription, eventId);
        if (!known) throw notFound(`The event "${event}"`);
      }).catch(subscriptionProblem);
      const [task] = await enqueueDeliveries(resources.client, { tenantId, subscriptionId: id }, [eventId]);
      return reply.code(202).send({ event_id: event, task_id: task ?? '' });
    },
  });
}

/** @throws ProblemError `not-found` for another tenant's, too */
async function ownSubscription(client: PoolClient, id: string): Promise<Subscription> {
  const subscription = await findSubscription(client, id);
  if (subscription === undefined) throw notFound(`The subscription "${id}"`);
  return subscription;
}

/** A refused change of a subscription, as a problem. */
export function subscriptionProblem(error: unknown): never {
  if (error instanceof SubscriptionError) throw new ProblemError('conflict', error.message);
  throw error;
}
