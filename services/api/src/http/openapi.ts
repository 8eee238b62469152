/** The API's description: OpenAPI 3.1 at `/openapi.json`, a page to browse it at `/docs`. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Configuration } from '@stratum/shared';
import { describeEventTypes } from '@stratum/shared/subscriptions';
import { z } from 'zod';
import { asRecord } from './as-record.js';
import { problemSchema } from './problem.js';
import type { ApiServer } from './types.js';

const TAGS = [
  ['tasks', 'Put tasks in, look at them, take them back'],
  ['workflows', 'Tasks that follow each other'],
  ['queues', 'Depths, pause, purge'],
  ['workers', 'Who works'],
  ['schedules', 'What runs when'],
  ['dead letters', 'What failed for good'],
  ['keys', 'Who may use this API'],
  ['webhooks', 'Events that platforms send in'],
  ['subscriptions', 'Events that are sent out'],
  ['customer events', "Events of customers' sites and applications, in Segment's format"],
  ['sources', 'Where customer events come from'],
  ['profiles', 'Who customers are, and what they did'],
  ['service', 'Health, metrics, this description'],
] as const;

const PROBLEM_RESPONSE = {
  description: 'An error, as RFC 9457 problem details.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

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
          'Background work for marketing teams. Authenticate with an API key: `Authorization: Bearer sk_…`. Lists come in pages; errors are RFC 9457 problem details.',
      },
      servers: [{ url: publicUrl ?? '/' }],
      tags: TAGS.map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key.' },
          writeKey: {
            type: 'http',
            scheme: 'basic',
            description: "The write key of a source as the user's name, no password.",
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
      ...withoutUnused(jsonSchemaTransformObject(document)),
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

/** What subscriptions are sent. */
function outgoingWebhooks(): Record<string, object> {
  return Object.fromEntries(
    describeEventTypes().map(({ type, description, schema }) => [
      type,
      {
        post: {
          tags: ['subscriptions'],
          summary: type,
          description: `${description} Signed by Standard Webhooks; any 2xx takes it.`,
          requestBody: { required: true, content: { 'application/json': { schema } } },
          responses: {
            '2XX': { description: 'Taken.' },
            '410': { description: 'Never send anything again.' },
          },
        },
      },
    ]),
  );
}

/** Every schema is made twice, as it is sent and as it is received; most are used one way only. */
function withoutUnused<Document extends object>(document: Document): Document {
  const { components, paths }: { components?: unknown; paths?: unknown } = document;
  const parts = asRecord(components);
  const schemas = asRecord(parts['schemas']);
  const used = new Set<string>();
  const follow = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      follow(schemas[name] ?? {});
    }
  };
  follow(paths ?? {});
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...document, components: { ...parts, schemas: kept } };
}
