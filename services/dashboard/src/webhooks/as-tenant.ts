/** What the routes of both directions share. */
import { withTenant } from '@stratum/shared';
import { notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { scopeOf } from '../http/guard.js';
import type { DashboardResources } from '../http/types.js';

export const DELIVERIES_PER_PAGE = 50;
const positive = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const webhookPlace = z.object({ tenant: positive, id: z.string().regex(/^[a-z0-9]{16}$/) });
/** The last one of the page before. */
export const beforeDelivery = positive.optional();

/** Works as the tenant of the address. @throws ProblemError `not-found` for another tenant's */
export function asTenant<Result>(
  { pool }: DashboardResources,
  request: FastifyRequest,
  { tenant: tenantId, what }: { tenant: number; what: string },
  work: (client: PoolClient) => Promise<Result | undefined>,
): Promise<Result> {
  const scope = scopeOf(request);
  const isOwn = scope === 'platform' || scope === String(tenantId);
  return (isOwn ? withTenant(pool, tenantId, work) : Promise.resolve(undefined)).then((found) => {
    if (found === undefined) throw notFound(what);
    return found;
  });
}
