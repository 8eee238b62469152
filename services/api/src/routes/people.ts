/** People who ask: everything that is kept of somebody, and its erasure. */
import { plainText } from '@stratum/shared';
import { erasePerson, exportPerson, type Identified } from '@stratum/shared/privacy';
import { notFound } from '@stratum/shared/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowIdText as id } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const tags = ['profiles'];
const params = z.object({ id });
const MAX_IDENTIFIER = 320;
const IDENTIFIERS = ['user_id', 'email', 'anonymous_id', 'phone'] as const;

const identifier = plainText(MAX_IDENTIFIER).min(1).optional();
const whoSchema = z
  .strictObject({ user_id: identifier, email: identifier, anonymous_id: identifier, phone: identifier })
  .refine((who) => Object.values(who).some((value) => value !== undefined), {
    message: `give at least one of ${IDENTIFIERS.join(', ')}`,
  });
const exportSchema = z
  .object({
    tenant_id: z.int(),
    exported_at: z.iso.datetime(),
    profile_ids: z.array(z.int()),
    identifiers: z.array(z.object({ type: z.string(), value: z.string() })),
    data: z.record(z.string(), z.array(z.looseObject({}))).describe('Rows by table.'),
  })
  .meta({ id: 'PersonExport' });
const erasedSchema = z
  .object({
    profile_ids: z.array(z.int()),
    rows: z.record(z.string(), z.int()).describe('Rows that were removed, or whose content was, by table.'),
    messages: z
      .record(z.string(), z.int())
      .describe('Messages and records that were removed from the broker.'),
    blocked_until: z.iso.datetime().describe('Until then events that name the person are dropped.'),
  })
  .meta({ id: 'ErasedPerson' });

type Names = readonly ({ id: number } | Identified)[];

export function personRoutes(app: ApiServer, resources: ApiResources): void {
  const { pool, connection, client, configuration } = resources;
  const {
    STRATUM_CREDENTIALS_KEY: keys,
    STRATUM_PREFIX: prefix,
    ERASED_PERSON_BLOCK_DAYS: blockDays,
  } = configuration;
  app.route({
    method: 'GET',
    url: '/v1/profiles/:id/export',
    config: { access: 'profiles:read' },
    schema: {
      tags,
      summary: 'Export everything that is kept of a person',
      params,
      response: { 200: exportSchema },
    },
    handler: (request, reply) => exportOf(request, reply, [{ id: request.params.id }]),
  });
  app.route({
    method: 'POST',
    url: '/v1/profiles/export',
    config: { access: 'profiles:read' },
    schema: {
      tags,
      summary: 'Export everything that is kept of a person, by identifiers',
      description: 'Also finds people without a profile, such as WhatsApp contacts.',
      body: whoSchema,
      response: { 200: exportSchema },
    },
    handler: (request, reply) => exportOf(request, reply, namesOf(request.body)),
  });
  app.route({
    method: 'DELETE',
    url: '/v1/profiles/:id',
    config: { access: 'profiles:admin' },
    schema: {
      tags,
      summary: 'Erase a person',
      description:
        'Removes profiles, identities, events, messages, deliveries, dead letters, results and outgoing events that name the person. This cannot be undone. For ERASED_PERSON_BLOCK_DAYS events that name the person are dropped.',
      params,
      response: { 200: erasedSchema },
    },
    handler: async (request) => {
      const { id: profileId } = request.params;
      const erased = await erase(request, [{ id: profileId }], `profile/${profileId}`);
      if (erased.profile_ids.length === 0) throw notFound(`The profile ${profileId}`);
      return erased;
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/profiles/erase',
    config: { access: 'profiles:admin' },
    schema: {
      tags,
      summary: 'Erase a person, by identifiers',
      description:
        'Like DELETE; also for people without a profile. An unknown identifier is blocked all the same.',
      body: whoSchema,
      response: { 200: erasedSchema },
    },
    handler: (request) => erase(request, namesOf(request.body), 'profile'),
  });

  async function exportOf(
    request: FastifyRequest,
    reply: FastifyReply,
    names: Names,
  ): Promise<z.output<typeof exportSchema>> {
    const tenantId = requireTenant(request);
    await audit(resources, request, { action: 'profile.exported', subject: subjectOf(names), tenantId });
    const exported = await exportPerson(pool, keys, { tenantId, names });
    if (exported === undefined) throw notFound('Such a person');
    reply.header('cache-control', 'no-store');
    return exported;
  }

  function erase(
    request: FastifyRequest,
    names: Names,
    subject: string,
  ): Promise<z.output<typeof erasedSchema>> {
    const tenantId = requireTenant(request);
    return erasePerson(
      { pool, keys, connection, client, prefix },
      {
        tenantId,
        names,
        blockDays,
        tell: ({ profile_ids: ids, rows }) =>
          audit(resources, request, {
            action: 'profile.erased',
            subject,
            tenantId,
            details: { profile_ids: ids, rows },
          }),
      },
    );
  }
}

function namesOf(who: z.output<typeof whoSchema>): Identified[] {
  return IDENTIFIERS.flatMap((type) => {
    const value = who[type];
    return value === undefined ? [] : [{ type, value }];
  });
}

/** Identifiers are no part of the trail: it is kept when the person is erased. */
function subjectOf(names: Names): string {
  const [name] = names;
  return name !== undefined && 'id' in name ? `profile/${name.id}` : 'profile';
}
