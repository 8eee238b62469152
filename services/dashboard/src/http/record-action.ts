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

/**
 * Writes that somebody signs in. Never rejects: while the broker is away, people must get in to see it. The log then has the event, and the
 * database the session.
 */
export async function recordSignIn(
  { connection, configuration }: Pick<DashboardResources, 'connection' | 'configuration'>,
  request: FastifyRequest,
  { actor, tenantId }: { actor: string; tenantId: number | undefined },
): Promise<void> {
  try {
    await auditChange(
      { connection, prefix: configuration.STRATUM_PREFIX },
      { actor, request: request.id },
      { action: 'session.opened', subject: actor, tenantId },
    );
  } catch (error) {
    request.log.warn({ err: error, actor }, 'A sign-in could not be written to the audit log.');
  }
}
