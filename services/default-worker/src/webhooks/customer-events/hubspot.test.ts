/** Bodies of HubSpot's subscriptions, of an object's own kind and generic ones alike. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readHubspot } from './hubspot.js';

const reported = z
  .array(z.looseObject({ subscriptionType: z.string() }))
  .parse(
    JSON.parse(
      readFileSync(new URL('../../../../../test/fixtures/hubspot-generic.json', import.meta.url), 'utf8'),
    ),
  );

const read = (fields: Readonly<Record<string, unknown>> & { subscriptionType: string }) =>
  readHubspot({ type: fields.subscriptionType, body: JSON.stringify(fields), settings: {} });
const contact = { portalId: 1, objectId: 124, occurredAt: 1_764_000_000_001 };

test('a generic subscription to contacts says what their own would', () => {
  const [event] = reported;
  expect(event && read(event)).toEqual(read({ ...contact, subscriptionType: 'contact.creation' }));
  expect(event && read(event)).toMatchObject({ name: 'Contact Created', anonymousId: 'hubspot-1-124' });
});

test.each([
  ['creation', 'Contact Created'],
  ['propertyChange', 'Contact Property Changed'],
  ['deletion', 'Contact Deleted'],
  ['restore', 'Contact Restored'],
  ['merge', 'Contacts Merged'],
])('object.%s of a contact is “%s”', (what, name) => {
  expect(read({ ...contact, subscriptionType: `object.${what}`, objectTypeId: '0-1' })).toMatchObject({
    name,
  });
});

test.each(['0-2', '0-5', '2-1234567'])(
  'objects of the type %s say nothing about customers',
  (objectTypeId) => {
    expect(read({ ...contact, subscriptionType: 'object.creation', objectTypeId })).toBeUndefined();
  },
);

test.each([
  [{ primaryObjectId: 124, mergedObjectIds: [125, 126], newObjectId: 127 }, ['127', '124', '125', '126']],
  [{ primaryObjectId: 124, mergedObjectIds: [125] }, ['124', '125']],
])('contacts that were merged are one person: %j', (fields, ids) => {
  expect(read({ ...contact, ...fields, subscriptionType: 'contact.merge' })).toMatchObject({
    anonymousId: 'hubspot-1-124',
    alsoKnownAs: ids.map((id) => `hubspot-1-${id}`),
  });
});
