/** Meta: changes of ad accounts, pages and applications; the frame that WhatsApp shares. */
import { z } from 'zod';
import { parseJson, textOf, idSchema } from '../json.js';
import {
  anyFits,
  digestOf,
  headerOf,
  hmac,
  missing,
  newHexSecret,
  sameText,
  WRONG_SIGNATURE,
} from '../signature.js';
import type { Verdict, VerifyOptions, WebhookEvent, WebhookRequest, WebhookSource } from '../source.js';

export const metaSettings = z.strictObject({
  verify_token: z
    .string()
    .min(1)
    .max(200)
    .default(() => newHexSecret())
    .describe('What you type into the field “Verify token” at Meta. Default: a new one.'),
});
type MetaSettings = z.output<typeof metaSettings>;

const SIGNATURE = 'x-hub-signature-256';

/** `X-Hub-Signature-256: sha256=<hex>`, as Meta and GitHub have it. */
export function verifyHubSignature(
  request: WebhookRequest,
  { secrets }: Pick<VerifyOptions<unknown>, 'secrets'>,
): Verdict {
  const signature = headerOf(request, SIGNATURE);
  if (signature === undefined) return missing('X-Hub-Signature-256');
  const fits = anyFits(
    [signature],
    secrets,
    (secret) => `sha256=${hmac('sha256', 'hex', secret, [request.body])}`,
  );
  return fits ? 'valid' : WRONG_SIGNATURE;
}

export function metaHandshake(
  query: Readonly<Record<string, unknown>>,
  settings: MetaSettings,
): string | undefined {
  const { 'hub.mode': mode, 'hub.verify_token': token, 'hub.challenge': challenge } = query;
  if (mode !== 'subscribe' || typeof token !== 'string' || typeof challenge !== 'string') return undefined;
  return sameText(token, settings.verify_token) ? challenge : undefined;
}

const metaEnvelope = z.object({
  object: z.string(),
  entry: z.array(
    z.looseObject({
      id: idSchema.optional(),
      time: z.number().optional(),
      changes: z.array(z.looseObject({ field: z.string() })).optional(),
    }),
  ),
});

function metaEvents(request: WebhookRequest): WebhookEvent[] {
  const { object, entry } = parseJson(textOf(request), metaEnvelope);
  return entry.flatMap(({ changes, ...rest }) => {
    // An entry without changes (a page's messages, for example) is one event.
    const parts = changes ?? [undefined];
    return parts.map((change) => {
      const body = JSON.stringify({ object, entry: rest, ...(change === undefined ? {} : { change }) });
      const key = digestOf(body);
      return { key, identity: key, type: change === undefined ? object : `${object}.${change.field}`, body };
    });
  });
}

export const meta: WebhookSource<MetaSettings> = {
  name: 'meta',
  title: 'Meta: the app’s secret signs',
  secret: 'theirs',
  settings: metaSettings,
  keptHeaders: [],
  verify: verifyHubSignature,
  events: metaEvents,
  handshake: metaHandshake,
};
