/** Webhook endpoints and deliveries as the API shows them. */
import {
  INBOUND_DELIVERY_STATES,
  SOURCE_NAMES,
  webhookPath,
  type InboundDelivery,
  type WebhookEndpoint,
} from '@stratum/shared/webhooks';
import { z } from 'zod';
import { rowIdText } from '../http/bounded.js';

const time = z.iso.datetime();

export const endpointParams = z.object({
  id: z.string().regex(/^[a-z0-9]{16}$/, 'is not an endpoint id'),
});
export const deliveryParams = z.object({
  id: rowIdText,
});

export const sourceSchema = z.enum(SOURCE_NAMES);
export const settingsSchema = z
  .record(z.string(), z.unknown())
  .describe(
    'Settings of the sender (see docs/operate/webhooks.md), and `tasks`: `[{"on": "push", "task": "sync_campaign_data", "payload": {"platform": "meta"}}]`.',
  );

export const endpointSchema = z
  .object({
    id: z.string(),
    source: sourceSchema,
    name: z.string(),
    url: z.string().describe('Address to configure at the sender.'),
    settings: settingsSchema,
    status: z.enum(['active', 'paused']),
    created_at: time,
    rotated_at: time.nullable(),
    previous_secret_until: time.nullable().describe('Until this time the previous secret is also accepted.'),
  })
  .meta({ id: 'WebhookEndpoint' });

export const newEndpointSchema = endpointSchema
  .extend({ secret: z.string().nullable().describe('The secret, if generated here. Shown only once.') })
  .meta({ id: 'NewWebhookEndpoint' });

export function endpointView(endpoint: WebhookEndpoint, publicUrl: string): z.output<typeof endpointSchema> {
  return {
    id: endpoint.id,
    source: endpoint.source,
    name: endpoint.name,
    url: `${publicUrl}${webhookPath(endpoint)}`,
    settings: endpoint.settings,
    status: endpoint.status,
    created_at: endpoint.createdAt.toISOString(),
    rotated_at: endpoint.rotatedAt?.toISOString() ?? null,
    previous_secret_until: endpoint.previousSecretUntil?.toISOString() ?? null,
  };
}

export const deliveryStateSchema = z.enum(INBOUND_DELIVERY_STATES);

export const deliverySchema = z
  .object({
    id: z.int(),
    endpoint_id: z.string(),
    event_id: z.string().describe("The sender's event id, or a substitute. Deduplication key."),
    type: z.string(),
    received_at: time,
    state: deliveryStateSchema,
    processed_at: time.nullable(),
    effect: z.string().nullable().describe('Effect of the event in words.'),
    tasks: z.array(z.object({ id: z.string(), task: z.string() })).describe('Tasks enqueued by the event.'),
    error: z.string().nullable(),
    replays: z.int(),
    last_replayed_at: time.nullable(),
  })
  .meta({ id: 'WebhookDelivery' });

export const deliveryDetailSchema = deliverySchema
  .extend({
    headers: z.record(z.string(), z.string()),
    body: z.string().describe('Received body, or this event’s part of a batch.'),
  })
  .meta({ id: 'WebhookDeliveryDetail' });

export function deliveryView(delivery: InboundDelivery): z.output<typeof deliverySchema> {
  return {
    id: delivery.id,
    endpoint_id: delivery.endpointId,
    event_id: delivery.dedupKey,
    type: delivery.type,
    received_at: delivery.receivedAt.toISOString(),
    state: delivery.state,
    processed_at: delivery.processedAt?.toISOString() ?? null,
    effect: delivery.effect,
    tasks: delivery.tasks,
    error: delivery.error,
    replays: delivery.replays,
    last_replayed_at: delivery.lastReplayedAt?.toISOString() ?? null,
  };
}
