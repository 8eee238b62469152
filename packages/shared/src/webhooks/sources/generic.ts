/** Any sender that signs with an HMAC: the settings say what, how and where. */
import { z } from 'zod';
import { jsonOrUndefined, textAt, textOf } from '../json.js';
import {
  anyFits,
  checkTime,
  digestOf,
  headerOf,
  hmac,
  missing,
  newHexSecret,
  WRONG_SIGNATURE,
} from '../signature.js';
import type { WebhookRequest, WebhookSource } from '../source.js';

const header = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,100}$/, 'must be the name of a header')
  .toLowerCase();
const path = z.string().regex(/^[\w-]+(\.[\w-]+)*$/, 'must be a path such as data.id');

export const genericSettings = z
  .strictObject({
    signature_header: header.default('x-signature'),
    algorithm: z.enum(['sha1', 'sha256', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
    prefix: z.string().max(50).default('').describe('Text before the signature, for example `sha256=`.'),
    signed: z
      .string()
      .max(200)
      .default('{body}')
      .describe('What is signed: text with {body}, {timestamp}, {id}. For example `{timestamp}.{body}`.'),
    timestamp_header: header
      .optional()
      .describe('Seconds since 1970. Without it an old request cannot be distinguished from a new one.'),
    tolerance_seconds: z.int().min(1).max(86_400).default(300),
    id_header: header
      .optional()
      .describe("The sender's id of the event. Without `id_header` and `id_field`: the hash of the body."),
    id_field: path.optional().describe('The same, in a body of JSON.'),
    type_header: header.optional(),
    type_field: path.optional(),
  })
  .superRefine(({ signed, timestamp_header: time, id_header: id }, context) => {
    const has = (name: string): boolean => signed.includes(`{${name}}`);
    const wrong = (message: string): void => context.addIssue({ code: 'custom', path: ['signed'], message });
    if (signed.split('{body}').length !== 2) wrong('must contain {body} once');
    if (has('timestamp') !== (time !== undefined))
      wrong(
        'must contain {timestamp} if there is a timestamp_header, and only then: a time that is not signed proves nothing',
      );
    if (has('id') && id === undefined) wrong('contains {id}, so id_header has to be set');
  });
export type GenericSettings = z.output<typeof genericSettings>;

export const generic: WebhookSource<GenericSettings> = {
  name: 'generic',
  title: 'Any sender that signs with an HMAC',
  secret: 'ours',
  newSecret: newHexSecret,
  settings: genericSettings,
  keptHeaders: ['content-type'],
  verify: (request, { secrets, settings, now }) => {
    const { algorithm, encoding, prefix, tolerance_seconds: toleranceSeconds } = settings;
    const signature = headerOf(request, settings.signature_header);
    if (signature === undefined) return missing(settings.signature_header);
    if (settings.timestamp_header !== undefined) {
      const time = headerOf(request, settings.timestamp_header) ?? '';
      const inTime = checkTime(time, now, { toleranceSeconds });
      if (inTime !== 'valid') return inTime;
    }
    const parts = signedParts(request, settings);
    const fits = anyFits(
      [signature],
      secrets,
      (secret) => `${prefix}${hmac(algorithm, encoding, secret, parts)}`,
    );
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request, settings) => {
    const body = textOf(request);
    const digest = digestOf(request.body);
    const id = read(request, body, settings.id_header, settings.id_field);
    const isSigned = settings.id_header === undefined || settings.signed.includes('{id}');
    return [
      {
        key: id ?? digest,
        identity: isSigned ? (id ?? digest) : digest,
        type: read(request, body, settings.type_header, settings.type_field) ?? 'unknown',
        body,
      },
    ];
  },
};

function signedParts(request: WebhookRequest, settings: GenericSettings): (string | Buffer)[] {
  const valueOf = (name: string | undefined): string =>
    name === undefined ? '' : (headerOf(request, name) ?? '');
  return settings.signed.split(/(\{body\}|\{timestamp\}|\{id\})/).map((part) => {
    if (part === '{body}') return request.body;
    if (part === '{timestamp}') return valueOf(settings.timestamp_header);
    return part === '{id}' ? valueOf(settings.id_header) : part;
  });
}

function read(
  request: WebhookRequest,
  body: string,
  headerName: string | undefined,
  field: string | undefined,
): string | undefined {
  if (headerName !== undefined) return headerOf(request, headerName);
  return field === undefined ? undefined : textAt(jsonOrUndefined(body), field);
}
