/** The frame around all routes: types, limits, authentication, errors, OpenAPI, metrics. */
import proxyAddr from '@fastify/proxy-addr';
import rateLimit from '@fastify/rate-limit';
import { limitConnections, sendProblem, SERVER_LIMITS, ProblemError } from '@stratum/shared/http';
import fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import { useAuthentication } from '../auth/authenticate.js';
import type { FailedAttempts } from '../auth/failed-attempts.js';
import { useHttpMetrics } from './metrics.js';
import { useOpenApi } from './openapi.js';
import { senderOf, useBodyRelease, useJsonBodies } from './read-body.js';
import type { ApiResources, ApiServer } from './types.js';

const MAX_PARAMETER = 200;

export async function createServer(
  { pool, closedTenants, configuration, registry, bodies }: ApiResources,
  logger: FastifyBaseLogger,
  attempts: FailedAttempts,
): Promise<ApiServer> {
  const proxies = configuration.API_TRUSTED_PROXIES;
  const app = fastify({
    loggerInstance: logger,
    // A line for each request would drown the log; the error handler logs failures.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: configuration.API_BODY_LIMIT,
    requestTimeout: configuration.API_REQUEST_TIMEOUT,
    keepAliveTimeout: SERVER_LIMITS.keepAliveTimeout,
    http: {
      ...SERVER_LIMITS,
      requestTimeout: configuration.API_REQUEST_TIMEOUT,
      headersTimeout: Math.min(SERVER_LIMITS.headersTimeout, configuration.API_REQUEST_TIMEOUT),
    },
    routerOptions: { maxParamLength: MAX_PARAMETER },
    trustProxy: proxies.length > 0 ? proxies : false,
    // Long requests (waits, event streams) end at once when the server stops.
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request.id, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
  const isProxy = proxyAddr.compile(proxies);
  limitConnections(app.server, {
    total: configuration.API_MAX_CONNECTIONS,
    perAddress: configuration.API_ADDRESS_CONNECTIONS,
    isShared: (address) => isProxy(address, 0),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request.id, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      new ProblemError(
        'not-found',
        `No route for ${request.method} ${request.url.split('?')[0]}. See /docs.`,
      ),
      request.id,
      reply,
    ),
  );
  app.addHook('onSend', async (request, reply) => {
    reply.header('request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    // Secrets and people are shown by many routes: whatever does not say that it may be kept is not.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  useHttpMetrics(app, registry);
  useBodyRelease(app);
  useJsonBodies(app, { budget: bodies, senderOf });
  await useOpenApi(app, configuration);
  useAuthentication(app, { pool, closedTenants }, attempts);
  await app.register(rateLimit, {
    max: configuration.API_RATE_LIMIT,
    timeWindow: 1_000,
    keyGenerator: (request) => request.principal?.keyId ?? request.ip,
    errorResponseBuilder: (_request, { ttl }) =>
      new ProblemError(
        'rate-limited',
        `More than ${configuration.API_RATE_LIMIT} requests per second. Slow down and try again.`,
        { retryAfter: Math.ceil(ttl / 1000) },
      ),
  });
  return app;
}
