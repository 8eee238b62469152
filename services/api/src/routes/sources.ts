/** Sources of customer events, and their write keys. */
import { plainText, withTenant } from '@stratum/shared';
import {
  changeSource,
  createSource,
  eventNoteSchema,
  findSource,
  listSourceNotes,
  listSources,
  removeSource,
  rotateWriteKey,
  SourceNameTakenError,
  type EventSource,
} from '@stratum/shared/customer-events';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId, rowIdText } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['sources'];
const params = z.object({ id: rowIdText });
const name = plainText(100).min(1);
const origins = z
  .array(z.string().regex(/^https?:\/\/[^\s/\0]+$/, 'must be an origin such as https://shop.example.com'))
  .max(100)
  .describe('Allowed page origins. Empty: any.');
const time = z.iso.datetime().nullable();

const sourceSchema = z
  .object({
    id: z.int(),
    name: z.string(),
    key_prefix: z.string().describe('Start of the write key.'),
    allowed_origins: z.array(z.string()),
    status: z.enum(['enabled', 'disabled']),
    created_at: z.iso.datetime(),
    rotated_at: time,
    last_seen_at: time.describe('Accurate to the minute.'),
    repaired: z.int().describe('Events of which something was changed or guessed, by reason.'),
    rejected: z.int().describe('Events that were refused, or could not be written.'),
  })
  .meta({ id: 'EventSource' });

const newSourceSchema = sourceSchema
  .extend({ write_key: z.string().describe('The write key. Shown only once.') })
  .meta({ id: 'NewEventSource' });

const noteSchema = eventNoteSchema
  .extend({
    outcome: z.enum(['repaired', 'rejected']),
    events: z.int(),
    first_at: z.iso.datetime(),
    last_at: z.iso.datetime(),
  })
  .meta({ id: 'EventSourceNote' });

export function sourceRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool } = resources;
  app.route({
    method: 'GET',
    url: '/v1/sources',
    config: { access: 'sources:read' },
    schema: {
      tags,
      summary: 'List sources',
      querystring: pageQuery,
      response: { 200: pageOf(sourceSchema) },
    },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(rowId, cursor) ?? 0;
      const found = await withTenant(pool, requireTenant(request), (client) =>
        listSources(client, { after, limit: limit + 1 }),
      );
      return cutPage(found, limit, toView, ({ id }) => id);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/sources',
    config: { access: 'sources:admin' },
    schema: {
      tags,
      summary: 'Create a source with a write key',
      body: z.strictObject({ name, allowed_origins: origins.default([]) }),
      response: { 201: newSourceSchema },
    },
    handler: async (request, reply) => {
      const { name: wanted, allowed_origins: allowedOrigins } = request.body;
      const tenantId = requireTenant(request);
      const made = await named(() =>
        withTenant(pool, tenantId, async (client) => {
          const created = await createSource(client, { name: wanted, allowedOrigins });
          await recordAction(request, tenantId, 'source.created', created.source.id, { name: wanted });
          return created;
        }),
      );
      return reply.code(201).send({ ...toView(made.source), write_key: made.writeKey });
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/sources/:id',
    config: { access: 'sources:read' },
    schema: { tags, summary: 'A source', params, response: { 200: sourceSchema } },
    handler: async (request) => {
      const { id } = request.params;
      const source = await withTenant(pool, requireTenant(request), (client) => findSource(client, id));
      if (source === undefined) throw unknown(id);
      return toView(source);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/sources/:id/notes',
    config: { access: 'sources:read' },
    schema: {
      tags,
      summary: 'List what was changed, guessed or refused of the events of a source, with counts',
      params,
      response: { 200: z.object({ data: z.array(noteSchema) }) },
    },
    handler: async (request) => {
      const { id } = request.params;
      const notes = await withTenant(pool, requireTenant(request), (client) => listSourceNotes(client, id));
      if (notes === undefined) throw unknown(id);
      const data = notes.map(({ outcome, field, message, events, firstAt, lastAt }) => ({
        outcome,
        field,
        message,
        events,
        first_at: firstAt.toISOString(),
        last_at: lastAt.toISOString(),
      }));
      return { data };
    },
  });
  app.route({
    method: 'PATCH',
    url: '/v1/sources/:id',
    config: { access: 'sources:admin' },
    schema: {
      tags,
      summary: 'Change a source; takes effect within seconds',
      params,
      body: z
        .strictObject({ name, allowed_origins: origins, status: z.enum(['enabled', 'disabled']) })
        .partial(),
      response: { 200: sourceSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const { name: wanted, allowed_origins: allowedOrigins, status } = request.body;
      const tenantId = requireTenant(request);
      const source = await named(() =>
        withTenant(pool, tenantId, async (client) => {
          const before = await findSource(client, id);
          const changed = await changeSource(client, id, { name: wanted, allowedOrigins, status });
          if (changed !== undefined)
            await recordAction(request, tenantId, 'source.changed', id, differenceOf(before, changed));
          return changed;
        }),
      );
      if (source === undefined) throw unknown(id);
      return toView(source);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/sources/:id/rotate',
    config: { access: 'sources:admin' },
    schema: {
      tags,
      summary: 'Rotate the write key of a source; the previous one works for another week',
      params,
      response: { 200: newSourceSchema },
    },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const made = await withTenant(pool, tenantId, async (client) => {
        const rotated = await rotateWriteKey(client, id);
        if (rotated !== undefined) await recordAction(request, tenantId, 'source.rotated', id);
        return rotated;
      });
      if (made === undefined) throw unknown(id);
      return { ...toView(made.source), write_key: made.writeKey };
    },
  });
  app.route({
    method: 'DELETE',
    url: '/v1/sources/:id',
    config: { access: 'sources:admin' },
    schema: {
      tags,
      summary: 'Delete a source; its events are kept',
      params,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const removed = await withTenant(pool, tenantId, async (client) => {
        const done = await removeSource(client, id);
        if (done) await recordAction(request, tenantId, 'source.removed', id);
        return done;
      });
      if (!removed) throw unknown(id);
      return reply.code(204).send();
    },
  });

  function recordAction(
    request: FastifyRequest,
    tenantId: number,
    action: AuditAction,
    id: number,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    return audit(resources, request, { action, subject: `source/${id}`, tenantId, details });
  }
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SourceNameTakenError)
      throw new ProblemError('conflict', `body.name: ${error.message}`);
    throw error;
  }
}

function unknown(id: number): ProblemError {
  return notFound(`The source ${id}`);
}

function toView(source: EventSource): z.output<typeof sourceSchema> {
  return {
    id: source.id,
    name: source.name,
    key_prefix: source.keyPrefix,
    allowed_origins: source.allowedOrigins,
    status: source.status,
    created_at: source.createdAt.toISOString(),
    rotated_at: source.rotatedAt?.toISOString() ?? null,
    last_seen_at: source.lastSeenAt?.toISOString() ?? null,
    repaired: source.repaired,
    rejected: source.rejected,
  };
}
