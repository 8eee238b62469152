/** The frame around all routes: limits, the guard, errors. */
import { addressOf, BodyBudget, createHttpServer, useRateLimit } from '@stratum/shared/http';
import type { FastifyBaseLogger } from 'fastify';
import { useOpenApi } from './openapi.js';
import { useGuard, type GuardOptions } from './guard.js';
import type { DashboardResources, DashboardServer } from './types.js';

const BODY_LIMIT = 65_536;
/** Bytes of all bodies at once: those of the dashboard are short. */
const BODY_MEMORY = 16 * 1_048_576;
const REQUEST_TIMEOUT_MS = 10_000;

export async function createServer(
  guard: GuardOptions,
  configuration: DashboardResources['configuration'],
  logger: FastifyBaseLogger,
): Promise<DashboardServer> {
  const app = createHttpServer({
    logger,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxConnections: configuration.API_MAX_CONNECTIONS,
    addressConnections: configuration.API_ADDRESS_CONNECTIONS,
    proxies: configuration.API_TRUSTED_PROXIES,
    basePath: configuration.DASHBOARD_BASE_PATH,
    bodies: {
      budget: new BodyBudget(BODY_MEMORY),
      senderOf: (request) => request.viewer?.sessionId ?? addressOf(request),
    },
    describeUnknown: (_method, path) => `There is no ${path}.`,
  });
  // The schemas of answers describe and type them; they do not check or cut what is sent.
  app.setSerializerCompiler(() => JSON.stringify);
  useGuard(app, guard);
  await useOpenApi(app, configuration);
  await useRateLimit(app, configuration.API_RATE_LIMIT, (request) => request.viewer?.sessionId);
  return app;
}
