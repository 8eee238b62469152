/** The audit log of the tenant that asks, or of the platform. */
import { plainText, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import {
  AUDIT_COLUMNS,
  auditEventSchema,
  auditLines,
  readAuditLog,
  toAuditEventView,
} from '@stratum/shared/audit';
import { z } from 'zod';
import { tenantOf } from '../auth/authenticate.js';
import { position, time } from '../http/bounded.js';
import { cutPage, decodeCursor, pageOf, pageQuery } from '../http/pages.js';
import type { ApiResources, ApiServer } from '../http/types.js';

const MAX_FILTER = 200;
const filter = plainText(MAX_FILTER).min(1).optional();
const NEXT_CURSOR = 'stratum-next-cursor';

export function auditRoutes(app: ApiServer, { pool }: ApiResources): void {
  app.route({
    method: 'GET',
    url: '/v1/audit',
    config: { access: 'audit:read' },
    schema: {
      tags: ['audit'],
      summary: 'List who changed or read what, newest first',
      description: `Events arrive within a minute. With \`format\`, the page is a file, and the header \`${NEXT_CURSOR}\` has the cursor of the next one.`,
      querystring: pageQuery.extend({
        actor: filter,
        action: filter.describe('A `*` at its end stands for any rest: `key.*`.'),
        subject: filter,
        since: time.optional(),
        until: time.optional().describe('Before this time.'),
        format: z.enum(['json', 'csv', 'ndjson']).default('json'),
      }),
      response: {
        200: {
          content: {
            'application/json': { schema: pageOf(auditEventSchema) },
            'text/csv': { schema: z.string() },
            'application/x-ndjson': { schema: z.string() },
          },
        },
      },
    },
    handler: async (request, reply) => {
      const { limit, cursor, format, ...wanted } = request.query;
      const tenantId = tenantOf(request) ?? PLATFORM_TENANT_ID;
      const before = decodeCursor(position, cursor);
      const rows = await withTenant(pool, tenantId, (client) =>
        readAuditLog(client, tenantId, { ...wanted, before, limit: limit + 1 }),
      );
      const page = cutPage(rows, limit, toAuditEventView, (row) => row.sequence);
      if (format === 'json') return page;
      if (page.next_cursor !== null) reply.header(NEXT_CURSOR, page.next_cursor);
      const header = format === 'csv' ? [AUDIT_COLUMNS.join(',')] : [];
      const lines = [...header, ...auditLines(rows.slice(0, limit), format)];
      return reply
        .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson')
        .serializer(String)
        .send(lines.map((line) => `${line}\n`).join(''));
    },
  });
}
