/** The senders, played by their vendors' own libraries where there are some. */
import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { Signature as HubspotSignature } from '@hubspot/api-client';
import { sign as signForGithub } from '@octokit/webhooks-methods';
import { createSHA256HMAC, HashFormat } from '@shopify/shopify-api/runtime';
import type { SourceName } from '@stratum/shared/webhooks';
import { Webhook } from 'standardwebhooks';
import { Stripe } from 'stripe';

export interface SignOptions {
  secret: string;
  /** The public address. */
  url: string;
  at: Date;
}

export interface SignedRequest {
  body: string;
  headers: Record<string, string>;
}

export interface Sender {
  label: string;
  source: SourceName;
  /** Two of them. */
  secrets: readonly [string, string];
  settings?: Record<string, unknown>;
  /** Whether a time is signed. */
  timed: boolean;
  /** How many of these events fit into one request. */
  batch: number;
  /** The header that carries the signature. */
  signatureHeader: string;
  /** The event's id as deliveries show it. */
  eventId?: (id: string) => string;
  request: (ids: readonly string[], options: SignOptions) => Promise<SignedRequest>;
}

const json = { 'content-type': 'application/json' };
const only = (ids: readonly string[]): string => ids[0] ?? 'none';
const unix = (at: Date): number => Math.floor(at.getTime() / 1000);
const hex = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex');

/** Meta has no library that signs; GitHub's makes the same header over the same bytes. */
const hubSignature = async (secret: string, body: string): Promise<Record<string, string>> => ({
  ...json,
  'x-hub-signature-256': await signForGithub(secret, body),
});

const stripe = new Stripe('sk_test_of_nobody');
const signing = generateKeyPairSync('ed25519');
const otherSigning = generateKeyPairSync('ed25519');

function publicSecret(key: typeof signing.publicKey): string {
  return `whpk_${Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')}`;
}

export const SENDERS: readonly Sender[] = [
  {
    label: 'Meta',
    source: 'meta',
    secrets: ['meta-app-secret', 'meta-next-secret'],
    timed: false,
    batch: 10,
    signatureHeader: 'x-hub-signature-256',
    request: async (ids, { secret }) => {
      const body = JSON.stringify({
        object: 'ad_account',
        entry: ids.map((id, index) => ({
          id: '1001',
          time: 1_700_000_000 + index,
          changes: [{ field: 'campaign_status', value: { campaign_id: id } }],
        })),
      });
      return { body, headers: await hubSignature(secret, body) };
    },
  },
  {
    label: 'WhatsApp',
    source: 'whatsapp',
    secrets: ['whatsapp-app-secret', 'whatsapp-next-secret'],
    timed: false,
    batch: 10,
    signatureHeader: 'x-hub-signature-256',
    eventId: (id) => `message/${id}`,
    request: async (ids, { secret }) => {
      const messages = ids.map((id) => ({
        from: '491510000001',
        id,
        timestamp: '1700000000',
        type: 'text',
        text: { body: `Hello ${id}` },
      }));
      const value = { messaging_product: 'whatsapp', metadata: { phone_number_id: '100200300' }, messages };
      const body = JSON.stringify({
        object: 'whatsapp_business_account',
        entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
      });
      return { body, headers: await hubSignature(secret, body) };
    },
  },
  {
    label: 'Shopify',
    source: 'shopify',
    secrets: ['shpss_one', 'shpss_two'],
    timed: false,
    batch: 1,
    signatureHeader: 'x-shopify-hmac-sha256',
    eventId: (id) => `orders/create/${id}`,
    request: async (ids, { secret }) => {
      const body = JSON.stringify({
        id: 820982911946154500,
        name: only(ids),
        email: 'jon@example.com',
        created_at: '2026-11-24T10:00:00-05:00',
        currency: 'USD',
        total_price: '403.00',
        customer: { id: 115310627314723950, email: 'jon@example.com' },
        line_items: [{ product_id: 1, sku: 'BOOT', title: 'Boots', price: '201.50', quantity: 2 }],
      });
      const signature = await createSHA256HMAC(secret, body, HashFormat.Base64);
      return {
        body,
        headers: {
          ...json,
          'x-shopify-hmac-sha256': signature,
          'x-shopify-topic': 'orders/create',
          'x-shopify-event-id': only(ids),
        },
      };
    },
  },
  {
    label: 'Stripe',
    source: 'stripe',
    secrets: ['whsec_one', 'whsec_two'],
    timed: true,
    batch: 1,
    signatureHeader: 'stripe-signature',
    eventId: (id) => id,
    request: async (ids, { secret, at }) => {
      const body = JSON.stringify({
        id: only(ids),
        object: 'event',
        type: 'checkout.session.completed',
        created: 1_700_000_000,
        data: {
          object: {
            id: 'cs_1',
            object: 'checkout.session',
            client_reference_id: 'customer-7',
            customer: 'cus_1',
            customer_details: { email: 'jon@example.com' },
            amount_total: 12_345,
            currency: 'usd',
            payment_status: 'paid',
          },
        },
      });
      const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: unix(at) });
      return { body, headers: { ...json, 'stripe-signature': header } };
    },
  },
  {
    label: 'HubSpot',
    source: 'hubspot',
    secrets: ['hubspot-client-secret', 'hubspot-next-secret'],
    timed: true,
    batch: 10,
    signatureHeader: 'x-hubspot-signature-v3',
    eventId: (id) => `62515/12/${id}/1700000000000`,
    request: async (ids, { secret, url, at }) => {
      const body = JSON.stringify(
        ids.map((id) => ({
          eventId: id,
          subscriptionId: 12,
          portalId: 62_515,
          occurredAt: 1_700_000_000_000,
          subscriptionType: 'contact.propertyChange',
          objectId: 123,
          propertyName: 'email',
          propertyValue: 'jon@example.com',
        })),
      );
      const timestamp = at.getTime();
      const signature = HubspotSignature.getSignature('POST', 'v3', {
        clientSecret: secret,
        url,
        requestBody: body,
        timestamp,
        signature: '',
      });
      return {
        body,
        headers: {
          ...json,
          'x-hubspot-signature-v3': signature,
          'x-hubspot-request-timestamp': String(timestamp),
        },
      };
    },
  },
  {
    label: 'TikTok',
    source: 'tiktok',
    secrets: ['tiktok-client-secret', 'tiktok-next-secret'],
    timed: true,
    batch: 1,
    signatureHeader: 'tiktok-signature',
    request: async (ids, { secret, at }) => {
      const body = JSON.stringify({
        client_key: 'key',
        event: 'campaign.changed',
        create_time: 1_700_000_000,
        user_openid: 'someone',
        content: JSON.stringify({ advertiser_id: '7', event_number: only(ids) }),
      });
      const time = unix(at);
      return {
        body,
        headers: { ...json, 'tiktok-signature': `t=${time},s=${hex(secret, `${time}.${body}`)}` },
      };
    },
  },
  {
    label: 'Segment',
    source: 'segment',
    secrets: ['segment-shared-secret', 'segment-next-secret'],
    timed: false,
    batch: 1,
    signatureHeader: 'x-signature',
    eventId: (id) => id,
    request: async (ids, { secret }) => {
      const body = JSON.stringify({
        type: 'track',
        event: 'Order Completed',
        messageId: only(ids),
        userId: 'customer-7',
        timestamp: '2026-11-24T10:00:00.000Z',
        properties: { revenue: 12.5 },
      });
      return {
        body,
        headers: { ...json, 'x-signature': createHmac('sha1', secret).update(body).digest('hex') },
      };
    },
  },
  {
    label: 'GitHub',
    source: 'github',
    secrets: ['github-secret', 'github-next-secret'],
    settings: { tasks: [{ on: 'push', task: 'sync_campaign_data', payload: { platform: 'google' } }] },
    timed: false,
    batch: 1,
    signatureHeader: 'x-hub-signature-256',
    eventId: (id) => id,
    request: async (ids, { secret }) => {
      const body = JSON.stringify({ ref: 'refs/heads/main', after: only(ids) });
      const signature = await signForGithub(secret, body);
      return {
        body,
        headers: {
          ...json,
          'x-hub-signature-256': signature,
          'x-github-event': 'push',
          'x-github-delivery': only(ids),
        },
      };
    },
  },
  {
    label: 'Standard Webhooks',
    source: 'standard',
    secrets: [
      `whsec_${Buffer.alloc(24, 1).toString('base64')}`,
      `whsec_${Buffer.alloc(32, 2).toString('base64')}`,
    ],
    settings: { tasks: [{ on: 'invoice.sent', task: 'evaluate_rules' }] },
    timed: true,
    batch: 1,
    signatureHeader: 'webhook-signature',
    eventId: (id) => id,
    request: async (ids, { secret, at }) => {
      const body = JSON.stringify({ type: 'invoice.sent', data: { id: only(ids) } });
      return {
        body,
        headers: {
          ...json,
          'webhook-id': only(ids),
          'webhook-timestamp': String(unix(at)),
          'webhook-signature': new Webhook(secret).sign(only(ids), at, body),
        },
      };
    },
  },
  {
    label: 'Standard Webhooks, asymmetric',
    source: 'standard',
    secrets: [publicSecret(signing.publicKey), publicSecret(otherSigning.publicKey)],
    timed: true,
    batch: 1,
    signatureHeader: 'webhook-signature',
    eventId: (id) => id,
    request: async (ids, { secret, at }) => {
      const body = JSON.stringify({ type: 'invoice.sent', data: { id: only(ids) } });
      const { privateKey } = secret === publicSecret(signing.publicKey) ? signing : otherSigning;
      const data = Buffer.from(`${only(ids)}.${unix(at)}.${body}`);
      return {
        body,
        headers: {
          ...json,
          'webhook-id': only(ids),
          'webhook-timestamp': String(unix(at)),
          'webhook-signature': `v1a,${signBytes(null, data, privateKey).toString('base64')}`,
        },
      };
    },
  },
  {
    label: 'any sender with an HMAC',
    source: 'generic',
    secrets: ['generic-secret', 'generic-next-secret'],
    settings: {
      signature_header: 'X-Acme-Signature',
      prefix: 'sha256=',
      signed: '{timestamp}.{body}',
      timestamp_header: 'X-Acme-Time',
      id_field: 'event.id',
      type_field: 'event.type',
      tasks: [{ on: '*', task: 'run_predictions' }],
    },
    timed: true,
    batch: 1,
    signatureHeader: 'x-acme-signature',
    eventId: (id) => id,
    request: async (ids, { secret, at }) => {
      const body = JSON.stringify({ event: { id: only(ids), type: 'something' } });
      return {
        body,
        headers: {
          ...json,
          'x-acme-time': String(unix(at)),
          'x-acme-signature': `sha256=${hex(secret, `${unix(at)}.${body}`)}`,
        },
      };
    },
  },
];

export function senderOf(source: SourceName): Sender {
  const sender = SENDERS.find((each) => each.source === source);
  if (sender === undefined) throw new Error(source);
  return sender;
}
