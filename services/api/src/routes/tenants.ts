/** Tenants, for those who run the platform: listed, changed, deleted, restored, exported. With a key of the platform. */
import { plainText } from '@stratum/shared';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { PLAN_NAMES } from '@stratum/shared/quotas';
import { Readable } from 'node:stream';
import {
  changeTenant,
  deleteTenant,
  exportTenant,
  findTenant,
  isTimeZone,
  listTenants,
  restoreTenant,
  type Tenant,
} from '@stratum/shared/tenants';
import { BoundedNumber } from '@stratum/jobs/bounds';
import { boundedSchema } from '@stratum/jobs/internal';
import { invalid, notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { audit } from '../http/audit.js';
import { rowIdText as id } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['tenants'];
const params = z.object({ id });
const time = z.iso.datetime().nullable();
const MAX_GRACE_DAYS = 3_650;
const MAX_NAME = 200;

const tenantSchema = z
  .object({
    id: z.int(),
    name: z.string(),
    plan: z.string(),
    currency: z.string(),
    time_zone: z.string(),
    is_demonstration: z.boolean(),
    created_at: z.iso.datetime(),
    deleted_at: time.describe('From then on it does nothing any more.'),
    erase_after: time.describe('When its data are erased, unless it is restored before.'),
    erased_at: time,
  })
  .meta({ id: 'Tenant' });

/** Sent as a stream. */
const jsonLines: z.ZodType = z.string();

export function tenantRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, configuration } = resources;
  app.route({
    method: 'GET',
    url: '/v1/tenants',
    config: { access: 'tenants:admin' },
    schema: {
      tags,
      summary: 'List tenants',
      querystring: z.object({
        deleted: z.enum(['true', 'false']).default('false').describe('Include deleted tenants.'),
      }),
      response: { 200: z.object({ data: z.array(tenantSchema) }) },
    },
    handler: async ({ query }) => {
      const tenants = await listTenants(pool, { withDeleted: query.deleted === 'true' });
      return { data: tenants.map(toView) };
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/tenants/:id',
    config: { access: 'tenants:admin' },
    schema: { tags, summary: 'Get a tenant', params, response: { 200: tenantSchema } },
    handler: async (request) => toView(await require(request.params.id)),
  });
  app.route({
    method: 'PATCH',
    url: '/v1/tenants/:id',
    config: { access: 'tenants:admin' },
    schema: {
      tags,
      summary: 'Change the name, plan or time zone of a tenant',
      description:
        'Limits of another plan hold within a minute. Days that are over stay days of the zone before.',
      params,
      body: z
        .strictObject({
          name: plainText(MAX_NAME).min(1),
          plan: z.enum(PLAN_NAMES),
          time_zone: z
            .string()
            .max(MAX_NAME)
            .refine(isTimeZone, 'must be an IANA time zone such as Europe/Zurich')
            .describe('An IANA name.'),
        })
        .partial(),
      response: { 200: tenantSchema },
    },
    handler: async (request) => {
      const { name, plan, time_zone: timeZone } = request.body;
      const tenant = await require(request.params.id);
      if (tenant.erasedAt !== null)
        throw new ProblemError('conflict', `The tenant ${tenant.id} has been erased.`);
      const difference = differenceOf(toView(tenant), { ...toView(tenant), ...request.body });
      await record(request, 'tenant.changed', tenant.id, difference);
      return toView((await changeTenant(pool, tenant.id, { name, plan, timeZone })) ?? tenant);
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/tenants/:id',
    config: { access: 'tenants:admin' },
    schema: {
      tags,
      summary: 'Delete a tenant: it does nothing any more, and is erased after the grace time',
      params,
      body: z.strictObject({
        confirm: z.string().describe("The tenant's name, as confirmation."),
        grace_days: boundedSchema(new BoundedNumber({ min: 0, max: MAX_GRACE_DAYS, unit: 'days' }))
          .optional()
          .describe('Days until its data are erased. Default: TENANT_GRACE_DAYS.'),
      }),
      response: { 200: tenantSchema },
    },
    handler: async (request) => {
      const { confirm, grace_days: graceDays = configuration.TENANT_GRACE_DAYS } = request.body;
      const tenant = await require(request.params.id);
      if (tenant.erasedAt !== null)
        throw new ProblemError('conflict', `The tenant ${tenant.id} has been erased.`);
      if (confirm !== tenant.name)
        throw invalid('body.confirm', `must be the name of the tenant, "${tenant.name}"`);
      await record(request, 'tenant.deleted', tenant.id, { grace_days: graceDays });
      return toView((await deleteTenant(pool, { id: tenant.id, graceDays })) ?? tenant);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/tenants/:id/restore',
    config: { access: 'tenants:admin' },
    schema: {
      tags,
      summary: 'Restore a deleted tenant within its grace time',
      params,
      response: { 200: tenantSchema },
    },
    handler: async (request) => {
      const tenant = await require(request.params.id);
      await record(request, 'tenant.restored', tenant.id);
      const restored = await restoreTenant(pool, tenant.id);
      if (restored === undefined)
        throw new ProblemError('conflict', `The grace time of the tenant ${tenant.id} is over.`);
      return toView(restored);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/tenants/:id/export',
    config: { access: 'tenants:admin' },
    schema: {
      tags,
      summary: 'Export all rows of a tenant as JSON lines',
      description: 'Each line is `{"table", "row"}`. Secrets and hashes are left out.',
      params,
      response: { 200: { content: { 'application/x-ndjson': { schema: jsonLines } } } },
    },
    handler: async (request, reply) => {
      const tenant = await require(request.params.id);
      await record(request, 'tenant.exported', tenant.id);
      const lines = exportLines(tenant.id);
      return reply.type('application/x-ndjson').serializer(String).send(lines);
    },
  });

  async function require(tenantId: number): Promise<Tenant> {
    const tenant = await findTenant(pool, tenantId);
    if (tenant === undefined) throw notFound(`The tenant ${tenantId}`);
    return tenant;
  }

  /** The reader decides how fast it goes. A failure ends the answer before its end, which the client sees. */
  function exportLines(tenantId: number): Readable {
    let resume: (() => void) | undefined;
    const stream = new Readable({ read: () => resume?.() });
    const push = (line: string): Promise<void> | undefined => {
      if (stream.destroyed) throw new Error('the client has left');
      return stream.push(line) ? undefined : new Promise((resolve) => (resume = resolve));
    };
    stream.once('close', () => resume?.());
    exportTenant(pool, configuration.STRATUM_CREDENTIALS_KEY, tenantId, (row) =>
      push(`${JSON.stringify(row)}\n`),
    ).then(
      () => stream.push(null),
      (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return stream;
  }

  function record(
    request: FastifyRequest,
    action: AuditAction,
    tenantId: number,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, { action, subject: `tenant/${tenantId}`, details, tenantId: undefined });
  }
}

function toView(tenant: Tenant): z.output<typeof tenantSchema> {
  return {
    id: tenant.id,
    name: tenant.name,
    plan: tenant.plan,
    currency: tenant.currency,
    time_zone: tenant.timeZone,
    is_demonstration: tenant.isDemonstration,
    created_at: tenant.createdAt.toISOString(),
    deleted_at: tenant.deletedAt?.toISOString() ?? null,
    erase_after: tenant.eraseAfter?.toISOString() ?? null,
    erased_at: tenant.erasedAt?.toISOString() ?? null,
  };
}
