/**
 * Segment's webhook destination. Of a batch it signs the first event only, so the others could be anybody's: batches are refused.
 */
import { z } from 'zod';
import { parseJson, textOf } from '../json.js';
import { anyFits, headerOf, hmac, missing, newHexSecret, WRONG_SIGNATURE } from '../signature.js';
import { MalformedWebhookError, type WebhookSource } from '../source.js';

const settings = z.strictObject({});
const eventSchema = z.looseObject({
  messageId: z.string().min(1),
  type: z.string().min(1),
  event: z.string().optional(),
  batch: z.unknown().optional(),
});

const BATCH = 'Segment signs the first event of a batch only: set the batch size of the destination to 1.';
const OPENING_BRACKET = 0x5b;

export const segment: WebhookSource<z.output<typeof settings>> = {
  name: 'segment',
  title: 'Segment’s webhook destination: a shared secret',
  secret: 'ours',
  newSecret: newHexSecret,
  settings,
  keptHeaders: [],
  verify: (request, { secrets }) => {
    const signature = headerOf(request, 'x-signature');
    if (signature === undefined) return missing('X-Signature');
    if (request.body[0] === OPENING_BRACKET) return { refused: BATCH };
    const fits = anyFits([signature], secrets, (secret) => hmac('sha1', 'hex', secret, [request.body]));
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request) => {
    const body = textOf(request);
    const { messageId, type, batch } = parseJson(body, eventSchema);
    if (batch !== undefined) throw new MalformedWebhookError(BATCH);
    return [{ key: messageId, identity: messageId, type, body }];
  },
};
