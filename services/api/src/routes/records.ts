/** Competitors, sites and posts, WhatsApp's numbers, contacts, templates and messages: four routes for each kind. */
import { withTenant } from '@stratum/shared';
import { differenceOf } from '@stratum/shared/audit';
import { notFound, ProblemError } from '@stratum/shared/http';
import {
  changeRecord,
  createRecord,
  findRecord,
  listRecords,
  RECORD_KINDS,
  RecordError,
  type RecordKind,
} from '@stratum/shared/records';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId, rowIdText } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const params = z.object({ id: rowIdText });

export function recordRoutes(app: ApiServer, resources: ApiResources): void {
  for (const kind of RECORD_KINDS) routesOf(app, resources, kind);
}

function routesOf(app: ApiServer, resources: ApiResources, kind: RecordKind): void {
  const { noun, plural, scopes, view } = kind;
  const { pool } = resources;
  const keys = resources.configuration.STRATUM_CREDENTIALS_KEY;
  const [family = ''] = kind.path.split('/');
  const tags = [family];
  const url = `/v1/${kind.path}`;
  const name = kind.table.replaceAll('_', ' ');
  app.route({
    method: 'GET',
    url,
    config: { access: scopes.read },
    schema: { tags, summary: `List ${plural}`, querystring: pageQuery, response: { 200: pageOf(view) } },
    handler: async (request) => {
      const { limit, cursor } = request.query;
      const after = decodeCursor(rowId, cursor) ?? 0;
      const found = await withTenant(pool, requireTenant(request), (client) =>
        listRecords(client, kind, { after, limit: limit + 1 }),
      );
      return cutPage(
        found,
        limit,
        (record) => view.parse(record),
        (record) => record['id'],
      );
    },
  });
  app.route({
    method: 'POST',
    url,
    config: { access: scopes.write },
    schema: { tags, summary: `Create a ${noun}`, body: kind.create, response: { 201: view } },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const made = await explained(() =>
        withTenant(pool, tenantId, async (client) => {
          const record = await createRecord(kind, request.body, { client, keys, tenantId });
          const subject = `${kind.table}/${String(record['id'])}`;
          await audit(resources, request, {
            action: `${kind.table}.created`,
            subject,
            tenantId,
            details: { ...record },
          });
          return record;
        }),
      );
      return reply.code(201).send(view.parse(made));
    },
  });
  app.route({
    method: 'GET',
    url: `${url}/:id`,
    config: { access: scopes.read },
    schema: { tags, summary: `A ${noun}`, params, response: { 200: view } },
    handler: async (request) => {
      const { id } = request.params;
      const record = await withTenant(pool, requireTenant(request), (client) => findRecord(client, kind, id));
      if (record === undefined) throw notFound(`The ${name} ${id}`);
      return view.parse(record);
    },
  });
  app.route({
    method: 'PATCH',
    url: `${url}/:id`,
    config: { access: scopes.write },
    schema: { tags, summary: `Change a ${noun}`, params, body: kind.change, response: { 200: view } },
    handler: async (request) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const changed = await explained(() =>
        withTenant(pool, tenantId, async (client) => {
          const done = await changeRecord(kind, id, request.body, { client, keys, tenantId });
          if (done === undefined) return undefined;
          const details = differenceOf(done.before, done.after);
          const subject = `${kind.table}/${id}`;
          await audit(resources, request, { action: `${kind.table}.changed`, subject, tenantId, details });
          return done.after;
        }),
      );
      if (changed === undefined) throw notFound(`The ${name} ${id}`);
      return view.parse(changed);
    },
  });
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    const field = error.field === undefined ? 'body' : `body.${error.field}`;
    throw new ProblemError(error.kind, error.message, {
      errors: [{ field, message: error.message }],
      cause: error,
    });
  }
}
