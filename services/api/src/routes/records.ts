/** Records that a tenant makes and changes itself: routes for each kind. */
import { withArticle } from '@stratum/jobs/bounds';
import { withTenant } from '@stratum/shared';
import { differenceOf, type AuditAction } from '@stratum/shared/audit';
import { notFound, ProblemError } from '@stratum/shared/http';
import {
  auditedAction,
  auditedFields,
  auditedKind,
  auditedReading,
  changeRecord,
  createRecord,
  findRecord,
  listRecords,
  RECORD_KINDS,
  RecordError,
  removeRecord,
  type Fields,
  type RecordKind,
} from '@stratum/shared/records';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId, rowIdText } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { TASK_HEADER } from './task-header.js';

const params = z.object({ id: rowIdText });

export function recordRoutes(app: ApiServer, resources: ApiResources): void {
  for (const kind of RECORD_KINDS) routesOf(app, resources, kind);
}

function routesOf(app: ApiServer, resources: ApiResources, kind: RecordKind): void {
  const { noun, plural, scopes, view } = kind;
  const { pool } = resources;
  const keys = resources.configuration.STRATUM_CREDENTIALS_KEY;
  const tags = tagsOf(kind);
  const url = `/v1/${kind.path}`;
  const about = auditedKind(kind);
  const name = about.replaceAll('_', ' ');
  const described =
    kind.computation === undefined
      ? {}
      : { description: `It is computed at once: the header \`${TASK_HEADER}\` has the id of that task.` };
  /** What is computed is a task of the tenant. */
  const within = <T>(tenantId: number, work: () => Promise<T>): Promise<T> =>
    explained(() =>
      kind.computation === undefined ? work() : resources.taskQuota.within({ tenantId }, work),
    );
  const compute = async (id: number, tenantId: number, reply: FastifyReply): Promise<void> => {
    const next = kind.computation?.(id, tenantId);
    if (next === undefined) return;
    const { id: task } = await resources.client.enqueue(next.contract, next.payload);
    reply.header(TASK_HEADER, task);
  };
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
      await auditReading(resources, request, kind, about, found.slice(0, limit));
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
    schema: {
      tags,
      summary: `Create ${withArticle(noun)}`,
      ...described,
      body: kind.create,
      response: { 201: view },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const made = await within(tenantId, () =>
        withTenant(pool, tenantId, async (client) => {
          const record = await createRecord(kind, request.body, { client, keys, tenantId });
          const subject = `${about}/${String(record['id'])}`;
          const action = auditedAction(kind, 'created');
          const details = auditedFields(kind, record);
          await audit(resources, request, { action, subject, tenantId, details });
          return record;
        }),
      );
      await compute(Number(made['id']), tenantId, reply);
      return reply.code(201).send(view.parse(made));
    },
  });
  app.route({
    method: 'GET',
    url: `${url}/:id`,
    config: { access: scopes.read },
    schema: { tags, summary: `Get ${withArticle(noun)}`, params, response: { 200: view } },
    handler: async (request) => {
      const { id } = request.params;
      const record = await withTenant(pool, requireTenant(request), (client) => findRecord(client, kind, id));
      if (record === undefined) throw notFound(`The ${name} ${id}`);
      await auditReading(resources, request, kind, `${about}/${id}`, [record]);
      return view.parse(record);
    },
  });
  app.route({
    method: 'PATCH',
    url: `${url}/:id`,
    config: { access: scopes.write },
    schema: {
      tags,
      summary: `Change ${withArticle(noun)}`,
      ...described,
      params,
      body: kind.change,
      response: { 200: view },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const changed = await within(tenantId, () =>
        withTenant(pool, tenantId, async (client) => {
          const done = await changeRecord(kind, id, request.body, { client, keys, tenantId });
          if (done === undefined) return undefined;
          const details = differenceOf(auditedFields(kind, done.before), auditedFields(kind, done.after));
          const action = auditedAction(kind, 'changed');
          await audit(resources, request, { action, subject: `${about}/${id}`, tenantId, details });
          return done.after;
        }),
      );
      if (changed === undefined) throw notFound(`The ${name} ${id}`);
      if ('definition' in request.body) await compute(id, tenantId, reply);
      return view.parse(changed);
    },
  });
  if (kind.remove !== undefined) removalRoute(app, resources, kind, kind.remove.action);
}

/** Nobody sees a record about a person before the broker has stored that. */
async function auditReading(
  resources: ApiResources,
  request: FastifyRequest,
  kind: RecordKind,
  subject: string,
  found: readonly Fields[],
): Promise<void> {
  const entry = auditedReading(kind, found);
  if (entry !== undefined)
    await audit(resources, request, { ...entry, subject, tenantId: requireTenant(request) });
}

function removalRoute(
  app: ApiServer,
  { pool, ...resources }: ApiResources,
  kind: RecordKind,
  action: AuditAction,
): void {
  const about = auditedKind(kind);
  app.route({
    method: 'DELETE',
    url: `/v1/${kind.path}/:id`,
    config: { access: kind.scopes.write },
    schema: {
      tags: tagsOf(kind),
      summary: `Remove ${withArticle(kind.noun)}`,
      params,
      response: { 204: z.undefined() },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const removed = await explained(() =>
        withTenant(pool, tenantId, async (client) => {
          const record = await removeRecord(kind, id, client);
          if (record === undefined) return undefined;
          await audit(resources, request, {
            action,
            subject: `${about}/${id}`,
            tenantId,
            details: auditedFields(kind, record),
          });
          return record;
        }),
      );
      if (removed === undefined) throw notFound(`The ${about.replaceAll('_', ' ')} ${id}`);
      return reply.code(204).send();
    },
  });
}

function tagsOf({ path }: RecordKind): string[] {
  return path.split('/').slice(0, 1);
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
