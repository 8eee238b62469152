/** The stream of audit events: every change publishes one, and a job stores it in the hash chain. */
import { jetstream } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { reconcileStreams, type ReconcileOptions } from '@stratum/jobs';
import { instantSchema, scopedName } from '@stratum/jobs/internal';
import { z } from 'zod';
import type { Configuration } from '../configuration/configuration.js';
import { ensureWorkQueueStream } from '../work-queue-stream.js';
import type { AuditAction } from './actions.js';
import { anchorStream } from './audit-anchors.js';

export const auditEventSchema = z.object({
  /** Unique; an event that is published twice is stored once. */
  id: z.string().min(1).max(200),
  /** `PLATFORM_TENANT_ID` for what concerns the platform as a whole. */
  tenant_id: z.int().nonnegative(),
  /** The actor: a user, a key, a rule, a job. */
  actor: z.string().min(1),
  /** For example `campaign.paused`. */
  action: z.string().min(1),
  /** To what, for example `campaign/17`. */
  subject: z.string(),
  /** The changed fields: never secrets. */
  details: z.record(z.string(), z.unknown()),
  occurred_at: instantSchema,
});
export type AuditEvent = z.infer<typeof auditEventSchema>;
/** As it is published; what is read may be of another version. */
export type NewAuditEvent = AuditEvent & { action: AuditAction };

export interface AuditNames {
  stream: string;
  subject: (tenantId: number) => string;
  filter: string;
  consumer: string;
}

const DUPLICATE_WINDOW_NS = 120e9;
const ACK_WAIT_NS = 60e9;
const PUBLISH_TIMEOUT_MS = 5_000;

export function auditNames(prefix: string): AuditNames {
  return {
    stream: scopedName(prefix, 'AUDIT'),
    subject: (tenantId) => `${prefix}.audit.${tenantId}`,
    filter: `${prefix}.audit.>`,
    consumer: 'process-audit-logs',
  };
}

/** Brings the stream, its consumer and the stream of the anchors to what is configured. */
export async function ensureAuditStream(
  connection: NatsConnection,
  configuration: Pick<Configuration, 'STRATUM_PREFIX' | 'STRATUM_REPLICAS' | 'AUDIT_MAX_BYTES'>,
  options?: ReconcileOptions,
): Promise<void> {
  const names = auditNames(configuration.STRATUM_PREFIX);
  const declared = {
    ...names,
    description: 'Audit events on their way to the database',
    replicas: configuration.STRATUM_REPLICAS,
    maxBytes: configuration.AUDIT_MAX_BYTES,
    ackWaitNs: ACK_WAIT_NS,
    duplicateWindowNs: DUPLICATE_WINDOW_NS,
  };
  await ensureWorkQueueStream(connection, declared, options);
  const { STRATUM_PREFIX: prefix, STRATUM_REPLICAS: replicas } = configuration;
  await reconcileStreams(connection, [anchorStream(prefix, replicas)], options);
}

/** Resolves once the broker has stored it. */
export async function publishAudit(
  connection: NatsConnection,
  prefix: string,
  event: NewAuditEvent,
): Promise<void> {
  const headers = newHeaders();
  headers.set('Nats-Msg-Id', event.id);
  const { subject } = auditNames(prefix);
  await jetstream(connection).publish(
    subject(event.tenant_id),
    JSON.stringify(auditEventSchema.parse(event)),
    {
      headers,
      timeout: PUBLISH_TIMEOUT_MS,
    },
  );
}
