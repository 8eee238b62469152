/** HubSpot reports that a contact or a deal has changed, and hardly anything else. */
import { idSchema, outcomeOfStage, parseJson } from '@stratum/shared/webhooks';
import { z } from 'zod';
import type { IncomingEvent } from '../plan.js';
import type { ReadingResult } from './reading.js';

const eventSchema = z.looseObject({
  portalId: idSchema,
  objectId: idSchema,
  /** Of generic subscriptions, whose types begin with `object.`. */
  objectTypeId: z.string().nullish(),
  occurredAt: z.number(),
  propertyName: z.string().nullish(),
  propertyValue: z.unknown().optional(),
  changeSource: z.string().nullish(),
  /** Of merges: the contact that stays is new, or one of them. */
  newObjectId: idSchema.nullish(),
  primaryObjectId: idSchema.nullish(),
  mergedObjectIds: z.array(idSchema).nullish(),
});

/** https://developers.hubspot.com/docs/guides/crm/understanding-the-crm#object-type-ids */
const OBJECTS: ReadonlyMap<string, string> = new Map([
  ['0-1', 'contact'],
  ['0-3', 'deal'],
]);

const NAMES: Readonly<Record<string, string>> = {
  'contact.creation': 'Contact Created',
  'contact.propertyChange': 'Contact Property Changed',
  'contact.deletion': 'Contact Deleted',
  'contact.restore': 'Contact Restored',
  'contact.merge': 'Contacts Merged',
  'deal.creation': 'Deal Created',
  'deal.propertyChange': 'Deal Updated',
  'deal.deletion': 'Deal Deleted',
  'deal.restore': 'Deal Updated',
};

type HubspotEvent = Pick<IncomingEvent, 'type' | 'body' | 'settings'>;

export function readHubspot({ type, body, settings }: HubspotEvent): ReadingResult {
  if (!/^(?:contact|deal|object)\./.test(type)) return undefined;
  const event = parseJson(body, eventSchema);
  const [kind = '', what = ''] = type.split('.');
  const object = kind === 'object' ? OBJECTS.get(event.objectTypeId ?? '') : kind;
  const name = NAMES[`${object}.${what}`];
  if (name === undefined) return undefined;
  const { portalId, objectId, propertyName, propertyValue: value, changeSource } = event;
  const change = { property: propertyName, value, change_source: changeSource };
  const at = new Date(event.occurredAt).toISOString();
  if (object === 'deal') {
    // The event names no contact: the deal is somebody of its own.
    const id = `hubspot-${portalId}-deal-${objectId}`;
    const facts = what === 'restore' ? { deal_deleted: false } : dealFacts(propertyName, value, settings);
    return {
      name,
      at,
      anonymousId: id,
      note: propertyName === 'dealstage' && !('deal_won' in facts) ? unknownStage(value) : undefined,
      properties: { order_id: id, deal_id: objectId, ...change, ...facts },
    };
  }
  const contact = (id: string): string => `hubspot-${portalId}-${id}`;
  const merged = [event.newObjectId, event.primaryObjectId, ...(event.mergedObjectIds ?? [])];
  return {
    name,
    at,
    anonymousId: contact(objectId),
    alsoKnownAs: merged.flatMap((id) => (id === null || id === undefined ? [] : contact(id))),
    email: propertyName === 'email' && typeof value === 'string' && value !== '' ? value : undefined,
    properties: { contact_id: objectId, ...change },
  };
}

/** What a property says about the deal's money: nothing, where what it says is not known. */
function dealFacts(
  property: string | null | undefined,
  value: unknown,
  settings: HubspotEvent['settings'],
): Record<string, unknown> {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  switch (property) {
    case 'amount':
      return { deal_amount: text === '' ? 0 : text };
    case 'dealstage': {
      const outcome = outcomeOfStage(settings, text);
      return outcome === undefined ? {} : { deal_won: outcome === 'won' };
    }
    case 'hs_is_closed_won':
      return text === 'true' || text === 'false' ? { deal_won: text === 'true' } : {};
    case 'deal_currency_code':
      return { deal_currency: text };
    default:
      return {};
  }
}

function unknownStage(stage: unknown): string {
  return `whether the stage ${JSON.stringify(stage)} is won is not known: give the endpoint the account’s pipelines`;
}
