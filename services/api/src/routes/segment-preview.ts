/** The preview of a segment; its definition is a record. */
import { previewCdpSegment } from '@stratum/shared';
import { segmentTreeSchema } from '@stratum/shared/customer-data';
import { z } from 'zod';
import { requireTenant } from '../auth/authenticate.js';
import { actorOf } from '../http/audit.js';
import type { ApiResources, ApiServer } from '../http/types.js';
import { enqueueReported } from '../tasks/enqueue-reported.js';

export function segmentPreviewRoute(app: ApiServer, resources: ApiResources): void {
  app.route({
    method: 'POST',
    url: '/v1/segments/preview',
    config: { access: 'segments:admin' },
    schema: {
      tags: ['segments'],
      summary: 'Count what a segment would hold, before it is saved',
      description:
        'Enqueues a task that counts the profiles, and the values that the segment compares as numbers or times and that are neither. It takes at most half a minute; `GET /v1/tasks/{id}/result?wait=30` has the answer.',
      body: z.strictObject({ definition: segmentTreeSchema.describe('See the guide on segments.') }),
      response: { 202: z.object({ task_id: z.string() }) },
    },
    handler: async (request, reply) => {
      const tenantId = requireTenant(request);
      const task = await enqueueReported(resources, actorOf(request), {
        contract: previewCdpSegment,
        payload: { tenant_id: tenantId, definition: request.body.definition },
        tenantId,
        options: {},
      });
      return reply.code(202).send({ task_id: task.id });
    },
  });
}
