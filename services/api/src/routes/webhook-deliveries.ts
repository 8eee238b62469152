/** Deliveries of webhooks: looked at, and replayed. */
import { replayWebhookDelivery, withTenant } from '@stratum/shared';
import {
  findWebhookDelivery,
  findWebhookEndpoint,
  listWebhookDeliveries,
  webhookDeliveryIds,
} from '@stratum/shared/webhooks';
import { notFound } from '@stratum/shared/http';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId, time } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import {
  deliveryDetailSchema,
  deliveryParams,
  deliverySchema,
  deliveryStateSchema,
  deliveryView,
  endpointParams,
} from './webhook-schemas.js';

const tags = ['webhooks'];
const cursorSchema = z.object({ before: rowId });
const MAX_REPLAYS = 10_000;

const filterShape = {
  state: deliveryStateSchema.optional(),
  type: z.string().max(100).optional(),
  since: time.optional().describe('Received at or after this time.'),
  until: time.optional().describe('Received before this time.'),
};

export function webhookDeliveryRoutes(app: ApiServer, resources: ApiResources): void {
  readRoutes(app, resources);
  replayRoutes(app, resources);
}

function readRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, configuration } = resources;
  app.route({
    method: 'GET',
    url: '/v1/webhooks/:id/deliveries',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'List received events, newest first',
      params: endpointParams,
      querystring: pageQuery.extend(filterShape),
      response: { 200: pageOf(deliverySchema) },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { limit, cursor, ...filter } = request.query;
      const before = decodeCursor(cursorSchema, cursor)?.before;
      const deliveries = await withTenant(pool, requireTenant(request), async (client) => {
        if ((await findWebhookEndpoint(client, id)) === undefined)
          throw notFound(`The webhook endpoint "${id}"`);
        return listWebhookDeliveries(client, id, { ...filter, before, limit: limit + 1 });
      });
      return cutPage(deliveries, limit, deliveryView, (last) => ({ before: last.id }));
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/webhooks/deliveries/:id',
    config: { access: 'webhooks:read' },
    schema: {
      tags,
      summary: 'Get a received event with its body',
      params: deliveryParams,
      response: { 200: deliveryDetailSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const delivery = await withTenant(pool, tenantId, (client) =>
        findWebhookDelivery(client, configuration.STRATUM_CREDENTIALS_KEY, tenantId, id),
      );
      if (delivery === undefined) throw notFound(`The delivery ${id}`);
      // The body of an event may say things about people.
      await audit(resources, request, {
        action: 'webhook_delivery.read',
        subject: `webhook-delivery/${id}`,
        tenantId,
      });
      const { headers, body } = delivery;
      return { ...deliveryView(delivery), headers, body };
    },
  });
}

function replayRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, client: tasks } = resources;
  app.route({
    method: 'POST',
    url: '/v1/webhooks/deliveries/:id/replay',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Replay a received event',
      description:
        'Enqueues a task. Effects that are applied once per event (customer events, message states) are not repeated. Other tasks run again.',
      params: deliveryParams,
      response: { 202: z.object({ task_id: z.string() }) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const { configuration } = resources;
      const found = await withTenant(pool, tenantId, (client) =>
        findWebhookDelivery(client, configuration.STRATUM_CREDENTIALS_KEY, tenantId, id),
      );
      if (found === undefined) throw notFound(`The delivery ${id}`);
      const enqueued = await resources.taskQuota.within({ tenantId }, async () => {
        await audit(resources, request, {
          action: 'webhook.replayed',
          subject: `webhook-delivery/${id}`,
          tenantId,
        });
        return tasks.enqueue(replayWebhookDelivery, { tenant_id: tenantId, delivery_id: id });
      });
      return reply.code(202).send({ task_id: enqueued.id });
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/webhooks/:id/deliveries/replay',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Replay all matching events, oldest first',
      description: `At most ${MAX_REPLAYS} per request. Pass \`after\` from the response to continue with the rest.`,
      params: endpointParams,
      body: z.strictObject({
        ...filterShape,
        after: rowId.optional().describe('Only deliveries after this one.'),
      }),
      response: {
        202: z.object({
          replayed: z.int(),
          after: z.int().nullable().describe('The last delivery if there may be more, otherwise `null`.'),
        }),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const ids = await withTenant(pool, tenantId, async (client) => {
        if ((await findWebhookEndpoint(client, id)) === undefined)
          throw notFound(`The webhook endpoint "${id}"`);
        return webhookDeliveryIds(client, id, { ...request.body, limit: MAX_REPLAYS });
      });
      await resources.taskQuota.within({ tenantId, tasks: ids.length }, async () => {
        await audit(resources, request, {
          action: 'webhook.replayed',
          subject: `webhook/${id}`,
          tenantId,
          details: { deliveries: ids.length },
        });
        await tasks.enqueueMany(
          replayWebhookDelivery,
          ids.map((deliveryId) => ({ payload: { tenant_id: tenantId, delivery_id: deliveryId } })),
        );
      });
      return reply.code(202).send({
        replayed: ids.length,
        after: ids.length === MAX_REPLAYS ? (ids.at(-1) ?? null) : null,
      });
    },
  });
}
