/** Numbers, contacts, templates and messages, which `process_scheduled_whatsapp` sends. */
import { z } from 'zod';
import { sealCredentials } from '../credentials/credentials.js';
import { contactRow } from '../lookup/contact-row.js';
import { lookupHashes, plainHash } from '../lookup/lookup-hash.js';
import { phoneVariants } from '../lookup/phone-variants.js';
import { digits, given, instant, recordId, secretText, shownTime } from './fields.js';
import { RecordError, type Fields, type RecordContext, type RecordKind } from './record.js';

const MAX_PER_MINUTE = 100_000;
const MAX_PARAMETERS = 100;
const MAX_TEXT = 4_096;
const scopes = { read: 'messages:read', write: 'messages:admin' } as const;
const accountStatus = z.enum(['active', 'paused']);
const perMinute = z.int().min(1).max(MAX_PER_MINUTE).describe('Messages in a minute at most.');

export const whatsappAccounts: RecordKind = {
  noun: 'account',
  plural: 'accounts',
  path: 'whatsapp/accounts',
  scopes,
  table: 'whatsapp_account',
  columns: {
    id: 'id',
    phone_number_id: 'phone_number_id',
    status: 'status',
    status_reason: 'status_reason',
    per_minute: 'per_minute',
  },
  view: z
    .object({
      id: recordId,
      phone_number_id: z.string(),
      status: accountStatus,
      status_reason: z.string().nullable(),
      per_minute: z.int(),
    })
    .meta({ id: 'WhatsappAccount' }),
  create: z.strictObject({
    phone_number_id: digits.describe('Id of the number, as Meta shows it.'),
    access_token: secretText,
    per_minute: perMinute.optional(),
    status: accountStatus.optional(),
  }),
  change: z
    .strictObject({ access_token: secretText, per_minute: perMinute, status: accountStatus })
    .partial(),
  toRow: (fields, { keys, tenantId, before }) => {
    const row = given(fields, ['phone_number_id', 'per_minute', 'status']);
    if (fields['status'] === 'active' && before !== undefined) row['status_reason'] = null;
    const { access_token: token } = fields;
    if (token === undefined) return row;
    const externalId = String(before?.['phone_number_id'] ?? fields['phone_number_id']);
    const sealed = sealCredentials(
      keys,
      { tenantId, platform: 'whatsapp', externalId },
      { access_token: token },
    );
    return { ...row, secret: sealed.ciphertext, secret_key_id: sealed.keyId };
  },
};

const consent = {
  opted_in_at: instant.nullable().describe('When the contact agreed to messages. Without it none is sent.'),
  opted_out_at: instant.nullable(),
};

export const whatsappContacts: RecordKind = {
  noun: 'contact',
  plural: 'contacts',
  path: 'whatsapp/contacts',
  scopes,
  table: 'whatsapp_contact',
  personal: { table: 'whatsapp_contact', unaudited: [] },
  columns: {
    id: 'id',
    opted_in_at: 'opted_in_at',
    opted_out_at: 'opted_out_at',
    last_inbound_at: 'last_inbound_at',
  },
  view: z
    .object({
      id: recordId,
      opted_in_at: shownTime,
      opted_out_at: shownTime,
      last_inbound_at: shownTime.describe('When the contact last wrote: a day long free texts may be sent.'),
    })
    .meta({ id: 'WhatsappContact' }),
  create: z.strictObject({
    ...z.strictObject(consent).partial().shape,
    phone: z
      .string()
      .regex(/^\+?[\d\s()./-]{6,25}$/, 'must be a number with the code of its country')
      .transform((text) => text.replaceAll(/\D/g, ''))
      .describe('With the code of the country. Stored encrypted, never shown.'),
  }),
  change: z.strictObject(consent).partial(),
  toRow: async (fields, context) => ({
    ...given(fields, ['opted_in_at', 'opted_out_at']),
    ...(typeof fields['phone'] === 'string' ? await phoneRow(fields['phone'], context) : {}),
  }),
};

/** The number is found by its hash. A contact of an older key is the same contact. */
async function phoneRow(phone: string, { client, keys, tenantId }: RecordContext): Promise<Fields> {
  const { rowCount } = await client.query(
    `SELECT FROM whatsapp_contact WHERE tenant_id = current_tenant()
       AND phone_hash = ANY (SELECT decode(hash, 'hex') FROM unnest($1::text[]) AS hash) LIMIT 1`,
    [phoneVariants(phone).flatMap((each) => lookupHashes(keys, tenantId, plainHash(each)))],
  );
  if (rowCount !== 0)
    throw new RecordError('conflict', 'phone: there is a contact with this number already', 'phone');
  return { ...contactRow(keys, tenantId, phone) };
}

const templateStatus = z.enum(['pending', 'approved', 'paused', 'rejected']).describe('As Meta shows it.');
const parameterCount = z
  .int()
  .min(0)
  .max(MAX_PARAMETERS)
  .describe('Places in the text that a message fills.');

export const whatsappTemplates: RecordKind = {
  noun: 'template',
  plural: 'templates',
  path: 'whatsapp/templates',
  scopes,
  table: 'whatsapp_template',
  columns: { id: 'id', name: 'name', language: 'language', status: 'status', parameters: 'parameters' },
  view: z
    .object({
      id: recordId,
      name: z.string(),
      language: z.string(),
      status: templateStatus,
      parameters: z.int(),
    })
    .meta({ id: 'WhatsappTemplate' }),
  create: z.strictObject({
    name: z.string().regex(/^[a-z0-9_]{1,512}$/, 'must be lower-case letters, digits and _'),
    language: z.string().regex(/^[a-z]{2,3}(_[A-Za-z]{2,4})?$/, 'must be a language such as en or pt_BR'),
    status: templateStatus.optional(),
    parameters: parameterCount.optional(),
  }),
  change: z.strictObject({ status: templateStatus, parameters: parameterCount }).partial(),
  toRow: (fields) => given(fields, ['name', 'language', 'status', 'parameters']),
};

const at = instant.describe('When it is sent.');

export const whatsappMessages: RecordKind = {
  noun: 'message',
  plural: 'messages',
  path: 'whatsapp/messages',
  scopes,
  table: 'whatsapp_message',
  personal: { table: 'whatsapp_message', unaudited: ['body', 'parameters'] },
  columns: {
    id: 'id',
    account_id: 'account_id',
    contact_id: 'contact_id',
    template_id: 'template_id',
    parameters: 'parameters',
    body: 'body',
    scheduled_at: 'scheduled_at',
    state: 'state',
    sent_at: 'sent_at',
    error: 'error',
  },
  view: z
    .object({
      id: recordId,
      account_id: recordId,
      contact_id: recordId,
      template_id: recordId.nullable(),
      parameters: z.array(z.string()),
      body: z.string().nullable(),
      scheduled_at: z.iso.datetime({ offset: true }),
      state: z.string(),
      sent_at: shownTime,
      error: z.string().nullable(),
    })
    .meta({ id: 'WhatsappMessage' }),
  create: z.strictObject({
    account_id: recordId,
    contact_id: recordId,
    template_id: recordId.optional(),
    parameters: z.array(z.string().max(MAX_TEXT)).max(MAX_PARAMETERS).optional(),
    body: z
      .string()
      .min(1)
      .max(MAX_TEXT)
      .optional()
      .describe('Free text, instead of a template: only within a day after the contact wrote.'),
    scheduled_at: at.optional().describe('When it is sent. Default: now.'),
  }),
  change: z
    .strictObject({ scheduled_at: at, state: z.literal('suppressed').describe('It is not sent.') })
    .partial(),
  toRow: (fields, { before }) => ({
    ...given(fields, [
      'account_id',
      'contact_id',
      'template_id',
      'parameters',
      'body',
      'scheduled_at',
      'state',
    ]),
    ...(before === undefined && fields['scheduled_at'] === undefined ? { scheduled_at: new Date() } : {}),
  }),
  check: (message) =>
    isAbsent(message['template_id']) === isAbsent(message['body'])
      ? { field: 'template_id', message: 'give a template or a body, and not both' }
      : undefined,
  changeable: { when: `state = 'scheduled'`, reason: 'is no longer scheduled' },
};

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
