/** Webhooks of both directions: what came in and what went out. */
import { scopeOf } from '../http/guard.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { readWebhookOverview, webhookOverview, type WebhookOverview } from '../webhooks/overview.js';
import { inboundWebhookRoutes } from './inbound-webhooks.js';
import { outboundWebhookRoutes } from './outbound-webhooks.js';

export function webhookRoutes(app: DashboardServer, resources: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/webhooks',
    config: { access: 'webhooks:see' },
    schema: {
      tags: ['Webhooks'],
      summary: 'List endpoints and subscriptions',
      response: { 200: webhookOverview },
    },
    handler: (request): Promise<WebhookOverview> => readWebhookOverview(resources.pool, scopeOf(request)),
  });
  inboundWebhookRoutes(app, resources);
  outboundWebhookRoutes(app, resources);
}
