/** HubSpot reports that a contact has changed, and hardly anything else. */
import { idSchema, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import type { ReadingResult } from './reading.js';

const eventSchema = z.looseObject({
  portalId: idSchema,
  objectId: idSchema,
  occurredAt: z.number(),
  propertyName: z.string().nullish(),
  propertyValue: z.unknown().optional(),
  changeSource: z.string().nullish(),
});

const NAMES: Readonly<Record<string, string>> = {
  'contact.creation': 'Contact Created',
  'contact.propertyChange': 'Contact Property Changed',
  'contact.deletion': 'Contact Deleted',
};

export function readHubspot({ type, body }: IncomingEvent): ReadingResult {
  const name = NAMES[type];
  if (name === undefined) return undefined;
  const { portalId, objectId, occurredAt, propertyName, propertyValue, changeSource } = parseJson(
    body,
    eventSchema,
  );
  return {
    name,
    at: new Date(occurredAt).toISOString(),
    anonymousId: `hubspot-${portalId}-${objectId}`,
    email: propertyName === 'email' && typeof propertyValue === 'string' ? propertyValue : undefined,
    properties: {
      contact_id: objectId,
      property: propertyName,
      value: propertyValue,
      change_source: changeSource,
    },
  };
}
