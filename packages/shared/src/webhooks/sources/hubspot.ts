/** HubSpot, signatures of version 3: method, public address, body and time are signed. */
import { z } from 'zod';
import { idSchema, parseJson, textOf } from '../json.js';
import { anyFits, checkTime, digestOf, headerOf, hmac, missing, WRONG_SIGNATURE } from '../signature.js';
import type { WebhookEvent, WebhookRequest, WebhookSource } from '../source.js';
import { hubspotSettings } from './hubspot-stages.js';

const eventsSchema = z.array(
  z.looseObject({
    portalId: idSchema,
    subscriptionId: idSchema,
    eventId: idSchema,
    occurredAt: z.number(),
    subscriptionType: z.string().default('unknown'),
  }),
);

/** HubSpot signs the address with these escapes undone. */
const UNDONE: Readonly<Record<string, string>> = {
  '%3A': ':',
  '%2F': '/',
  '%3F': '?',
  '%40': '@',
  '%21': '!',
  '%24': '$',
  '%27': "'",
  '%28': '(',
  '%29': ')',
  '%2A': '*',
  '%2C': ',',
  '%3B': ';',
};

function signedUrl(url: string): string {
  return url.replaceAll(/%[0-9a-f]{2}/gi, (escape) => UNDONE[escape.toUpperCase()] ?? escape);
}

function events(request: WebhookRequest): WebhookEvent[] {
  return parseJson(textOf(request), eventsSchema).map((event) => {
    const { portalId, subscriptionId, eventId, occurredAt, subscriptionType } = event;
    const key = `${portalId}/${subscriptionId}/${eventId}/${occurredAt}`;
    return { key, identity: digestOf(key), type: subscriptionType, body: JSON.stringify(event) };
  });
}

export const hubspot: WebhookSource<z.output<typeof hubspotSettings>> = {
  name: 'hubspot',
  title: 'HubSpot: the app’s client secret signs',
  secret: 'theirs',
  settings: hubspotSettings,
  keptHeaders: [],
  verify: (request, { secrets, now }) => {
    const signature = headerOf(request, 'x-hubspot-signature-v3');
    if (signature === undefined) return missing('X-HubSpot-Signature-v3');
    const time = headerOf(request, 'x-hubspot-request-timestamp') ?? '';
    const inTime = checkTime(time, now, { unit: 'milliseconds' });
    if (inTime !== 'valid') return inTime;
    const fits = anyFits([signature], secrets, (secret) =>
      hmac('sha256', 'base64', secret, [`POST${signedUrl(request.url)}`, request.body, time]),
    );
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events,
};
