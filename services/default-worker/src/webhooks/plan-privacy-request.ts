/**
 * Requests of people that Shopify and HubSpot pass on. Shopify signs the body alone, so what is asked for is read from the body's form, never from
 * the topic: an order that is sent again under the topic of an erasure erases nobody.
 *
 * https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
 */
import { phoneOf, recordRequest, type Identified, type RequestKind } from '@stratum/shared/privacy';
import { digestOf, idSchema, jsonOrUndefined } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent, Plan } from './plan.js';

const customer = z.looseObject({
  id: idSchema.nullish(),
  email: z.string().nullish(),
  phone: z.string().nullish(),
});
const shop = { shop_id: idSchema, shop_domain: z.string() };
/** Each form has no other fields: so none is an order. */
const FORMS: readonly { kind: RequestKind; schema: z.ZodType<Readonly<Record<string, unknown>>> }[] = [
  {
    kind: 'export',
    schema: z.strictObject({
      ...shop,
      customer,
      orders_requested: z.array(idSchema).optional(),
      data_request: z.looseObject({ id: idSchema }),
    }),
  },
  { kind: 'erase', schema: z.strictObject({ ...shop, customer, orders_to_redact: z.array(idSchema) }) },
  { kind: 'erase_shop', schema: z.strictObject(shop) },
];
const deletion = { portalId: idSchema, objectId: idSchema, objectEmail: z.string().nullish() };
/** Of a subscription of its own, or of a generic one, in which 0-1 means contacts. */
const deletionSchema = z.union([
  z.looseObject({ ...deletion, subscriptionType: z.literal('contact.privacyDeletion') }),
  z.looseObject({
    ...deletion,
    subscriptionType: z.literal('object.privacyDeletion'),
    objectTypeId: z.literal('0-1'),
  }),
]);

const WORDS: Readonly<Record<RequestKind, string>> = {
  export: 'records a request for the data of a customer; answer it with `stratum profiles export --request`',
  erase: 'erases a customer',
  erase_shop: 'erases the customers of the shop',
};

/** `undefined`: the event is no such request. */
export function planPrivacyRequest(event: IncomingEvent): Plan | undefined {
  const request = read(event);
  if (request === undefined) return undefined;
  const { kind, names } = request;
  const { tenantId, endpointId, source, identity, keys } = event;
  return {
    effect: WORDS[kind],
    // The upkeep of a worker finds the request and carries it out.
    tasks: [],
    change: async (client) => {
      const origin = `${source}/${endpointId}`;
      const dedupKey = digestOf(endpointId, '/', identity);
      const { id } = await recordRequest(client, keys, { tenantId, kind, origin, dedupKey, names });
      return `${WORDS[kind]} (request ${id})`;
    },
  };
}

function read(event: IncomingEvent): { kind: RequestKind; names: Identified[] } | undefined {
  if (event.source === 'shopify') return readShopify(jsonOrUndefined(event.body));
  if (event.source === 'hubspot') return readHubspot(jsonOrUndefined(event.body));
  return undefined;
}

function readShopify(body: unknown): ReturnType<typeof read> {
  for (const { kind, schema } of FORMS) {
    const { data, success } = schema.safeParse(body);
    if (!success) continue;
    const { id, email, phone } = customer.safeParse(data['customer']).data ?? {};
    const number = phoneOf(phone);
    return {
      kind,
      names: [
        ...(id ? [{ type: 'anonymous_id', value: `shopify-${id}` } as const] : []),
        ...(email
          ? [
              { type: 'email', value: email } as const,
              { type: 'anonymous_id', value: `email-${email.toLowerCase()}` } as const,
            ]
          : []),
        ...(number === undefined ? [] : [{ type: 'phone', value: number } as const]),
      ],
    };
  }
  return undefined;
}

function readHubspot(body: unknown): ReturnType<typeof read> {
  const { data } = deletionSchema.safeParse(body);
  if (data === undefined) return undefined;
  const { portalId, objectId, objectEmail } = data;
  return {
    kind: 'erase',
    names: [
      { type: 'anonymous_id', value: `hubspot-${portalId}-${objectId}` },
      ...(objectEmail ? [{ type: 'email', value: objectEmail } as const] : []),
    ],
  };
}
