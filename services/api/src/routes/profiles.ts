/** Profiles of customers: who somebody is, and a merge undone. */
import { plainText } from '@stratum/shared';
import { count } from '@stratum/jobs/bounds';
import {
  findProfile,
  UnmergeError,
  unmergeProfile,
  type ProfileName,
  type ProfileView,
} from '@stratum/shared/profiles';
import { IDENTIFIER_TYPES } from '@stratum/shared/customer-events';
import { notFound, ProblemError } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { numberText, rowIdText as id } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { personRoutes } from './people.js';

const tags = ['profiles'];
const MAX_EVENTS = 100;
const MAX_IDENTIFIER = 320;

const time = z.iso.datetime();
const value = plainText(MAX_IDENTIFIER).min(1).optional();
const shown = {
  events: numberText(count.within({ max: MAX_EVENTS }))
    .default(10)
    .describe('Number of latest events to include.'),
};

const profileSchema = z
  .object({
    id: z.int(),
    external_id: z.string().nullable().describe('User id.'),
    traits: z.looseObject({}),
    total_events: z.int(),
    total_purchases: z.int(),
    total_revenue: z.string().describe("Decimal number in the tenant's currency."),
    first_seen_at: time.nullable(),
    last_seen_at: time.nullable(),
    identities: z.array(z.object({ type: z.string(), value: z.string().nullable() })),
    merges: z
      .array(
        z.object({
          id: z.int(),
          profile_id: z.int(),
          reason: z.string(),
          merged_at: time,
          undone_at: time.nullable(),
        }),
      )
      .describe('Profiles merged into this one, newest first.'),
    events: z
      .array(z.object({ name: z.string(), occurred_at: time, properties: z.looseObject({}) }))
      .describe('Newest first.'),
  })
  .meta({ id: 'Profile' });

const unmergedSchema = z.object({
  profile_id: z.int().describe('The profile that is separate again.'),
  from_profile_id: z.int().describe('The profile that it had been merged into.'),
  identities: z.int().describe('Number of identifiers moved back.'),
  events: z.int().describe('Number of events moved back.'),
});

export function profileRoutes(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/profiles/lookup',
    config: { access: 'profiles:read' },
    schema: {
      tags,
      summary: 'Look up a profile by identifier',
      description: 'Give exactly one of `user_id`, `email` and `anonymous_id`.',
      querystring: z.object({ user_id: value, email: value, anonymous_id: value, ...shown }),
      response: { 200: profileSchema },
    },
    handler: async (request) => {
      const { events, ...identifiers } = request.query;
      const given = IDENTIFIER_TYPES.flatMap((type) => {
        const text = identifiers[type];
        return text === undefined ? [] : [{ type, value: text }];
      });
      const [who] = given;
      if (who === undefined || given.length > 1) {
        throw new ProblemError('bad-request', `query: give exactly one of ${IDENTIFIER_TYPES.join(', ')}.`, {
          errors: [{ field: 'query', message: `give exactly one of ${IDENTIFIER_TYPES.join(', ')}` }],
        });
      }
      return find(request, who, events, 'A profile with that identifier');
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/profiles/:id',
    config: { access: 'profiles:read' },
    schema: {
      tags,
      summary: 'Get a profile with its identities, merges and latest events',
      description: 'The id of a merged profile returns the profile it was merged into.',
      params: z.object({ id }),
      querystring: z.object(shown),
      response: { 200: profileSchema },
    },
    handler: (request) => {
      const { params, query } = request;
      return find(request, { id: params.id }, query.events, `The profile ${params.id}`);
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/profiles/:id/unmerge',
    config: { access: 'profiles:admin' },
    schema: {
      tags,
      summary: 'Undo a merge: separate a profile again, with its own identifiers and events',
      description:
        '`id` is the merged profile: a `profile_id` in `merges`. Later events for its identifiers move with it, and the two profiles are not merged again.',
      params: z.object({ id }),
      response: { 200: unmergedSchema },
    },
    handler: async (request) => {
      const { id: profileId } = request.params;
      const tenantId = requireTenant(request);
      try {
        return await unmergeProfile(resources.pool, {
          tenantId,
          profileId,
          tell: (_client, done) =>
            audit(resources, request, {
              action: 'profile.unmerged',
              subject: `profile/${profileId}`,
              tenantId,
              details: { ...done },
            }),
        });
      } catch (error) {
        if (!(error instanceof UnmergeError)) throw error;
        if (error.code === 'unknown_profile') throw notFound(`The profile ${profileId}`);
        throw new ProblemError('conflict', error.message);
      }
    },
  });

  personRoutes(app, resources);

  async function find(
    request: FastifyRequest,
    who: ProfileName,
    events: number,
    what: string,
  ): Promise<z.output<typeof profileSchema>> {
    const { pool, configuration } = resources;
    const query = { tenantId: requireTenant(request), who, events };
    const profile = await findProfile(pool, configuration.STRATUM_CREDENTIALS_KEY, query);
    // Also that nobody was found says something about a person.
    await audit(resources, request, {
      action: 'profile.read',
      subject: `profile/${profile?.id ?? 'unknown'}`,
      tenantId: query.tenantId,
    });
    if (profile === undefined) throw notFound(what);
    return toView(profile);
  }
}

function toView(profile: ProfileView): z.output<typeof profileSchema> {
  return {
    ...profile,
    first_seen_at: profile.first_seen_at?.toISOString() ?? null,
    last_seen_at: profile.last_seen_at?.toISOString() ?? null,
    merges: profile.merges.map((merge) => ({
      ...merge,
      merged_at: merge.merged_at.toISOString(),
      undone_at: merge.undone_at?.toISOString() ?? null,
    })),
    events: profile.events.map((event) => ({ ...event, occurred_at: event.occurred_at.toISOString() })),
  };
}
