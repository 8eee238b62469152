/** The frame around all routes: types, limits, authentication, errors, OpenAPI, metrics. */
import rateLimit from '@fastify/rate-limit';
import fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import { useAuthentication } from '../auth/authenticate.js';
import type { FailedAttempts } from '../auth/failed-attempts.js';
import { useContentEncodings } from './content-encoding.js';
import { useHttpMetrics } from './metrics.js';
import { useOpenApi } from './openapi.js';
import { sendProblem } from '@stratum/shared/http';
import { ProblemError } from './problem.js';
import type { ApiResources, ApiServer } from './types.js';

const MAX_HEADERS_TIMEOUT_MS = 10_000;
/** How often the server looks for requests that are too slow, in milliseconds. */
const LOOK_FOR_SLOW_MS = 1_000;
const IDLE_TIMEOUT_MS = 65_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_PARAMETER = 200;

export async function createServer(
  { pool, closedTenants, configuration, registry }: ApiResources,
  logger: FastifyBaseLogger,
  attempts: FailedAttempts,
): Promise<ApiServer> {
  const app = fastify({
    loggerInstance: logger,
    // A line for each request would drown the log; the error handler logs failures.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: configuration.API_BODY_LIMIT,
    requestTimeout: configuration.API_REQUEST_TIMEOUT,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(MAX_HEADERS_TIMEOUT_MS, configuration.API_REQUEST_TIMEOUT),
      connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
    },
    routerOptions: { maxParamLength: MAX_PARAMETER },
    trustProxy: configuration.API_TRUSTED_PROXIES.length > 0 ? configuration.API_TRUSTED_PROXIES : false,
    // Long requests (waits, event streams) end at once when the server stops.
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request.id, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
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
  });
  useHttpMetrics(app, registry);
  useContentEncodings(app, configuration.API_BODY_LIMIT);
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
