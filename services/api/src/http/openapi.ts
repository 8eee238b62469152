/** The API's description: OpenAPI 3.1 at `/openapi.json`, a page to browse it at `/docs`. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Configuration } from '@stratum/shared';
import { describeEventTypes } from '@stratum/shared/subscriptions';
import { asRecord, PROBLEM_RESPONSE, problemSchema, tidyDocument } from '@stratum/shared/http';
import { z } from 'zod';
import type { ApiServer } from './types.js';

const TAGS = [
  ['tasks', 'Enqueue, inspect and revoke tasks'],
  ['workflows', 'Chains, groups and chords of tasks'],
  ['queues', 'Inspect, pause and purge queues'],
  ['workers', 'Running workers'],
  ['schedules', 'Recurring tasks'],
  ['dead letters', 'Tasks that failed permanently'],
  ['keys', 'API keys'],
  ['usage', 'Limits of a tenant and what it uses of them'],
  ['audit', 'Who changed or read what'],
  ['webhooks', 'Inbound webhooks from other platforms'],
  ['subscriptions', 'Outbound webhooks'],
  ['customer events', "Events from sites and apps in Segment's format"],
  ['sources', 'Event sources and their write keys'],
  ['profiles', 'Customer profiles, identities and events'],
  ['accounts', 'Ad accounts of a tenant'],
  ['tenants', 'Tenants, for those who run the platform'],
  ['reports', 'What jobs computed: forecasts, scores, alerts, costs and health'],
  ['rules', 'Automation rules of campaigns'],
  ['segments', 'Segments of customer profiles'],
  ['funnels', 'Funnels over customer events'],
  ['shared-costs', 'Costs that no campaign caused alone'],
  ['competitors', 'Competitors whose sites and ads are read'],
  ['cms', 'WordPress sites and posts'],
  ['whatsapp', 'WhatsApp numbers, contacts, templates and messages'],
  ['service', 'Health, metrics and this description'],
] as const;

export async function useOpenApi(
  app: ApiServer,
  configuration: Pick<Configuration, 'API_PUBLIC_URL'>,
): Promise<void> {
  const { API_PUBLIC_URL: publicUrl } = configuration;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Stratum',
        version: '1.0.0',
        description:
          'Background work for marketing teams. Authenticate with an API key: `Authorization: Bearer sk_…`. Lists are paginated. Errors are RFC 9457 problem details.',
      },
      servers: [{ url: publicUrl ?? '/' }],
      tags: TAGS.map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key.' },
          writeKey: {
            type: 'http',
            scheme: 'basic',
            description: "A source's write key as the user name, with no password.",
          },
        },
      },
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document);
      const { access } = document.route.config ?? {};
      const needsKey = access !== undefined && access !== 'public';
      return {
        url,
        schema: {
          ...schema,
          response: { ...asRecord(schema.response), default: PROBLEM_RESPONSE },
          ...(needsKey ? { security: [{ key: [] }], 'x-scope': access } : {}),
        },
      };
    },
    transformObject: (document) => ({
      ...tidyDocument(jsonSchemaTransformObject(document)),
      webhooks: outgoingWebhooks(),
    }),
  });
  z.globalRegistry.add(problemSchema, { id: 'Problem' });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'list', deepLinking: true },
    staticCSP: true,
    // Where the API is reached by plain HTTP, inside a network, the page's own scripts would be asked for by HTTPS.
    transformStaticCSP: (policy) => policy.replace(/ *upgrade-insecure-requests;/, ''),
    // The bar holds another project's name and a field for other descriptions.
    theme: {
      title: 'Stratum API',
      css: [{ filename: 'theme.css', content: '.swagger-ui .topbar { display: none; }' }],
    },
  });
}

/** Events that subscriptions receive. */
function outgoingWebhooks(): Record<string, object> {
  return Object.fromEntries(
    describeEventTypes().map(({ type, description, schema }) => [
      type,
      {
        post: {
          tags: ['subscriptions'],
          summary: type,
          description: `${description} Signed as Standard Webhooks specifies. Any 2xx response accepts it.`,
          requestBody: { required: true, content: { 'application/json': { schema } } },
          responses: {
            '2XX': { description: 'Accepted.' },
            '410': { description: 'Disables the subscription: nothing is sent again.' },
          },
        },
      },
    ]),
  );
}
