/** What the tenant uses of its limits, and, for the operator, other limits. */
import { withTenant } from '@stratum/shared';
import { countUse, QUOTA_NAMES, QUOTAS, readQuotas, setQuota } from '@stratum/shared/quotas';
import { sequence } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownEntries } from './schedules.js';

const tags = ['usage'];

const usageSchema = z
  .object({
    plan: z.string(),
    limits: z.array(
      z.object({
        name: z.enum(QUOTA_NAMES),
        meaning: z.string(),
        limit: z.int(),
        used: z.int().nullable().describe('`null` for a limit of each single thing.'),
        set_by: z.enum(['plan', 'operator']),
      }),
    ),
  })
  .meta({ id: 'Usage' });

export function usageRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, taskQuota } = resources;
  app.route({
    method: 'GET',
    url: '/v1/usage',
    config: { access: 'usage:read' },
    schema: {
      tags,
      summary: 'Limits of the tenant, and what it uses of them',
      response: { 200: usageSchema },
    },
    handler: (request) => usage(request),
  });
  app.route({
    method: 'PUT',
    url: '/v1/usage/limits/:name',
    config: { access: 'quotas:admin' },
    schema: {
      tags,
      summary: 'Set a limit of the tenant in the Stratum-Tenant header',
      description: 'Holds within a minute.',
      params: z.object({ name: z.enum(QUOTA_NAMES) }),
      body: z.strictObject({
        limit: boundedSchema(sequence).nullable().describe('`null`: as its plan says.'),
      }),
      response: { 200: usageSchema },
    },
    handler: async (request) => {
      const { name } = request.params;
      const { limit } = request.body;
      const tenantId = requireTenant(request);
      await withTenant(pool, tenantId, async (client) => {
        if ((await readQuotas(client)) === undefined) throw notFound(`The tenant ${tenantId}`);
        const before = await setQuota(client, name, limit);
        await audit(resources, request, {
          action: 'quota.changed',
          subject: `quota/${name}`,
          tenantId,
          details: { before: { limit: before }, after: { limit } },
        });
      });
      taskQuota.forget(tenantId);
      return usage(request);
    },
  });

  async function usage(request: FastifyRequest): Promise<z.output<typeof usageSchema>> {
    const tenantId = requireTenant(request);
    const [tasks, entries, [quotas, rows]] = await Promise.all([
      taskQuota.use(tenantId),
      ownEntries(resources, request),
      withTenant(
        pool,
        tenantId,
        async (client) => [await readQuotas(client), await countUse(client)] as const,
      ),
    ]);
    if (quotas === undefined) throw notFound(`The tenant ${tenantId}`);
    const used = { ...tasks, ...rows, schedules: entries.length, workflow_steps: null };
    return {
      plan: quotas.plan,
      limits: QUOTA_NAMES.map((name) => ({
        name,
        meaning: QUOTAS[name],
        limit: quotas.limits[name],
        used: used[name],
        set_by: quotas.own.has(name) ? ('operator' as const) : ('plan' as const),
      })),
    };
  }
}
