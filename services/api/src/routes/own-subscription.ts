/** Shared by the subscription routes: the answer for a missing subscription, and the audit trail. */
import type { AuditAction } from '@stratum/shared/audit';
import type { Subscription } from '@stratum/shared/subscriptions';
import { notFound } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { requireTenant } from '../auth/authenticate.js';
import { audit } from '../http/audit.js';
import type { ApiResources } from '../http/types.js';

/** Tells the audit trail of a change, before it takes effect. */
export function auditSubscription(
  resources: ApiResources,
  request: FastifyRequest,
  action: AuditAction,
  id: string,
  details: Record<string, unknown> = {},
): Promise<void> {
  return audit(resources, request, {
    action,
    subject: `subscription/${id}`,
    tenantId: requireTenant(request),
    details,
  });
}

export function unknownSubscription(id: string): Error {
  return notFound(`The subscription "${id}"`);
}

/** @throws ProblemError `not-found` */
export function existing(subscription: Subscription | undefined, id: string): Subscription {
  if (subscription === undefined) throw unknownSubscription(id);
  return subscription;
}
