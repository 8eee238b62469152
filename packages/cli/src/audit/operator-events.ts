/** Events of the audit log about what an operator does with the command. */
import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { ensureAuditStream, loadConfiguration, PLATFORM_TENANT_ID, publishAudit } from '@stratum/shared';
import type { AuditAction } from '@stratum/shared/audit';
import type { NatsConnection } from '@nats-io/transport-node';
import { localEnvironment } from '../environment.js';

export interface OperatorEvent {
  action: AuditAction;
  /** To what, for example `queue/sync`. */
  subject: string;
  details?: Record<string, unknown> | undefined;
  /** Default: the platform's. */
  tenantId?: number | undefined;
}

/** Resolves once the broker has stored the event. */
export type RecordEvent = (event: OperatorEvent) => Promise<void>;

/** As the audit log names whoever runs a command. */
export function operatorName(): string {
  return `cli/${userName()}@${hostname()}`;
}

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}

/** @param options `create`: whether a stream that is missing is created, or the event dropped: an own application may run without the platform */
export function operatorEvents(connection: NatsConnection, { create }: { create: boolean }): RecordEvent {
  let opening: Promise<string> | undefined;
  const open = async (): Promise<string> => {
    const configuration = loadConfiguration(
      ['STRATUM_PREFIX', 'STRATUM_REPLICAS', 'AUDIT_MAX_BYTES'],
      await localEnvironment(),
    );
    // The settings of the running services may differ from those here.
    if (create) await ensureAuditStream(connection, configuration, { update: false });
    return configuration.STRATUM_PREFIX;
  };
  return async ({ action, subject, details = {}, tenantId = PLATFORM_TENANT_ID }) => {
    const event = {
      id: randomUUID(),
      tenant_id: tenantId,
      actor: operatorName(),
      action,
      subject,
      details,
      occurred_at: new Date().toISOString(),
    };
    opening ??= open();
    await publishAudit(connection, await opening, event).catch((error: unknown) => {
      if (create || !isWithoutStream(error)) throw error;
    });
  };
}

function isWithoutStream(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'NoRespondersError' ||
      error.name === 'JetStreamNotEnabled' ||
      isWithoutStream(error.cause))
  );
}
