/** Orders, payments and the like become events of customers. */
import type { CustomerEvent } from '@stratum/shared';
import { digestOf } from '@stratum/shared/webhooks';
import { NOTHING, type IncomingEvent, type Plan } from '../plan.js';
import { readHubspot } from './hubspot.js';
import { recordCustomerEvents } from './record-customer-event.js';
import { readSegment } from './segment.js';
import { readShopify } from './shopify.js';
import { readStripe } from './stripe.js';
import { NOBODY, TEST, type Reading } from './reading.js';

const READERS = { shopify: readShopify, stripe: readStripe, hubspot: readHubspot } as const;

export function planCustomerEvent(event: IncomingEvent): Plan {
  const found = readEvents(event);
  if (found === undefined) return NOTHING;
  if (found === NOBODY) return { effect: 'names no customer', tasks: [] };
  if (found === TEST) return { effect: 'is a test of the sender, which counts nowhere', tasks: [] };
  const { events, notes } = found;
  const names = events.map(({ event: name, type }) => `“${name ?? type}”`);
  const effect = [`records ${names.join(' and ')}`, ...notes].join('; ');
  return { effect, tasks: [recordCustomerEvents(event.tenantId, events)] };
}

/** Events in Segment's format, out of one of a sender's. `undefined`: its type says nothing about customers. */
export function toCustomerEvents(
  event: IncomingEvent,
): CustomerEvent[] | typeof NOBODY | typeof TEST | undefined {
  const found = readEvents(event);
  return found === undefined || typeof found === 'symbol' ? found : found.events;
}

interface ReadEvents {
  events: CustomerEvent[];
  notes: string[];
}

function readEvents(event: IncomingEvent): ReadEvents | typeof NOBODY | typeof TEST | undefined {
  const { source } = event;
  if (source === 'segment') {
    const own = readSegment(event);
    return own && { events: [own], notes: [] };
  }
  if (source !== 'shopify' && source !== 'stripe' && source !== 'hubspot') return undefined;
  const reading = READERS[source](event);
  if (reading === undefined || typeof reading === 'symbol') return reading;
  const readings = 'name' in reading ? [reading] : reading;
  return {
    events: readings.map((each) => toTrack(event, each)),
    notes: readings.flatMap(({ note }) => note ?? []),
  };
}

function toTrack(event: IncomingEvent, reading: Reading): CustomerEvent {
  const { name, at, subject, userId, anonymousId, alsoKnownAs = [], email, properties } = reading;
  const others = alsoKnownAs.filter((id) => id !== undefined && id !== anonymousId);
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
      ...(others.length === 0 ? {} : { anonymousIds: others }),
    },
  };
}

function withoutEmpty(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).filter(([, value]) => value !== undefined && value !== null),
  );
}
