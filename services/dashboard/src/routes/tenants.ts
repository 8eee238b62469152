/** Tenants: what each does, what it uses of its limits, and other limits. */
import { sequence } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { withTenant } from '@stratum/shared';
import { notFound } from '@stratum/shared/http';
import { QUOTA_NAMES, setQuota } from '@stratum/shared/quotas';
import { z } from 'zod';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { tenantOverview, TenantOverviews, type TenantOverview } from '../tenants/overview.js';
import { readTenant, tenantDetail, type TenantDetail } from '../tenants/tenant.js';

const tenantParams = z.object({ tenant: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

export function tenantRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool } = resources;
  const overviews = new TenantOverviews(pool, resources.client);
  const existing = async (tenant: number): Promise<TenantDetail> => {
    const found = await readTenant(resources, tenant);
    if (found === undefined) throw notFound(`The tenant ${tenant}`);
    return found;
  };
  app.route({
    method: 'GET',
    url: '/api/tenants',
    config: { access: 'tenants:see' },
    schema: {
      tags: ['Tenants'],
      summary: 'List what each tenant does',
      response: { 200: tenantOverview },
    },
    handler: (): Promise<TenantOverview> => overviews.read(),
  });
  app.route({
    method: 'GET',
    url: '/api/tenants/:tenant',
    config: { access: 'tenants:see' },
    schema: {
      tags: ['Tenants'],
      summary: 'Show the limits and tasks of a tenant',
      params: tenantParams,
      response: { 200: tenantDetail },
    },
    handler: (request): Promise<TenantDetail> => existing(request.params.tenant),
  });
  app.route({
    method: 'POST',
    url: '/api/tenants/:tenant/limits/:name',
    config: { access: 'tenants:limit' },
    schema: {
      tags: ['Tenants'],
      summary: 'Change a limit of a tenant',
      params: tenantParams.extend({ name: z.enum(QUOTA_NAMES) }),
      body: z.strictObject({ limit: boundedSchema(sequence).nullable() }),
      response: { 200: tenantDetail },
    },
    handler: async (request): Promise<TenantDetail> => {
      const { tenant, name } = request.params;
      const { limit } = request.body;
      await existing(tenant);
      await withTenant(pool, tenant, async (client) => {
        const before = await setQuota(client, name, limit);
        await recordAction(resources, request, {
          action: 'quota.changed',
          subject: `quota/${name}`,
          tenantId: tenant,
          details: { before: { limit: before }, after: { limit } },
        });
      });
      return existing(tenant);
    },
  });
}
