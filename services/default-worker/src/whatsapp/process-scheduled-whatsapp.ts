/** `process_scheduled_whatsapp`: claims due messages and enqueues one task for each. A message claimed and not enqueued is claimed again later. */
import type { HandlerFor } from '@stratum/jobs';
import { sendWhatsappMessage, tickTime, type processScheduledWhatsapp } from '@stratum/shared';
import type { Pool } from 'pg';

const BATCH = 1_000;

export function processScheduledWhatsappHandler({
  pool,
}: {
  pool: Pool;
}): HandlerFor<typeof processScheduledWhatsapp> {
  return async (_payload, context) => {
    let enqueued = 0;
    for (let count = BATCH; count === BATCH && !context.signal.aborted;) {
      const { rows } = await pool.query<{ tenant_id: string; message_id: string }>(
        'SELECT * FROM claim_due_messages($1, $2)',
        [tickTime(context), BATCH],
      );
      const items = rows.map(({ tenant_id: tenantId, message_id: messageId }) => ({
        payload: { tenant_id: Number(tenantId), message_id: Number(messageId) },
        // A claim that was lost is made again, so the id carries the claim's tick.
        options: {
          id: `whatsapp-${messageId}-${tickTime(context).getTime()}`,
          // One that waits for WhatsApp to come back outlives its claim: another one would only wait behind it.
          uniqueKey: `whatsapp-${messageId}`,
        },
      }));
      const results = await context.enqueueMany(sendWhatsappMessage, items);
      enqueued += results.filter(({ duplicate }) => !duplicate).length;
      count = rows.length;
    }
    return { enqueued };
  };
}
