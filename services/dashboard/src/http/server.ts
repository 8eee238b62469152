/** The frame around all routes: limits, the guard, errors. */
import fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { ProblemError, sendProblem, SERVER_LIMITS } from '@stratum/shared/http';
import { randomUUID } from 'node:crypto';
import { useGuard, type GuardOptions } from './guard.js';
import type { DashboardServer } from './types.js';

const BODY_LIMIT = 65_536;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_PARAMETER = 200;

export function createServer(guard: GuardOptions, logger: FastifyBaseLogger): DashboardServer {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: SERVER_LIMITS.keepAliveTimeout,
    http: { ...SERVER_LIMITS, requestTimeout: REQUEST_TIMEOUT_MS },
    routerOptions: { maxParamLength: MAX_PARAMETER },
    // Event streams end at once when the server stops.
    forceCloseConnections: true,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request.id, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      new ProblemError('not-found', `There is no ${request.url.split('?')[0]}.`),
      request.id,
      reply,
    ),
  );
  useGuard(app, guard);
  return app;
}
