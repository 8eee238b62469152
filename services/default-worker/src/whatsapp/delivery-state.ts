/** The delivery state of a WhatsApp message, as its provider reports it: out of order and sometimes twice. */
import type { Queryable } from '@stratum/shared';

export const WHATSAPP_STATES = ['sent', 'delivered', 'read', 'failed'] as const;
export type WhatsAppState = (typeof WHATSAPP_STATES)[number];

/** A late "delivered" never replaces "read"; a failure replaces only what has not arrived. */
const EARLIER: Readonly<Record<WhatsAppState, readonly string[]>> = {
  sent: ['sending', 'unknown', 'accepted'],
  delivered: ['sending', 'unknown', 'accepted', 'sent'],
  read: ['sending', 'unknown', 'accepted', 'sent', 'delivered'],
  failed: ['sending', 'unknown', 'accepted', 'sent'],
};

/**
 * Inside the caller's transaction, as the tenant. The message is found by the provider's id, or by our own, which went out with
 * it: so a message whose sending had an unknown end is settled, too. Returns whether anything changed.
 */
export async function applyDeliveryState(
  client: Queryable,
  event: { providerId: string; messageId: number | undefined; state: WhatsAppState; error?: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `UPDATE whatsapp_message SET state = $3, provider_id = coalesce(provider_id, $1), error = $4
     WHERE (provider_id = $1 OR (provider_id IS NULL AND id = $2)) AND state = ANY($5)`,
    [event.providerId, event.messageId ?? null, event.state, event.error ?? null, EARLIER[event.state]],
  );
  return (rowCount ?? 0) > 0;
}
