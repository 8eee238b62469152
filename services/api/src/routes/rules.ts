/** The dry run of a rule; its definition is a record. */
import { dryRunRule, withTenant } from '@stratum/shared';
import { notFound } from '@stratum/shared/http';
import { findRecord, RECORD_KINDS } from '@stratum/shared/records';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { actorOf } from '../http/audit.js';
import { rowIdText } from '../http/bounded.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { enqueueReported } from '../tasks/enqueue-reported.js';

export function ruleRoutes(app: ApiServer, resources: ApiResources): void {
  const kind = RECORD_KINDS.find(({ table }) => table === 'rule');
  if (kind === undefined) throw new Error('Rules are no records.');
  app.route({
    method: 'POST',
    url: '/v1/rules/:id/dry-run',
    config: { access: 'rules:admin' },
    schema: {
      tags: ['rules'],
      summary: 'Try a rule on the last 28 days',
      description:
        'Enqueues a task that says on which days it would have acted on which campaigns, whatever its status. `GET /v1/tasks/{id}/result?wait=30` has the answer.',
      params: z.object({ id: rowIdText }),
      response: { 202: z.object({ task_id: z.string() }) },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const tenantId = requireTenant(request);
      const rule = await withTenant(resources.pool, tenantId, (client) => findRecord(client, kind, id));
      if (rule === undefined) throw notFound(`The rule ${id}`);
      const task = await enqueueReported(resources, actorOf(request), {
        contract: dryRunRule,
        payload: { tenant_id: tenantId, rule_id: id },
        tenantId,
        options: {},
      });
      return reply.code(202).send({ task_id: task.id });
    },
  });
}
