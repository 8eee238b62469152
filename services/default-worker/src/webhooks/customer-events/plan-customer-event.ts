/** Orders, payments and the like become events of customers. */
import type { CustomerEvent } from '@stratum/shared';
import { digestOf } from '@stratum/shared/webhooks';
import { NOTHING, type IncomingEvent, type Plan } from '../plan.js';
import { readHubspot } from './hubspot.js';
import { recordCustomerEvent } from './record-customer-event.js';
import { readSegment } from './segment.js';
import { readShopify } from './shopify.js';
import { readStripe } from './stripe.js';
import { NOBODY, type Reading } from './reading.js';

const READERS = { shopify: readShopify, stripe: readStripe, hubspot: readHubspot } as const;

export function planCustomerEvent(event: IncomingEvent): Plan {
  const found = toCustomerEvent(event);
  if (found === undefined) return NOTHING;
  if (found === NOBODY) return { effect: 'names no customer', tasks: [] };
  return {
    effect: `records “${found.event ?? found.type}”`,
    tasks: [recordCustomerEvent(event.tenantId, found)],
  };
}

/** An event in Segment's format, out of one of a sender's. `undefined`: its type says nothing about customers. */
function toCustomerEvent(event: IncomingEvent): CustomerEvent | typeof NOBODY | undefined {
  const { source } = event;
  if (source === 'segment') return readSegment(event);
  if (source !== 'shopify' && source !== 'stripe' && source !== 'hubspot') return undefined;
  const reading = READERS[source](event);
  return reading === undefined || reading === NOBODY ? reading : toTrack(event, reading);
}

function toTrack(event: IncomingEvent, reading: Reading): CustomerEvent {
  const { name, at, subject, userId, anonymousId, email, properties } = reading;
  return {
    type: 'track',
    event: name,
    // The same event under another id of its sender is the same event here.
    messageId: `${event.source}-${digestOf(event.endpointId, '/', name, '/', subject ?? event.identity)}`,
    timestamp: at,
    ...(userId === undefined ? {} : { userId }),
    ...(anonymousId === undefined ? {} : { anonymousId }),
    properties: withoutEmpty(properties),
    context: {
      library: { name: `webhook/${event.source}` },
      ...(email === undefined ? {} : { traits: { email } }),
    },
  };
}

function withoutEmpty(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).filter(([, value]) => value !== undefined && value !== null),
  );
}
