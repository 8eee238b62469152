/** Routes about the service itself, for machines. */
import { isJetStreamUp } from '@stratum/jobs';
import { answersInTime, metricsReader } from '@stratum/shared/service';
import { z } from 'zod';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['service'];
const text = { content: { 'text/plain': { schema: z.string() } } };

export function serviceRoutes(app: ApiServer, { pool, connection, registry }: ApiResources): void {
  const readMetrics = metricsReader(registry);
  app.route({
    method: 'GET',
    url: '/healthz',
    config: { access: 'public' },
    schema: { tags, summary: 'Liveness: the process is running', response: { 200: text } },
    // That this is answered at all says that the event loop runs.
    handler: async (_request, reply) => reply.type('text/plain').serializer(String).send('ok\n'),
  });
  app.route({
    method: 'GET',
    url: '/readyz',
    config: { access: 'public' },
    schema: {
      tags,
      summary: 'Readiness: the service can handle requests',
      response: { 200: text, 503: text },
    },
    handler: async (_request, reply) => {
      const answers = await Promise.all([
        answersInTime(connection.flush()),
        isJetStreamUp(connection),
        answersInTime(pool.query('SELECT 1')),
      ]);
      const silent = ['NATS', 'JetStream', 'PostgreSQL'].filter((_name, index) => answers[index] !== true);
      return reply
        .code(silent.length === 0 ? 200 : 503)
        .type('text/plain')
        .serializer(String)
        .send(silent.length === 0 ? 'ready\n' : `no response from ${silent.join(' and ')}\n`);
    },
  });
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { access: 'public' },
    schema: { tags, summary: 'Metrics, for Prometheus', response: { 200: text } },
    handler: async (_request, reply) =>
      reply
        .type(registry.contentType)
        .serializer(String)
        .send(await readMetrics()),
  });
  app.route({
    method: 'GET',
    url: '/openapi.json',
    config: { access: 'public' },
    schema: { hide: true },
    handler: (_request, reply) =>
      reply.type('application/json').serializer(JSON.stringify).send(app.swagger()),
  });
  app.route({
    method: 'GET',
    url: '/',
    config: { access: 'public' },
    schema: { hide: true },
    handler: (_request, reply) => reply.redirect('/docs'),
  });
}
