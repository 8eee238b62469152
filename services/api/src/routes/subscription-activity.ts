/** Subscriptions stopped for a while, and set going again. */
import { withTenant } from '@stratum/shared';
import {
  enqueueDeliveries,
  findSubscription,
  MAX_REPLAYED,
  resumeWithMissed,
  stopSubscription,
} from '@stratum/shared/subscriptions';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { time } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { existing, auditSubscription, unknownSubscription } from './own-subscription.js';
import { subscriptionParams, subscriptionSchema, toSubscriptionView } from './subscription-schemas.js';

const tags = ['subscriptions'];

export function subscriptionActivityRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool } = resources;
  app.route({
    method: 'POST',
    url: '/v1/subscriptions/:id/pause',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Pause a subscription',
      description: 'Pending events are skipped. They can be replayed on resume.',
      params: subscriptionParams,
      response: { 200: subscriptionSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const paused = await withTenant(pool, requireTenant(request), async (client) => {
        const before = await findSubscription(client, id);
        if (before?.status !== 'active') return before;
        await stopSubscription(client, id, { status: 'paused', reason: 'Paused by its owner.' });
        await auditSubscription(resources, request, 'subscription.paused', id);
        return findSubscription(client, id);
      });
      return toSubscriptionView(existing(paused, id));
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/subscriptions/:id/resume',
    config: { access: 'webhooks:admin' },
    schema: {
      tags,
      summary: 'Resume a subscription, optionally replaying missed events',
      params: subscriptionParams,
      body: z
        .strictObject({
          replay: z.boolean().default(false).describe('Also send missed events.'),
          since: time
            .optional()
            .describe(
              'Replay events missed since this time. Default: since the subscription began to fail or was paused.',
            ),
        })
        .nullish(),
      response: {
        200: subscriptionSchema.extend({
          replayed: z
            .int()
            .describe(
              `Number of events sent now. If it is ${MAX_REPLAYED} there may be more: repeat the request with \`since\`.`,
            ),
        }),
      },
    },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const { replay = false, since } = request.body ?? {};
      const resumed = await withTenant(pool, tenantId, async (client) => {
        existing(await findSubscription(client, id), id);
        await auditSubscription(resources, request, 'subscription.resumed', id, { replay });
        return resumeWithMissed(client, id, { replay, since });
      });
      if (resumed === undefined) throw unknownSubscription(id);
      const { subscription, events } = resumed;
      await enqueueDeliveries(resources.client, { tenantId, subscriptionId: id }, events);
      return { ...toSubscriptionView(subscription), replayed: events.length };
    },
  });
}
