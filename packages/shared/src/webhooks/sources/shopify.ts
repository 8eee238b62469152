/**
 * Shopify: orders, refunds, customers. Only the body is signed; topic, id and time are in headers that are not, so effects are keyed by
 * the body, and a topic that contradicts it is refused. Newer subscriptions name the same headers without `X-`.
 */
import { z } from 'zod';
import { jsonOrUndefined, textAt, textOf } from '../json.js';
import { anyFits, digestOf, headerOf, hmac, missing, WRONG_SIGNATURE } from '../signature.js';
import { MalformedWebhookError, type WebhookRequest, type WebhookSource } from '../source.js';

const settings = z.strictObject({});

function shopifyHeader(request: WebhookRequest, name: string): string | undefined {
  return headerOf(request, `x-shopify-${name}`) ?? headerOf(request, `shopify-${name}`);
}

export const shopify: WebhookSource<z.output<typeof settings>> = {
  name: 'shopify',
  title: 'Shopify: the app’s client secret signs',
  secret: 'theirs',
  settings,
  keptHeaders: [
    'x-shopify-topic',
    'x-shopify-event-id',
    'x-shopify-webhook-id',
    'x-shopify-shop-domain',
    'x-shopify-api-version',
    'x-shopify-triggered-at',
    'shopify-topic',
    'shopify-event-id',
    'shopify-shop-domain',
  ],
  verify: (request, { secrets }) => {
    const signature = shopifyHeader(request, 'hmac-sha256');
    if (signature === undefined) return missing('X-Shopify-Hmac-Sha256');
    const fits = anyFits([signature], secrets, (secret) => hmac('sha256', 'base64', secret, [request.body]));
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request) => {
    const digest = digestOf(request.body);
    const id = shopifyHeader(request, 'event-id') ?? shopifyHeader(request, 'webhook-id') ?? digest;
    const type = shopifyHeader(request, 'topic') ?? 'unknown';
    const body = textOf(request);
    refuseOldCreation(type, body);
    // One action of a merchant can arrive under several topics.
    return [{ key: `${type}/${id}`, identity: digest, type, body }];
  },
};

/** A resource that was changed later than this after its creation is not new, in milliseconds. */
const NEW_FOR_MS = 600_000;

/** @throws MalformedWebhookError where the signed body contradicts the topic */
function refuseOldCreation(type: string, body: string): void {
  if (!type.endsWith('/create')) return;
  const resource = jsonOrUndefined(body);
  const timeAt = (path: string): number => Date.parse(textAt(resource, path) ?? '');
  if (timeAt('updated_at') - timeAt('created_at') > NEW_FOR_MS)
    throw new MalformedWebhookError(
      `The topic is ${type}, and the body was changed long after its creation. The topic is not signed, so the body counts.`,
    );
}
