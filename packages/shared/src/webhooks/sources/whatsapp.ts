/** WhatsApp Cloud API: what became of messages, and messages that come in. */
import { z } from 'zod';
import { idSchema, parseJson, textOf } from '../json.js';
import { digestOf } from '../signature.js';
import type { WebhookEvent, WebhookRequest, WebhookSource } from '../source.js';
import { metaHandshake, metaSettings, verifyHubSignature } from './meta.js';

const settings = metaSettings.extend({
  opt_out_words: z
    .array(z.string().trim().min(1).max(50))
    .max(100)
    .optional()
    .describe(
      'A message that is one of these words opts its sender out. Default: STOP and its like in several languages.',
    ),
  opt_in_words: z
    .array(z.string().trim().min(1).max(50))
    .max(100)
    .optional()
    .describe('A message that is one of these words opts its sender in. Default: START, UNSTOP, SUBSCRIBE.'),
});
export type WhatsappSettings = z.output<typeof settings>;

const envelope = z.object({
  object: z.string(),
  entry: z.array(
    z.looseObject({
      changes: z.array(
        z.looseObject({
          field: z.string(),
          value: z.looseObject({
            metadata: z.looseObject({ phone_number_id: idSchema }).optional(),
            contacts: z.array(z.looseObject({})).optional(),
            messages: z
              .array(z.looseObject({ id: idSchema, type: z.string().default('unknown') }))
              .optional(),
            statuses: z.array(z.looseObject({ id: idSchema, status: z.string() })).optional(),
          }),
        }),
      ),
    }),
  ),
});

function events(request: WebhookRequest): WebhookEvent[] {
  const { entry } = parseJson(textOf(request), envelope);
  return entry.flatMap(({ changes, id, time }) =>
    changes.flatMap(({ field, value }): WebhookEvent[] => {
      const { metadata, messages = [], statuses = [], contacts = [] } = value;
      const eventOf = (key: string, type: string, content: object): WebhookEvent => ({
        key,
        identity: key,
        type,
        body: JSON.stringify({ metadata, ...content }),
      });
      const parts = [
        ...messages.map((message) =>
          eventOf(`message/${message.id}`, `message.${message.type}`, {
            message,
            ...senderOf(message, contacts),
          }),
        ),
        ...statuses.map((status) =>
          eventOf(`status/${status.id}/${status.status}`, `status.${status.status}`, { status }),
        ),
      ];
      if (parts.length > 0) return parts;
      const body = JSON.stringify({ entry: { id, time }, change: { field, value } });
      const key = digestOf(body);
      return [{ key, identity: key, type: field, body }];
    }),
  );
}

type Fields = Readonly<Record<string, unknown>>;

/** The contact that has sent the message: it may have a name that the message does not say. */
function senderOf(message: Fields, contacts: readonly Fields[]): { contact?: Fields } {
  const { from, from_user_id: user } = message;
  const contact = contacts.find(
    ({ wa_id: waId, user_id: userId }) =>
      (waId !== undefined && waId === from) || (userId !== undefined && userId === user),
  );
  return contact === undefined ? {} : { contact: { wa_id: contact['wa_id'], user_id: contact['user_id'] } };
}

export const whatsapp: WebhookSource<WhatsappSettings> = {
  name: 'whatsapp',
  title: 'WhatsApp Cloud API: the app’s secret signs',
  secret: 'theirs',
  settings,
  keptHeaders: [],
  verify: verifyHubSignature,
  events,
  handshake: metaHandshake,
};
