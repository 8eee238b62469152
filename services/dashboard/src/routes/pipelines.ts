/** Pipelines, as marketers ask for them: how old are the data, what is late, and what is wrong. */
import { checkPipelineHealth, syncCampaignData } from '@stratum/shared';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { enqueuedTask } from '../http/answer.js';
import { scopeOf } from '../http/guard.js';
import { recordAction } from '../http/record-action.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';
import { pipelineOverview, readPipelineOverview, type PipelineOverview } from '../pipelines/overview.js';
import { readTenantPipeline } from '../pipelines/tenant-pipeline.js';
import { tenantPipeline, type TenantPipeline } from '../pipelines/tenant-pipeline-view.js';

const tenantParams = z.object({ tenant: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

export function pipelineRoutes(app: DashboardServer, resources: DashboardResources): void {
  const { pool, client } = resources;
  app.route({
    method: 'GET',
    url: '/api/pipelines',
    config: { access: 'pipelines:see' },
    schema: {
      tags: ['Pipelines'],
      summary: 'Show how old the data of each tenant and platform are',
      response: { 200: pipelineOverview },
    },
    handler: (request): Promise<PipelineOverview> => readPipelineOverview(pool, scopeOf(request)),
  });
  app.route({
    method: 'GET',
    url: '/api/pipelines/:tenant',
    config: { access: 'pipelines:see' },
    schema: {
      tags: ['Pipelines'],
      summary: 'Show the accounts, jobs and alerts of a tenant',
      params: tenantParams,
      response: { 200: tenantPipeline },
    },
    handler: (request): Promise<TenantPipeline> => ownPipeline(resources, request, request.params.tenant),
  });
  app.route({
    method: 'POST',
    url: '/api/pipelines/check',
    config: { access: 'pipelines:control' },
    schema: {
      tags: ['Pipelines'],
      summary: 'Check all pipelines now',
      body: z.strictObject({}),
      response: { 200: enqueuedTask },
    },
    handler: async (request) => {
      await recordAction(resources, request, {
        action: 'task.enqueued',
        subject: `task/${checkPipelineHealth.name}`,
      });
      return { task_id: (await client.enqueue(checkPipelineHealth, {})).id };
    },
  });
  app.route({
    method: 'POST',
    url: '/api/pipelines/:tenant/sync',
    config: { access: 'pipelines:control' },
    schema: {
      tags: ['Pipelines'],
      summary: 'Sync the accounts of a tenant now',
      params: tenantParams,
      body: z.strictObject({ platform: syncCampaignData.input.shape.platform }),
      response: { 200: enqueuedTask },
    },
    handler: async (request) => {
      const { tenant } = request.params;
      const { platform } = request.body;
      const { accounts } = await ownPipeline(resources, request, tenant);
      if (!accounts.some((account) => account.platform === platform))
        throw new ProblemError('conflict', `The tenant ${tenant} has no account of ${platform}.`);
      await recordAction(resources, request, {
        action: 'task.enqueued',
        subject: `task/${syncCampaignData.name}`,
        tenantId: tenant,
        details: { platform },
      });
      const enqueued = await client.enqueue(
        syncCampaignData,
        { tenant_id: tenant, platform },
        { tenant: String(tenant) },
      );
      return { task_id: enqueued.id };
    },
  });
}

/** @throws ProblemError `not-found` for an unknown tenant, and equally for another one */
async function ownPipeline(
  resources: DashboardResources,
  request: FastifyRequest,
  tenant: number,
): Promise<TenantPipeline> {
  const scope = scopeOf(request);
  const found =
    scope === 'platform' || scope === String(tenant)
      ? await readTenantPipeline(resources, tenant)
      : undefined;
  if (found === undefined) throw notFound(`The tenant ${tenant}`);
  return found;
}
