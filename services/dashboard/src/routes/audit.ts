/** The audit log: who changed or read what. */
import { plainText, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import { auditEventSchema, readAuditLog, toAuditEventView } from '@stratum/shared/audit';
import { z } from 'zod';
import { viewerOf } from '../http/guard.js';
import type { DashboardResources, DashboardServer } from '../http/types.js';

const PAGE = 50;
const MAX_FILTER = 200;
const filter = plainText(MAX_FILTER).min(1).optional();

const auditPage = z.object({
  items: z.array(auditEventSchema).describe('The newest first.'),
  next: z.int().nullable().describe('`before` of the next page; `null` after the last.'),
});
export type AuditPage = z.output<typeof auditPage>;

export function auditRoutes(app: DashboardServer, { pool }: DashboardResources): void {
  app.route({
    method: 'GET',
    url: '/api/audit',
    config: { access: 'audit:see' },
    schema: {
      tags: ['Audit'],
      summary: 'List audit events, the newest first',
      querystring: z.object({
        actor: filter,
        action: filter,
        subject: filter,
        before: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
      }),
      response: { 200: auditPage },
    },
    handler: async (request): Promise<AuditPage> => {
      const tenantId = viewerOf(request).tenantId ?? PLATFORM_TENANT_ID;
      const rows = await withTenant(pool, tenantId, (client) =>
        readAuditLog(client, tenantId, { ...request.query, limit: PAGE + 1 }),
      );
      const items = rows.slice(0, PAGE);
      return {
        items: items.map(toAuditEventView),
        next: rows.length > PAGE ? (items.at(-1)?.sequence ?? null) : null,
      };
    },
  });
}
