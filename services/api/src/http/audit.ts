/**
 * Every change through the API, and every reading of a person's data, is published to the audit stream before it takes effect: an event may
 * report a change that then failed, but no change goes unreported.
 */
import { randomUUID } from 'node:crypto';
import { PLATFORM_TENANT_ID, publishAudit } from '@stratum/shared';
import type { FastifyRequest } from 'fastify';
import { principalOf } from '../auth/authenticate.js';
import { ProblemError } from './problem.js';
import type { ApiResources } from './types.js';

export interface AuditedChange {
  /** The action, for example `task.enqueued`. */
  action: string;
  /** To what, for example `task/17`. */
  subject: string;
  /** Never secrets, never payloads. */
  details?: Record<string, unknown>;
  /** Whose it is. `undefined`: the platform's. */
  tenantId: number | undefined;
}

/** Who changes something, and in which request. */
export interface Actor {
  actor: string;
  request: string;
}

/** Resolves once the broker has stored it. @throws ProblemError `unavailable`: then nothing may be changed */
export async function audit(
  resources: Pick<ApiResources, 'connection' | 'configuration'>,
  request: FastifyRequest,
  change: AuditedChange,
): Promise<void> {
  await auditAs(resources, actorOf(request), change);
}

export function actorOf(request: FastifyRequest): Actor {
  return { actor: `key/${principalOf(request).keyId}`, request: request.id };
}

/** The same for who has no key. */
export async function auditAs(
  { connection, configuration }: Pick<ApiResources, 'connection' | 'configuration'>,
  { actor, request }: Actor,
  change: AuditedChange,
): Promise<void> {
  try {
    await publishAudit(connection, configuration.STRATUM_PREFIX, {
      id: randomUUID(),
      tenant_id: change.tenantId ?? PLATFORM_TENANT_ID,
      actor,
      action: change.action,
      subject: change.subject,
      details: { ...change.details, request },
      occurred_at: new Date().toISOString(),
    });
  } catch (cause) {
    throw new ProblemError(
      'unavailable',
      'The audit event could not be written, so nothing was changed or shown. Try again in a moment.',
      { retryAfter: 1, cause },
    );
  }
}
