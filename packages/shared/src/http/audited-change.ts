/**
 * Every change by a person, and every reading of a person's data, is published to the audit stream before it takes effect: an event may
 * report a change that then failed, but no change goes unreported.
 */
import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { AuditAction } from '../audit/actions.js';
import { publishAudit } from '../audit/audit-stream.js';
import { PLATFORM_TENANT_ID } from '../database/tenants.js';
import { ProblemError } from './problem.js';

export interface AuditedChange {
  action: AuditAction;
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

/**
 * Resolves once the broker has stored it.
 * @throws ProblemError `unavailable`: then nothing may be changed
 */
export async function auditChange(
  { connection, prefix }: { connection: NatsConnection; prefix: string },
  by: Actor,
  change: AuditedChange,
): Promise<void> {
  try {
    await publishAudit(connection, prefix, {
      id: randomUUID(),
      tenant_id: change.tenantId ?? PLATFORM_TENANT_ID,
      actor: by.actor,
      action: change.action,
      subject: change.subject,
      details: { ...change.details, request: by.request },
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
