/** The addresses that senders of webhooks know. */
import { isSourceName } from '@stratum/shared/webhooks';
import {
  addressOf,
  toProblem,
  useRawBodies,
  type BodyBudget,
  type FailedAttempts,
  type ProblemKind,
} from '@stratum/shared/http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { Counter, type Registry } from 'prom-client';
import { z } from 'zod';
import { senderOf } from '../http/sender.js';
import type { WebhookReceiver } from './receiver.js';

const tags = ['webhooks'];
/** The size limit of a delivery in bytes: Meta's batches exceed the API's usual limit. */
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

/** Of the metrics: a name that there is, never what somebody typed. */
function labelOf(source: string): string {
  return isSourceName(source) ? source : 'unknown';
}

export interface WebhookRouteOptions {
  receiver: WebhookReceiver;
  registry: Registry;
  budget: BodyBudget;
  attempts: FailedAttempts;
  /** Of the API elsewhere, in bytes. */
  bodyLimit: number;
  /** Where the API is reached from outside. */
  publicUrl: () => string;
}

/** A plugin of its own: bodies of these routes stay the bytes that came. */
export function webhookRoutes({
  receiver,
  registry,
  budget,
  attempts,
  bodyLimit,
  publicUrl,
}: WebhookRouteOptions): FastifyPluginAsyncZod {
  const requests = new Counter({
    name: 'stratum_webhook_requests_total',
    help: 'Webhook requests by sender and outcome',
    labelNames: ['source', 'outcome'],
    registers: [registry],
  });
  return async (app) => {
    useRawBodies(app, { budget, senderOf });
    app.route({
      method: 'POST',
      url: '/webhooks/:source/:endpoint',
      bodyLimit: Math.max(MIN_BODY_LIMIT, bodyLimit),
      config: { access: 'public', rawBody: true, ownRate: true },
      // Before the body is read: an address that does not exist gets nothing.
      onRequest: async (request) => {
        const { source, endpoint: token } = request.params;
        attempts.admit(request, token);
        try {
          await receiver.find({ source, token });
        } catch (error) {
          const { kind } = toProblem(error);
          if (kind === 'not-found') attempts.failed(request, token);
          requests.inc({ source: labelOf(source), outcome: OUTCOMES[kind] ?? 'failed' });
          throw error;
        }
        attempts.succeeded(token);
        request.bodySender = `endpoint/${token}/${addressOf(request)}`;
      },
      schema: {
        tags,
        summary: 'Receive a webhook',
        description:
          'Takes the body exactly as the sender signed it. A 2xx response means that the events are stored and each takes effect once. After any other response, send the request again, after `Retry-After` if present.',
        params,
        response: { 200: z.object({ received: z.int().describe('Number of events in the request.') }) },
      },
      handler: async (request) => {
        const { source, endpoint: token } = request.params;
        try {
          const received = await receiver.receive(
            { source, token },
            {
              url: `${publicUrl()}${request.raw.url ?? ''}`,
              headers: request.headers,
              body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
            },
          );
          requests.inc({ source: labelOf(source), outcome: 'accepted' });
          return { received };
        } catch (error) {
          requests.inc({ source: labelOf(source), outcome: OUTCOMES[toProblem(error).kind] ?? 'failed' });
          throw error;
        }
      },
    });
    app.route({
      method: 'GET',
      url: '/webhooks/:source/:endpoint',
      config: { access: 'public', ownRate: true },
      schema: {
        tags,
        summary: 'Verify an endpoint (Meta and WhatsApp)',
        params,
        querystring: z.looseObject({
          'hub.mode': z.string().optional(),
          'hub.verify_token': z.string().optional(),
          'hub.challenge': z.string().max(500).optional(),
        }),
        response: {
          200: {
            content: { 'text/plain': { schema: z.string().describe('The value of `hub.challenge`.') } },
          },
        },
      },
      handler: async (request, reply) => {
        const { source, endpoint: token } = request.params;
        const answer = await receiver.handshake({ source, token }, request.query);
        return reply.type('text/plain').serializer(String).send(answer);
      },
    });
  };
}
