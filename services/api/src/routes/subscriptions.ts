/** Subscriptions of the tenant that asks: which events are sent to which address. */
import { withTenant } from '@stratum/shared';
import {
  createSubscription,
  describeEventTypes,
  findSubscription,
  listSubscriptions,
  removeSubscription,
  rotateSecret,
  subscriptionAddress,
  updateSubscription,
  type Subscription,
} from '@stratum/shared/subscriptions';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { subscriptionProblem } from './deliveries.js';
import { existing, auditSubscription, unknownSubscription } from './own-subscription.js';
import { subscriptionActivityRoutes } from './subscription-activity.js';
import {
  description,
  eventTypes,
  eventTypeSchema,
  newSubscriptionSchema,
  subscriptionParams,
  subscriptionSchema,
  toSubscriptionView,
} from './subscription-schemas.js';

const tags = ['subscriptions'];

export function subscriptionRoutes(app: ApiServer, resources: ApiResources): void {
  listEventTypes(app);
  readRoutes(app, resources);
  writeRoutes(app, resources);
  subscriptionActivityRoutes(app, resources);
}

function listEventTypes(app: ApiServer): void {
  const items = describeEventTypes();
  app.route({
    method: 'GET',
    url: '/v1/event-types',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'List event types with the JSON Schemas of their bodies',
      response: { 200: z.object({ items: z.array(eventTypeSchema) }) },
    },
    handler: async () => ({ items }),
  });
}

function readRoutes(app: ApiServer, { pool }: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/subscriptions',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'List subscriptions',
      response: { 200: z.object({ items: z.array(subscriptionSchema) }) },
    },
    handler: async (request) => ({
      items: (await withTenant(pool, requireTenant(request), listSubscriptions)).map(toSubscriptionView),
    }),
  });
  app.route({
    method: 'GET',
    url: '/v1/subscriptions/:id',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'A subscription',
      params: subscriptionParams,
      response: { 200: subscriptionSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const found = await withTenant(pool, requireTenant(request), (client) => findSubscription(client, id));
      return toSubscriptionView(existing(found, id));
    },
  });
}

function writeRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, configuration } = resources;
  const keys = configuration.STRATUM_CREDENTIALS_KEY;
  const url = subscriptionAddress(configuration.SCANNER_ALLOWED_HOSTS).describe(
    'Address that receives the events: public, over HTTPS.',
  );
  app.route({
    method: 'POST',
    url: '/v1/subscriptions',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Create a subscription',
      body: z.strictObject({ url, event_types: eventTypes, description: description.default('') }),
      response: { 201: newSubscriptionSchema },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const { event_types: types, ...wishes } = request.body;
      const made = await withTenant(pool, tenantId, async (client) => {
        const created = await createSubscription(client, keys, { tenantId, ...wishes, eventTypes: types });
        await recordAction(
          request,
          'subscription.created',
          created.subscription.id,
          facts(created.subscription),
        );
        return created;
      }).catch(subscriptionProblem);
      return reply.code(201).send({ ...toSubscriptionView(made.subscription), secret: made.secret });
    },
  });
  app.route({
    method: 'PATCH',
    url: '/v1/subscriptions/:id',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Change a subscription',
      description: 'Omitted fields stay as they are. A new address starts with no failures.',
      params: subscriptionParams,
      body: z
        .strictObject({ url, event_types: eventTypes, description })
        .partial()
        .refine(
          (body) => Object.keys(body).length > 0,
          'give at least one field to change: url, event_types or description',
        ),
      response: { 200: subscriptionSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { url: address, event_types: types, description: text } = request.body;
      const changed = await withTenant(pool, requireTenant(request), async (client) => {
        const before = await findSubscription(client, id);
        const updated = await updateSubscription(client, id, {
          ...(address === undefined ? {} : { url: address }),
          ...(types === undefined ? {} : { eventTypes: types }),
          ...(text === undefined ? {} : { description: text }),
        });
        if (before !== undefined && updated !== undefined)
          await recordAction(
            request,
            'subscription.updated',
            id,
            differenceOf(facts(before), facts(updated)),
          );
        return updated;
      });
      return toSubscriptionView(existing(changed, id));
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/subscriptions/:id',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Delete a subscription and its delivery history',
      params: subscriptionParams,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const removed = await withTenant(pool, requireTenant(request), async (client) => {
        const done = await removeSubscription(client, id);
        if (done) await recordAction(request, 'subscription.removed', id);
        return done;
      });
      if (!removed) throw unknownSubscription(id);
      return reply.code(204).send();
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/subscriptions/:id/rotate',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Rotate the secret of a subscription; the previous one also signs for another day',
      params: subscriptionParams,
      response: { 200: newSubscriptionSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const made = await withTenant(pool, tenantId, async (client) => {
        const rotated = await rotateSecret(client, keys, { tenantId, id });
        if (rotated !== undefined) await recordAction(request, 'subscription.secret_rotated', id);
        return rotated;
      });
      if (made === undefined) throw unknownSubscription(id);
      return { ...toSubscriptionView(made.subscription), secret: made.secret };
    },
  });

  function recordAction(
    request: FastifyRequest,
    action: AuditAction,
    id: string,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return auditSubscription(resources, request, action, id, details);
  }
}

/** Of the address only its host: the rest may hold a secret. */
function facts({ url, eventTypes: types }: Subscription): Record<string, unknown> {
  return { host: new URL(url).host, event_types: types };
}
