/** The addresses that senders of webhooks know. */
import { isSourceName } from '@stratum/shared/webhooks';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Counter, type Registry } from 'prom-client';
import { z } from 'zod';
import { toProblem, type ProblemKind } from '../http/problem.js';
import type { WebhookReceiver } from './receiver.js';

const tags = ['webhooks'];
/** Batches of Meta are larger than what the API takes elsewhere, in bytes. */
const MIN_BODY_LIMIT = 4_194_304;

const params = z.object({ source: z.string(), endpoint: z.string() });

const OUTCOMES: Partial<Record<ProblemKind, string>> = {
  'bad-signature': 'bad_signature',
  'bad-request': 'malformed',
  'not-found': 'unknown_endpoint',
  'rate-limited': 'rate_limited',
  'too-large': 'too_large',
  unavailable: 'unavailable',
};

export interface WebhookRouteOptions {
  receiver: WebhookReceiver;
  registry: Registry;
  /** Of the API elsewhere, in bytes. */
  bodyLimit: number;
  /** Where the API is reached from outside. */
  publicUrl: () => string;
}

/** A plugin of its own: bodies of these routes stay the bytes that came. */
export function webhookRoutes({
  receiver,
  registry,
  bodyLimit,
  publicUrl,
}: WebhookRouteOptions): FastifyPluginAsyncZod {
  const requests = new Counter({
    name: 'stratum_webhook_requests_total',
    help: 'Webhook requests by sender and what became of them',
    labelNames: ['source', 'outcome'],
    registers: [registry],
  });
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.route({
      method: 'POST',
      url: '/webhooks/:source/:endpoint',
      bodyLimit: Math.max(MIN_BODY_LIMIT, bodyLimit),
      config: { access: 'public', rawBody: true, rateLimit: false },
      schema: {
        tags,
        summary: 'What a sender calls',
        description:
          'The body as the sender signed it. 2xx: its events are stored, each will have its effect once. Anything else: send it again, after `Retry-After` where it is there.',
        params,
        response: { 200: z.object({ received: z.int().describe('Events that the request carried.') }) },
      },
      handler: async (request) => {
        const { source, endpoint: token } = request.params;
        const label = isSourceName(source) ? source : 'unknown';
        try {
          const received = await receiver.receive(
            { source, token },
            {
              url: `${publicUrl()}${request.raw.url ?? ''}`,
              headers: request.headers,
              body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
            },
          );
          requests.inc({ source: label, outcome: 'accepted' });
          return { received };
        } catch (error) {
          requests.inc({ source: label, outcome: OUTCOMES[toProblem(error).kind] ?? 'failed' });
          throw error;
        }
      },
    });
    app.route({
      method: 'GET',
      url: '/webhooks/:source/:endpoint',
      config: { access: 'public', rateLimit: false },
      schema: {
        tags,
        summary: 'The handshake of Meta and WhatsApp',
        params,
        querystring: z.looseObject({
          'hub.mode': z.string().optional(),
          'hub.verify_token': z.string().optional(),
          'hub.challenge': z.string().max(500).optional(),
        }),
        response: { 200: z.string().describe('`hub.challenge`, as text.') },
      },
      handler: async (request, reply) => {
        const { source, endpoint: token } = request.params;
        const answer = await receiver.handshake({ source, token }, request.query);
        return reply.type('text/plain').serializer(String).send(answer);
      },
    });
  };
}
