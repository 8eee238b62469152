/** What jobs computed, read in pages or as CSV: one route for each set. */
import { Readable } from 'node:stream';
import { withTenant } from '@stratum/shared';
import {
  filtersOf,
  positionOf,
  positionSchema,
  readReport,
  reportAsCsv,
  REPORTS,
  viewOf,
  type Report,
  type Row,
} from '@stratum/shared/reports';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import type { LongRequests } from '../http/long-requests.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';

export function reportRoutes(
  app: ApiServer,
  resources: ApiResources,
  parts: { longRequests: LongRequests },
): void {
  for (const report of REPORTS) routeOf(app, resources, parts, report);
}

function routeOf(
  app: ApiServer,
  { pool }: ApiResources,
  { longRequests }: { longRequests: LongRequests },
  report: Report,
): void {
  const { path, name, summary, scope, description = '' } = report;
  const view = viewOf(report);
  const position = positionSchema(report);
  const querystring = pageQuery.extend(filtersOf(report));
  const page: z.ZodType = pageOf(view);
  app.route({
    method: 'GET',
    url: `/v1/${path}`,
    config: { access: scope },
    schema: {
      tags: ['reports'],
      summary,
      description:
        `${description} With \`Accept: text/csv\` the answer is a file with all rows that match, from \`cursor\` on.`.trim(),
      querystring,
      response: {
        200: { content: { 'application/json': { schema: page }, 'text/csv': { schema: z.string() } } },
      },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const { query: filters } = request;
      const { limit, cursor } = pageQuery.parse(filters);
      const after = decodeCursor(position, cursor);
      reply.header('vary', 'accept');
      if (wantsCsv(request.headers.accept)) {
        longRequests.begin(request, reply);
        const file = Readable.from(reportAsCsv(pool, tenantId, report, { filters, after }), {
          objectMode: false,
        });
        return reply
          .type('text/csv; charset=utf-8')
          .header('content-disposition', `attachment; filename="${name}.csv"`)
          .serializer(String)
          .send(file);
      }
      const found = await withTenant(pool, tenantId, (client) =>
        readReport(client, report, { filters, after, limit: limit + 1 }),
      );
      return cutPage(
        found,
        limit,
        (row) => view.parse(row),
        (row: Row) => positionOf(report, row),
      );
    },
  });
}

function wantsCsv(accept = ''): boolean {
  return /(^|[,\s])text\/csv\b/i.test(accept);
}
