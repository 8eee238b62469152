/** Webhooks as a part of the API: put together, started, stopped. */
import { createClient } from '@stratum/jobs';
import { platformTopology } from '@stratum/shared';
import type { FailedAttempts } from '@stratum/shared/http';
import type { ApiResources, ApiServer } from '../http/types.js';
import { webhookDeliveryRoutes } from '../routes/webhook-deliveries.js';
import { webhookEndpointRoutes } from '../routes/webhooks.js';
import { WebhookReceiver } from './receiver.js';
import { webhookRoutes } from './routes.js';

/** Senders wait as little as five seconds: a delivery not stored by then is refused, and they send it again. */
const PUBLISHING = { ackTimeoutMs: 1_500, deadlineMs: 3_500 };

/** Ends with the server. */
export async function useWebhooks(
  app: ApiServer,
  resources: ApiResources,
  { publicUrl, attempts }: { publicUrl: () => string; attempts: FailedAttempts },
): Promise<void> {
  const { pool, closedTenants, connection, configuration, registry, bodies, tracer } = resources;
  const topology = platformTopology(configuration);
  const client = createClient({
    connection,
    topology,
    publishing: PUBLISHING,
    ...(tracer === undefined ? {} : { tracer }),
  });
  const receiver = new WebhookReceiver({
    pool,
    closedTenants,
    keys: configuration.STRATUM_CREDENTIALS_KEY,
    client,
    perSecond: configuration.WEBHOOK_RATE_LIMIT,
    maxPayloadBytes: topology.maxPayloadBytes,
  });
  await app.register(
    webhookRoutes({
      receiver,
      registry,
      budget: bodies,
      attempts,
      bodyLimit: configuration.API_BODY_LIMIT,
      publicUrl,
    }),
  );
  webhookEndpointRoutes(app, resources, { endpoints: receiver.endpoints, publicUrl });
  webhookDeliveryRoutes(app, resources);
  app.addHook('onClose', async () => {
    await client.close();
  });
}
