/** WhatsApp: what became of a message, and what contacts write. */
import { applyDeliveryState, WHATSAPP_STATES } from '../whatsapp/delivery-state.js';
import { idSchema, MalformedWebhookError, parseJson } from '@stratum/shared/webhooks';
import type { PoolClient } from 'pg';
import { z } from 'zod';
import { contactsOf, shareConsent } from '../whatsapp/contacts.js';
import { contactOfMessage, noteInbound, noteOptOutOfMessage, type Consent } from './whatsapp-contact.js';
import { consentOf } from './whatsapp-words.js';
import { NOTHING, type IncomingEvent, type Plan } from './plan.js';

const seconds = z
  .union([z.string().regex(/^\d{1,12}$/), z.int().nonnegative()])
  .transform((value) => new Date(Number(value) * 1000));
const metadata = z.looseObject({ phone_number_id: idSchema });
const text = z.looseObject({ body: z.string() });
const number = z.string().regex(/^\d{5,20}$/);
/** Of a person at this business. https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids */
const userId = z.string().min(1).max(255);

const statusSchema = z.object({
  metadata,
  status: z.looseObject({
    id: idSchema,
    status: z.string(),
    recipient_id: z.string().optional(),
    recipient_user_id: z.string().optional(),
    biz_opaque_callback_data: z.string().optional(),
    errors: z.array(z.looseObject({ code: z.int(), title: z.string().optional() })).optional(),
  }),
});

const messageSchema = z.object({
  metadata,
  contact: z.looseObject({ wa_id: number.nullish(), user_id: userId.nullish() }).optional(),
  message: z.looseObject({
    from: number.nullish(),
    from_user_id: userId.nullish(),
    context: z.looseObject({ id: z.string().optional() }).nullish(),
    timestamp: seconds,
    type: z.string(),
    text: text.optional(),
    button: z.looseObject({ text: z.string() }).optional(),
    interactive: z
      .looseObject({
        button_reply: z.looseObject({ title: z.string() }).optional(),
        list_reply: z.looseObject({ title: z.string() }).optional(),
      })
      .optional(),
  }),
});

const preferenceSchema = z.object({
  change: z.looseObject({
    value: z.looseObject({
      metadata,
      user_preferences: z.array(
        z.looseObject({
          wa_id: number.nullish(),
          user_id: userId.nullish(),
          value: z.enum(['stop', 'resume']),
          timestamp: seconds,
        }),
      ),
    }),
  }),
});

/** The contact wants no more of it. */
const OPTED_OUT = 131050;

export function planWhatsappEvent(event: IncomingEvent): Plan {
  if (event.type.startsWith('status.')) return planStatus(event);
  if (event.type.startsWith('message.')) return planMessage(event);
  return event.type === 'user_preferences' ? planPreferences(event) : NOTHING;
}

function planStatus(event: IncomingEvent): Plan {
  const { status } = parseJson(event.body, statusSchema);
  const state = WHATSAPP_STATES.find((known) => known === status.status);
  // Others report states that the platform's messages do not have.
  if (state === undefined) return NOTHING;
  const [error] = status.errors ?? [];
  const reference = Number(status.biz_opaque_callback_data ?? NaN);
  return {
    effect: `message is ${state}`,
    tasks: [],
    change: async (client) => {
      const changed = await applyDeliveryState(client, {
        providerId: status.id,
        messageId: Number.isSafeInteger(reference) && reference > 0 ? reference : undefined,
        state,
        ...(error === undefined
          ? {}
          : { error: [`code ${error.code}`, error.title].filter(Boolean).join(': ') }),
      });
      const { recipient_id: recipient, recipient_user_id: user } = status;
      const known = await contactOfMessage(client, status.id);
      // Reports call the recipient by the name that WhatsApp has for it.
      const ids = [recipient, user].filter((id): id is string => id !== undefined && id !== '');
      if (known.length > 0 && ids.length > 0)
        await shareConsent(client, await contactsOf(client, { ...event, ids, known }));
      if (error?.code === OPTED_OUT) await noteOptOutOfMessage(client, status.id, event.receivedAt);
      return changed ? `message is ${state}` : 'unknown message, or already in a later state';
    },
  };
}

function planMessage(event: IncomingEvent): Plan {
  const { metadata: account, message, contact } = parseJson(event.body, messageSchema);
  const ids = idsOf(message.from, contact?.wa_id, message.from_user_id, contact?.user_id);
  const words =
    message.text?.body ??
    message.button?.text ??
    message.interactive?.button_reply?.title ??
    message.interactive?.list_reply?.title;
  const consent = words === undefined ? undefined : consentOf(words, event.settings);
  return {
    effect: 'records the contact’s message',
    tasks: [],
    change: (client) =>
      withAccount(client, account.phone_number_id, () =>
        noteInbound(client, event, {
          ids,
          answers: message.context?.id,
          at: message.timestamp,
          consent,
          wrote: true,
        }),
      ),
  };
}

function planPreferences(event: IncomingEvent): Plan {
  const { value } = parseJson(event.body, preferenceSchema).change;
  return {
    effect: 'records the preferences of contacts',
    tasks: [],
    change: (client) =>
      withAccount(client, value.metadata.phone_number_id, async () => {
        const done: string[] = [];
        for (const { wa_id: phone, user_id: user, value: wish, timestamp } of value.user_preferences) {
          const ids = idsOf(phone, user);
          const consent: Consent = wish === 'stop' ? 'opted_out' : 'opted_in';
          done.push(await noteInbound(client, event, { ids, at: timestamp, consent, wrote: false }));
        }
        return done.join('; ');
      }),
  };
}

/** Each once, numbers first. @throws MalformedWebhookError where there is none */
function idsOf(...ids: readonly (string | null | undefined)[]): string[] {
  const found = [...new Set(ids.filter((id) => typeof id === 'string'))];
  if (found.length === 0)
    throw new MalformedWebhookError('The body is not as expected: it names no sender by wa_id or user_id.');
  return found.toSorted((one, other) => Number(isNumber(other)) - Number(isNumber(one)));
}

function isNumber(id: string): boolean {
  return number.safeParse(id).success;
}

/** One app at Meta can serve several tenants: only numbers of this one count. */
async function withAccount(
  client: PoolClient,
  phoneNumberId: string,
  work: () => Promise<string>,
): Promise<string> {
  const { rowCount } = await client.query('SELECT FROM whatsapp_account WHERE phone_number_id = $1', [
    phoneNumberId,
  ]);
  return rowCount === 0 ? 'not a number of this tenant' : work();
}
