/** Events for runs that wait for them in a durable step. */
import { eventKept } from '@stratum/jobs/bounds';
import { boundedSchema, isToken } from '@stratum/jobs/internal';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import { rowId } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { ownPayload } from './own-payload.js';

const token = z
  .string()
  .refine(isToken, { error: 'must be 1 to 64 characters of A–Z, a–z, 0–9, "_" and "-"' });

const bodySchema = z
  .strictObject({
    payload: z.unknown().optional().describe('Any JSON value of at most 64 KiB.'),
    key: z
      .string()
      .max(1_000)
      .optional()
      .describe('Runs that wait with the same key receive it. Default: those that wait without one.'),
    id: token
      .optional()
      .describe(
        'An event with this id, name and key is stored once for as long as it is kept. Default: generated.',
      ),
    keep_for_ms: boundedSchema(eventKept)
      .optional()
      .describe('How long it is kept for runs that begin to wait later, in milliseconds. Default: a day.'),
    tenant_id: rowId.optional().describe("Whose runs receive it. Default: the key's tenant."),
  })
  .meta({ id: 'RunEvent' });

export function runEventRoutes(app: ApiServer, resources: ApiResources): void {
  const { client, taskQuota } = resources;
  app.route({
    method: 'POST',
    url: '/v1/run-events/:name',
    config: { access: 'tasks:write' },
    schema: {
      tags: ['tasks'],
      summary: 'Send an event to runs that wait for it',
      description:
        'Every run of the tenant that waits for an event of this name and key in a durable step goes on with it, and so do those that begin to wait while it is kept. It counts as a task of `tasks_per_minute`; a tenant keeps no more events than `waiting_tasks`.',
      params: z.object({ name: token }),
      body: bodySchema,
      response: {
        202: z.object({
          id: z.string(),
          duplicate: z.boolean().describe('An event of this id is kept already.'),
          woken: z.int().describe('Runs that slept in a wait for it.'),
        }),
      },
    },
    handler: async (request, reply) => {
      const { name } = request.params;
      const own = tenantOf(request);
      const { payload, key, id, keep_for_ms: keepForMs, tenant_id: named } = request.body;
      ownPayload({ tenant_id: named }, own, 'body');
      const tenantId = own ?? named;
      const tenant = tenantId === undefined ? {} : { tenant: tenantId };
      if (own !== undefined) await taskQuota.requireEvents(own, await client.keptEvents(String(own)));
      const sent = await taskQuota.within({ tenantId: own, tasks: 1, waiting: 0 }, async () => {
        await audit(resources, request, {
          action: 'run_event.sent',
          subject: `run-event/${name}`,
          tenantId,
          details: id === undefined ? {} : { id },
        });
        return client.sendEvent(name, payload, {
          ...tenant,
          ...(key === undefined ? {} : { key }),
          ...(id === undefined ? {} : { id }),
          ...(keepForMs === undefined ? {} : { keepForMs }),
        });
      });
      return reply.code(202).send(sent);
    },
  });
}
