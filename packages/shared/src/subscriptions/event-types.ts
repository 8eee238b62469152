/** The body of a message, for each type of event. */
import { z } from 'zod';
import { DOMAIN_EVENT_DATA, DOMAIN_EVENT_TYPES } from '../domain-events/payloads.js';

/** Sent when somebody tries a subscription out; nobody subscribes to it. */
export const TEST_EVENT_TYPE = 'ping';

/** The data of a test event. */
export const testEventData = z
  .object({ subscription_id: z.string(), message: z.string() })
  .describe('A test of the subscription.');

export interface EventTypeDescription {
  type: string;
  description: string;
  /** JSON Schema of the whole body. */
  schema: Record<string, unknown>;
}

/** Every type that can be subscribed to, in the order of the documentation. */
export function describeEventTypes(): EventTypeDescription[] {
  return DOMAIN_EVENT_TYPES.map((type) => {
    const data = DOMAIN_EVENT_DATA[type];
    return {
      type,
      description: data.description ?? '',
      schema: z.toJSONSchema(bodySchema(type, data), { io: 'output' }),
    };
  });
}

/** Standard Webhooks' recommended body: what happened, when, and the rest. */
function bodySchema(type: string, data: z.ZodObject): z.ZodObject {
  return z.object({
    type: z.literal(type),
    timestamp: z.iso
      .datetime()
      .describe('When it happened; when it was sent is in the header `webhook-timestamp`.'),
    data,
  });
}

/** The `webhook-id` of an event, and its id in the API. */
export function formatEventId(id: number | string): string {
  return `evt_${id}`;
}

/** `undefined` for a text that is none. */
export function parseEventId(text: string): number | undefined {
  const [, digits] = /^evt_([1-9]\d{0,15})$/.exec(text) ?? [];
  const id = Number(digits);
  return Number.isSafeInteger(id) ? id : undefined;
}
