/** Writes what a viewer is about to do into the audit log. */
import type { AuditAction } from '@stratum/shared/audit';
import { auditChange } from '@stratum/shared/http';
import type { FastifyRequest } from 'fastify';
import { viewerOf } from './guard.js';
import type { DashboardResources } from './types.js';

export interface ViewerAction {
  action: AuditAction;
  subject: string;
  /** `undefined`: the platform's. */
  tenantId?: number | undefined;
  details?: Record<string, unknown>;
}

/** Resolves once the event is stored: call it before the change. */
export function recordAction(
  { connection, configuration }: Pick<DashboardResources, 'connection' | 'configuration'>,
  request: FastifyRequest,
  { tenantId, details = {}, ...change }: ViewerAction,
): Promise<void> {
  return auditChange(
    { connection, prefix: configuration.STRATUM_PREFIX },
    { actor: viewerOf(request).actor, request: request.id },
    { ...change, tenantId, details },
  );
}
