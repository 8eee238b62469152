/** API keys of the tenant that asks, or of the platform. */
import type { AuditAction } from '@stratum/shared/audit';
import { plainText, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import {
  ALL_SCOPES,
  createApiKey,
  excessOver,
  findApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  type ApiKey,
} from '@stratum/shared/api-keys';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { principalOf, tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { time as instant } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['keys'];
const scopes = z.array(z.enum(ALL_SCOPES)).min(1);
const keyId = z.string().regex(/^[a-z0-9]{16}$/, 'is not a key id');
const keyParams = z.object({ id: keyId });
const time = z.iso.datetime().nullable();

const keySchema = z
  .object({
    id: z.string(),
    tenant_id: z.int().nullable().describe('`null` for a platform key.'),
    name: z.string(),
    scopes,
    created_at: z.iso.datetime(),
    expires_at: time,
    rotated_at: time,
    revoked_at: time,
    last_used_at: time.describe('Accurate to the minute.'),
  })
  .meta({ id: 'ApiKey' });

const newKeySchema = keySchema
  .extend({ key: z.string().describe('The API key. Shown only once.') })
  .meta({ id: 'NewApiKey' });

/** A key without a tenant sees to the platform's own, unless it names a tenant. */
function ownerOf(request: FastifyRequest): number {
  return tenantOf(request) ?? PLATFORM_TENANT_ID;
}

export function keyRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool } = resources;
  app.route({
    method: 'GET',
    url: '/v1/keys',
    config: { access: 'keys:admin' },
    schema: {
      tags,
      summary: 'List keys, including revoked ones',
      querystring: pageQuery,
      response: { 200: pageOf(keySchema) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(keyId, cursor);
      const found = await withTenant(pool, ownerOf(request), (client) =>
        listApiKeys(client, { after, limit: limit + 1 }),
      );
      return cutPage(found, limit, toView, ({ id }) => id);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/keys',
    config: { access: 'keys:admin' },
    schema: {
      tags,
      summary: 'Create a key',
      body: z.strictObject({
        name: plainText(100).min(1),
        scopes,
        expires_at: instant.optional(),
      }),
      response: { 201: newKeySchema },
    },
    handler: async (request, reply) => {
      const { name, scopes: wanted, expires_at: expiresAt } = request.body;
      await requireCeiling(request, { id: '', scopes: wanted, expiresAt: expiresAt ?? null });
      const tenantId = ownerOf(request);
      const made = await withTenant(pool, tenantId, async (client) => {
        const created = await createApiKey(client, {
          tenantId,
          name,
          scopes: wanted,
          ...(expiresAt === undefined ? {} : { expiresAt }),
        });
        await recordAction(request, tenantId, 'key.created', created.key.id, { name, scopes: wanted });
        return created;
      });
      return reply.code(201).send({ ...toView(made.key), key: made.text });
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/keys/:id/rotate',
    config: { access: 'keys:admin' },
    schema: {
      tags,
      summary: 'Rotate a key; the previous one works for another day',
      params: keyParams,
      response: { 200: newKeySchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = ownerOf(request);
      const found = await withTenant(pool, tenantId, (client) => findApiKey(client, id));
      if (found !== undefined) await requireCeiling(request, found);
      const made = await withTenant(pool, tenantId, async (client) => {
        const rotated = await rotateApiKey(client, id);
        if (rotated !== undefined) await recordAction(request, tenantId, 'key.rotated', id);
        return rotated;
      });
      if (made === undefined) throw notFound(`The key "${id}"`);
      return { ...toView(made.key), key: made.text };
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/keys/:id',
    config: { access: 'keys:admin' },
    schema: {
      tags,
      summary: 'Revoke a key immediately',
      params: keyParams,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = ownerOf(request);
      const revoked = await withTenant(pool, tenantId, async (client) => {
        const done = await revokeApiKey(client, id);
        if (done) await recordAction(request, tenantId, 'key.revoked', id);
        return done;
      });
      if (!revoked) throw notFound(`The key "${id}"`);
      return reply.code(204).send();
    },
  });

  /** Whoever creates or rotates a key gets its secret, so neither may give more than the caller's own. */
  async function requireCeiling(
    request: FastifyRequest,
    wanted: Pick<ApiKey, 'id' | 'scopes' | 'expiresAt'>,
  ): Promise<void> {
    const excess = await excessOver(pool, principalOf(request), wanted);
    if (excess !== undefined) throw new ProblemError('forbidden', excess);
  }

  function recordAction(
    request: FastifyRequest,
    tenantId: number,
    action: AuditAction,
    id: string,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, { action, subject: `key/${id}`, tenantId, details });
  }
}

function toView(key: ApiKey): z.output<typeof keySchema> {
  return {
    id: key.id,
    tenant_id: key.tenantId === PLATFORM_TENANT_ID ? null : key.tenantId,
    name: key.name,
    scopes: key.scopes,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    rotated_at: key.rotatedAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
