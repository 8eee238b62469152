/**
 * WhatsApp Cloud API. Numbers with a certain end meet a fault: `…0026` cannot be reached, `…0050` has opted out, `…0429` is asked to come later
 * once, `…0500` gets its message while we get an error, `…0190` finds the token expired.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { SANDBOX_CREDENTIALS } from './platforms/adapter.js';

const messageBody = z.looseObject({
  messaging_product: z.literal('whatsapp'),
  to: z.string().regex(/^\d{6,15}$/),
  type: z.enum(['text', 'template']),
  biz_opaque_callback_data: z.string().optional(),
});

export interface SentMessage {
  id: string;
  from: string;
  to: string;
  reference: string | undefined;
}

export class Messages {
  readonly sent: SentMessage[] = [];
  private readonly delayed = new Set<string>();

  register(app: FastifyInstance): void {
    app.post<{ Params: { phone: string } }>('/whatsapp/v26.0/:phone/messages', async (request, reply) => {
      const refuse = (status: number, code: number) =>
        reply.code(status).send({ error: { code, message: `(#${code})`, fbtrace_id: 'sandbox' } });
      if (request.headers.authorization !== `Bearer ${SANDBOX_CREDENTIALS.metaAccessToken}`)
        return refuse(401, 190);
      const body = messageBody.safeParse(request.body).data;
      if (body === undefined) return refuse(400, 100);
      const { to } = body;
      if (to.endsWith('0190')) return refuse(401, 190);
      if (to.endsWith('0026')) return refuse(400, 131026);
      if (to.endsWith('0050')) return refuse(400, 131050);
      if (to.endsWith('0429') && !this.delayed.has(to)) {
        this.delayed.add(to);
        reply.header('retry-after', '0');
        return refuse(429, 130429);
      }
      const id = `wamid.${this.sent.length + 1}`;
      this.sent.push({ id, from: request.params.phone, to, reference: body.biz_opaque_callback_data });
      if (to.endsWith('0500')) return refuse(500, 131000);
      return reply.send({
        messaging_product: 'whatsapp',
        contacts: [{ input: to, wa_id: to }],
        messages: [{ id, message_status: 'accepted' }],
      });
    });
  }
}
