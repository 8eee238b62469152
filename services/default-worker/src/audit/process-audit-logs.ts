/**
 * `process_audit_logs`: drains the audit stream into the database, and anchors the chains that grew. A message is acknowledged after its event is committed; one that comes
 * again is known by its id.
 */
import { jetstream, type Consumer, type JsMsg } from '@nats-io/jetstream';
import type { HandlerFor } from '@stratum/jobs';
import {
  auditEventSchema,
  auditNames,
  withTenant,
  type AuditEvent,
  type processAuditLogs,
} from '@stratum/shared';
import { anchorChains } from './anchor-chains.js';
import { appendAuditEvents } from './audit-chain.js';
import type { DefaultDependencies } from '../dependencies.js';

const BATCH = 500;
const BATCH_EXPIRES_MS = 1_000;
/** An event whose tenant cannot take it now waits so long. */
const AGAIN_AFTER_MS = 60_000;

interface Received {
  event: AuditEvent;
  message: JsMsg;
}

export function processAuditLogsHandler(
  dependencies: Pick<DefaultDependencies, 'pool' | 'connection' | 'prefix' | 'audit'>,
): HandlerFor<typeof processAuditLogs> {
  const { pool, connection, prefix, audit } = dependencies;
  return async (_payload, context) => {
    const names = auditNames(prefix);
    const consumer = await jetstream(connection).consumers.get(names.stream, names.consumer);
    const sum = { written: 0, repeated: 0, refused: 0 };
    // A fetch waits for missing messages, so it requests no more than exist.
    for (
      let waiting = await waitingIn(consumer);
      waiting > 0 && !context.signal.aborted;
      waiting = await waitingIn(consumer)
    ) {
      const byTenant = new Map<number, Received[]>();
      let count = 0;
      for await (const message of await consumer.fetch({
        max_messages: Math.min(BATCH, waiting),
        expires: BATCH_EXPIRES_MS,
      })) {
        count++;
        const event = eventOf(message);
        if (event === undefined) {
          context.logger.error(
            { subject: message.subject, sequence: message.seq },
            'an audit event of unknown form is dropped',
          );
          message.term('unknown form');
          sum.refused++;
        } else {
          byTenant.set(event.tenant_id, [...(byTenant.get(event.tenant_id) ?? []), { event, message }]);
        }
      }
      // All that is left is with somebody else, or put off.
      if (count === 0) break;
      for (const [tenantId, received] of byTenant) {
        try {
          const events = received.map(({ event }) => event);
          const written = await withTenant(pool, tenantId, (client) =>
            appendAuditEvents(client, { tenantId, keys: audit.keys }, events),
          );
          // Acknowledged before the broker is asked for the remainder.
          await Promise.all(received.map(({ message }) => message.ackAck()));
          sum.written += written;
          sum.repeated += received.length - written;
        } catch (error) {
          context.logger.error(
            { err: error, tenantId, events: received.length },
            'audit events of a tenant are waiting',
          );
          for (const { message } of received) message.nak(AGAIN_AFTER_MS);
          sum.refused += received.length;
        }
      }
    }
    await anchorChains(dependencies);
    return sum;
  };
}

/** Counts unacknowledged messages as well: a lost worker has left them, and they are delivered again. */
async function waitingIn(consumer: Consumer): Promise<number> {
  const { num_pending: fresh, num_ack_pending: unsettled } = await consumer.info();
  return fresh + unsettled;
}

function eventOf(message: JsMsg): AuditEvent | undefined {
  try {
    return auditEventSchema.safeParse(message.json()).data;
  } catch {
    return undefined;
  }
}
