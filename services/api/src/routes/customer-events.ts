/**
 * Customer events in Segment's format. Their clients take 400, 401, 403, 404 and 413 for final and throw the batch away, so none of these
 * is ever the answer to a fault of ours: that is 503, or 429, with `Retry-After`.
 */
import { withArticle } from '@stratum/jobs/bounds';
import { EVENT_TYPES, type EventType, type KnownSource } from '@stratum/shared/customer-events';
import {
  addressOf,
  BodyBudget,
  notFound,
  ProblemError,
  useRawBodies,
  type FailedAttempts,
} from '@stratum/shared/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AcceptedEvents } from '../customer-events/accepted-events.js';
import { EventRate } from '../customer-events/event-rate.js';
import { eventProblemSchema, eventsIn, parseEvents, readEvents } from '../customer-events/read-events.js';
import { segmentSettings } from '../customer-events/segment-settings.js';
import { SourceCache } from '../customer-events/source-cache.js';
import { bodyKey, headerKey } from '../customer-events/write-key-of.js';
import { senderOf } from '../http/sender.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['customer events'];
const MAX_BODY_BYTES = 500 * 1024;
/** Problems that the text of an answer spells out. */
const MAX_DESCRIBED = 10;
const PREFLIGHT_SECONDS = 86_400;
/** How long a browser may keep the settings. */
const SETTINGS_SECONDS = 300;

const bodySchema = z
  .looseObject({})
  .describe(
    'An event, or `{"batch": […]}`, with any content type. At most 32 KiB per event and 500 KiB per request.',
  );
const acceptedSchema = z.object({
  success: z.literal(true),
  errors: z
    .array(eventProblemSchema)
    .optional()
    .describe('Events that were not stored. All others were stored.'),
  repaired: z
    .array(eventProblemSchema)
    .optional()
    .describe('What was changed or guessed about events that were stored.'),
});

/** Segment's paths, and the short ones of analytics.js. */
const PATHS: readonly { path: string; kind: EventType | 'batch'; isShort: boolean }[] = [
  ...EVENT_TYPES.flatMap((type) => [
    { path: `/v1/${type}`, kind: type, isShort: false },
    { path: `/v1/${type.charAt(0)}`, kind: type, isShort: true },
  ]),
  { path: '/v1/batch', kind: 'batch', isShort: false },
  { path: '/v1/b', kind: 'batch', isShort: true },
  { path: '/v1/import', kind: 'batch', isShort: true },
];

export function customerEventRoutes(
  app: ApiServer,
  { pool, closedTenants, configuration }: ApiResources,
  {
    accepted,
    attempts,
    publicUrl,
  }: { accepted: AcceptedEvents; attempts: FailedAttempts; publicUrl: () => string },
): void {
  const sources = new SourceCache(pool, closedTenants);
  const rate = new EventRate(configuration.INGEST_RATE_LIMIT);

  // A scope of its own: a body of any content type is read.
  app.register(async (scope: ApiServer) => {
    const budget = new BodyBudget(configuration.INGEST_MEMORY_LIMIT);
    useRawBodies(scope, { budget, senderOf });
    scope.addHook('onRequest', async (request, reply) => allowOrigin(request, reply));
    for (const { path, kind, isShort } of PATHS) {
      scope.route({
        method: 'POST',
        url: path,
        bodyLimit: MAX_BODY_BYTES,
        onRequest: async (request) => {
          await knowSender(request);
          // One that says nothing of its body would count as one that has none.
          request.headers['content-type'] ??= 'application/json';
        },
        config: { access: 'public', ownRate: true },
        schema: {
          tags,
          summary: kind === 'batch' ? 'Send a batch of events' : `Send ${withArticle(`${kind} event`)}`,
          hide: isShort,
          security: [{ writeKey: [] }],
          body: bodySchema,
          response: { 200: acceptedSchema },
        },
        // It is read and checked event by event.
        validatorCompiler: () => (value: unknown) => ({ value }),
        serializerCompiler: () => JSON.stringify,
        handler: (request, reply) => receive(request, reply, kind),
      });
      scope.route({
        method: 'OPTIONS',
        url: path,
        config: { access: 'public', ownRate: true },
        schema: { hide: true },
        handler: preflight,
      });
    }
    scope.route({
      method: 'GET',
      url: '/v1/projects/:writeKey/settings',
      config: { access: 'public', ownRate: true },
      schema: {
        tags,
        summary: 'Get settings for analytics.js',
        params: z.object({ writeKey: z.string() }),
        response: { 200: z.looseObject({}) },
      },
      handler: async (request, reply) => {
        const { writeKey } = request.params;
        const source = await sourceOf(request, writeKey);
        if (source === undefined) throw notFound('The write key');
        return reply
          .header('cache-control', `public, max-age=${SETTINGS_SECONDS}`)
          .send(segmentSettings(writeKey, publicUrl()));
      },
    });
  });

  async function receive(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: EventType | 'batch',
  ): Promise<z.output<typeof acceptedSchema>> {
    const receivedAt = Date.now();
    const body = parseEvents(request.body);
    const source = await sourceOf(request, headerKey(request), bodyKey(body));
    if (source === undefined) {
      throw new ProblemError(
        'unauthenticated',
        'The request has no valid write key. Send it as the user name of Basic authentication, or as writeKey in the body. Check it with `stratum sources list`.',
      );
    }
    requireOrigin(request, source);
    const found = eventsIn(body, kind);
    const waitSeconds = rate.take(source.sourceId, found.length);
    if (waitSeconds !== undefined) {
      reply.header('x-ratelimit-reset', Math.ceil(receivedAt / 1_000) + waitSeconds);
      throw new ProblemError(
        'rate-limited',
        `More than ${configuration.INGEST_RATE_LIMIT} events per second from this source. Send them again after the Retry-After time.`,
        { retryAfter: waitSeconds },
      );
    }
    const {
      accepted: events,
      problems,
      repaired,
      rejected,
    } = await readEvents(found, body, kind, receivedAt);
    const received = new Date(receivedAt).toISOString();
    if (events.length === 0) {
      // Counted, if the broker takes it now; the sender's fault is the answer in any case.
      void accepted.publish(source, received, [], rejected).catch(() => undefined);
      throw new ProblemError('bad-request', problems.slice(0, MAX_DESCRIBED).map(describe).join('; '), {
        errors: problems.map(({ index, field, message }) => ({ index, field, message })),
      });
    }
    await accepted.publish(source, received, events, rejected);
    return {
      success: true,
      ...(problems.length === 0 ? {} : { errors: problems }),
      ...(repaired.length === 0 ? {} : { repaired }),
    };
  }

  /** Before the body is read. A key in the body is known later: until then its sender is its address. */
  async function knowSender(request: FastifyRequest): Promise<void> {
    const key = headerKey(request);
    if (key === undefined) return;
    attempts.admit(request, key);
    const source = await sources.find(key);
    if (source !== undefined) request.bodySender = `source/${source.sourceId}/${addressOf(request)}`;
  }

  /** The first of the keys that is known. @throws ProblemError `rate-limited` when too many of the address were not */
  async function sourceOf(
    request: FastifyRequest,
    ...keys: (string | undefined)[]
  ): Promise<KnownSource | undefined> {
    const given = keys.filter((key) => key !== undefined);
    if (given.length === 0) attempts.admit(request, undefined);
    for (const key of given) {
      attempts.admit(request, key);
      const source = await sources.find(key);
      if (source === undefined) continue;
      attempts.succeeded(key);
      return source;
    }
    attempts.failed(request, given[0]);
    return undefined;
  }
}

function describe({ index, field, message }: z.output<typeof eventProblemSchema>): string {
  return `event ${index}, ${field}: ${message}`;
}

/** A page of any origin may ask; whether it may send is a matter of its write key. */
function allowOrigin(request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  reply.header('access-control-allow-origin', origin).header('vary', 'Origin');
  reply.header('access-control-expose-headers', 'retry-after, x-ratelimit-reset');
}

function requireOrigin(request: FastifyRequest, { allowedOrigins }: KnownSource): void {
  const { origin } = request.headers;
  if (allowedOrigins.length === 0 || origin === undefined || allowedOrigins.includes(origin)) return;
  throw new ProblemError(
    'forbidden',
    `The origin ${origin} is not allowed for this write key. Add it with \`stratum sources\` or PATCH /v1/sources.`,
  );
}

async function preflight(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const wanted = request.headers['access-control-request-headers'];
  return reply
    .header('access-control-allow-methods', 'POST')
    .header('access-control-allow-headers', wanted ?? 'content-type, authorization')
    .header('access-control-max-age', PREFLIGHT_SECONDS)
    .code(204)
    .send();
}
