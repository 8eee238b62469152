/** How many requests, how long they took. */
import { Histogram, type Registry } from 'prom-client';
import type { ApiServer } from './types.js';

const BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];

export function useHttpMetrics(app: ApiServer, registry: Registry): void {
  const duration = new Histogram({
    name: 'stratum_http_request_seconds',
    help: 'Time from request to end of response',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    // Labels are the routes that there are, never what somebody typed.
    const route = request.routeOptions.url ?? '(none)';
    duration.observe(
      { method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
  });
}
