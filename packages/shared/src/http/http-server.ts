/** The frame of the HTTP servers that people and programs use: limits of connections, bodies and rates, errors as problems. */
import { randomUUID } from 'node:crypto';
import proxyAddr from '@fastify/proxy-addr';
import rateLimit from '@fastify/rate-limit';
import fastify, { LogController, type FastifyBaseLogger, type FastifyRequest } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { answerUnreadable } from './answer-unreadable.js';
import { clientOf } from './client-address.js';
import { limitConnections } from './connection-limits.js';
import { ProblemError } from './problem.js';
import { useBodyRelease, useJsonBodies, type BodyOptions } from './read-body.js';
import { sendProblem } from './send-problem.js';
import { SERVER_LIMITS } from './server-limits.js';
import type { HttpServer } from './server-type.js';

const MAX_PARAMETER = 200;
const SECOND_MS = 1_000;

export interface HttpServerOptions {
  logger: FastifyBaseLogger;
  /** Bytes of one body. */
  bodyLimit: number;
  /** Time in which a request has to arrive, in milliseconds. */
  requestTimeout: number;
  /** Connections to the server, and from one address that is not a proxy's. */
  maxConnections: number;
  addressConnections: number;
  /** Addresses or networks whose `X-Forwarded-For` is believed. */
  proxies: readonly string[];
  /** Requests may begin with it, as a proxy passes them on; without it they mean the same. */
  basePath?: string;
  /** The memory for bodies, and who sends them. */
  bodies: BodyOptions;
  /** In words, for a path that no route has. */
  describeUnknown: (method: string, path: string) => string;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { requestTimeout, basePath = '' } = options;
  const proxies = [...options.proxies];
  const app = fastify({
    loggerInstance: options.logger,
    // A line for each request would drown the log; the error handler logs failures.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    rewriteUrl: ({ url = '/' }) => withoutBase(url, basePath),
    bodyLimit: options.bodyLimit,
    requestTimeout,
    keepAliveTimeout: SERVER_LIMITS.keepAliveTimeout,
    http: {
      ...SERVER_LIMITS,
      requestTimeout,
      headersTimeout: Math.min(SERVER_LIMITS.headersTimeout, requestTimeout),
    },
    routerOptions: { maxParamLength: MAX_PARAMETER },
    trustProxy: proxies.length > 0 ? proxies : false,
    // Long requests (waits, event streams) end at once when the server stops.
    forceCloseConnections: true,
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request.id, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
  const isProxy = proxyAddr.compile(proxies);
  limitConnections(app.server, {
    total: options.maxConnections,
    perAddress: options.addressConnections,
    isShared: (address) => isProxy(address, 0),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request.id, reply));
  const unknown = ({ method, url }: FastifyRequest): ProblemError =>
    new ProblemError('not-found', options.describeUnknown(method, url.split('?')[0] ?? ''));
  // At once: the handler would be asked only after the body has arrived.
  app.addHook('onRequest', async (request) => {
    if (request.is404) throw unknown(request);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(unknown(request), request.id, reply));
  useBodyRelease(app);
  useJsonBodies(app, options.bodies);
  return app;
}

/** Bounds the requests of each key and address. Before the routes are added, and after the hook by which the key becomes known. */
export async function useRateLimit(
  app: HttpServer,
  perSecond: number,
  keyOf: (request: FastifyRequest) => string | undefined,
): Promise<void> {
  await app.register(rateLimit, {
    max: perSecond,
    timeWindow: SECOND_MS,
    allowList: (request) => request.routeOptions.config.ownRate === true,
    keyGenerator: (request) => keyOf(request) ?? clientOf(request.ip),
    errorResponseBuilder: (_request, { ttl }) =>
      new ProblemError(
        'rate-limited',
        `More than ${perSecond} requests per second. Slow down and try again.`,
        {
          retryAfter: Math.ceil(ttl / SECOND_MS),
        },
      ),
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route bounds its requests by itself. */
    ownRate?: boolean;
  }
}

function withoutBase(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}
