/** What came of a funnel; its definition is a record. */
import { withTenant } from '@stratum/shared';
import { latestFunnelReport } from '@stratum/shared/customer-data';
import { notFound } from '@stratum/shared/http';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { rowIdText } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const share = z.number().nullable();
const stepSchema = z.object({
  step: z.int(),
  event: z.string(),
  profiles: z.int().describe('That came at least so far.'),
  conversion: share.describe('Share of those of the step before.'),
  overall: share.describe('Share of those of the first step.'),
  interval: z
    .object({ low: z.number(), high: z.number() })
    .nullable()
    .describe('The 95 % interval of the overall share.'),
  dropped: z.int().describe('Profiles that came so far and no further.'),
  median_seconds: z.number().nullable().describe('From the step before.'),
});

const resultSchema = z
  .object({
    computed_at: z.iso.datetime(),
    since: z.iso.datetime().describe('First steps were looked for from then on.'),
    until: z.iso.datetime(),
    steps: z.array(stepSchema),
    breakdown: z.array(z.object({ value: z.string(), steps: z.array(stepSchema) })),
  })
  .meta({ id: 'FunnelResult' });

export function funnelRoutes(app: ApiServer, { pool }: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/funnels/:id/result',
    config: { access: 'segments:read' },
    schema: {
      tags: ['funnels'],
      summary: 'The latest result of a funnel',
      description: 'Until it has been computed for the first time, there is none.',
      params: z.object({ id: rowIdText }),
      response: { 200: resultSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const report = await withTenant(pool, requireTenant(request), (client) =>
        latestFunnelReport(client, id),
      );
      if (report === undefined) throw notFound(`The result of the funnel ${id}`);
      return {
        computed_at: report.computedAt.toISOString(),
        since: report.since.toISOString(),
        until: report.until.toISOString(),
        steps: report.steps,
        breakdown: report.breakdown,
      };
    },
  });
}
