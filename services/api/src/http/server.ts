/** The frame around all routes: types, limits, authentication, errors, OpenAPI, metrics. */
import { createHttpServer, useRateLimit, type FailedAttempts } from '@stratum/shared/http';
import type { FastifyBaseLogger } from 'fastify';
import { useAuthentication } from '../auth/authenticate.js';
import { useHttpMetrics } from './metrics.js';
import { useOpenApi } from './openapi.js';
import { senderOf } from './sender.js';
import type { ApiResources, ApiServer } from './types.js';

export async function createServer(
  { pool, closedTenants, configuration, registry, bodies }: ApiResources,
  logger: FastifyBaseLogger,
  attempts: FailedAttempts,
): Promise<ApiServer> {
  const app = createHttpServer({
    logger,
    bodyLimit: configuration.API_BODY_LIMIT,
    requestTimeout: configuration.API_REQUEST_TIMEOUT,
    maxConnections: configuration.API_MAX_CONNECTIONS,
    addressConnections: configuration.API_ADDRESS_CONNECTIONS,
    proxies: configuration.API_TRUSTED_PROXIES,
    bodies: { budget: bodies, senderOf },
    describeUnknown: (method, path) => `No route for ${method} ${path}. See /docs.`,
  });
  app.decorateRequest('bodySender', undefined);
  app.addHook('onSend', async (request, reply) => {
    reply.header('request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    // Secrets and people are shown by many routes: whatever does not say that it may be kept is not.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  useHttpMetrics(app, registry);
  await useOpenApi(app, configuration);
  useAuthentication(app, { pool, closedTenants }, attempts);
  await useRateLimit(app, configuration.API_RATE_LIMIT, (request) => request.principal?.keyId);
  return app;
}
