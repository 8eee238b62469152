import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTime } from './event-time.js';
import { identifiersOf } from './identifiers.js';
import { readCustomerEvent } from './read-event.js';

const RECEIVED = Date.UTC(2026, 10, 29, 12);
const origin = { receivedAt: RECEIVED };
const track = { type: 'track', event: 'E', userId: 'u', messageId: 'm' };
const INSTANT = '2026-11-20T01:00:30.000Z';

describe('a time is read', () => {
  test.each([
    ['2026-11-20T01:00:30Z', INSTANT],
    ['2026-11-20 01:00:30 UTC', INSTANT],
    ['2026-11-20 01:00:30', INSTANT],
    ['Fri, 20 Nov 2026 01:00:30 GMT', INSTANT],
    // The weekday is wrong, and says nothing.
    ['Thu, 20 Nov 2026 01:00:30 GMT', INSTANT],
    ['20 Nov 2026 02:00:30 +0100', INSTANT],
    ['Fri Nov 20 2026 02:00:30 GMT+0100 (Central European Standard Time)', INSTANT],
    ['2026-11-20T02:00:30+01:00', INSTANT],
    ['2026-11-20T02:00:30+0100', INSTANT],
    ['2026-11-20T02:00:30+01', INSTANT],
    ['2026-11-20T02:00:30+01:00[Europe/Berlin]', INSTANT],
    ['2026-11-20T01:00:30Z[Etc/UTC][u-ca=gregory]', INSTANT],
    ['20261120T010030Z', INSTANT],
    ['2026-11-20T01:00:30,123456789Z', '2026-11-20T01:00:30.123Z'],
    ['2026-11-20T01:00:30.123456Z', '2026-11-20T01:00:30.123Z'],
    ['2026-11-20T01:00Z', '2026-11-20T01:00:00.000Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    [1_795_136_430, INSTANT],
    [1_795_136_430_000, INSTANT],
    ['1795136430', INSTANT],
    ['1795136430000000', INSTANT],
    ['1795136430000000000', INSTANT],
  ])('%j', (value, expected) => {
    const time = readTime(value);
    expect(time && new Date(time.at).toISOString()).toBe(expected);
  });

  test.each([
    '٢٠٢٦-١١-٢٠T١٠:٤٨:٢٩.٥Z',
    '2026-11-15T10:06:21 am+0400',
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-13-01',
    '12',
    0,
    Number.NaN,
    {},
    true,
  ])('but not in %j', (value) => {
    expect(readTime(value)).toBeUndefined();
  });

  test('in any zone and with any number of decimals', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2001-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        fc.constantFrom('T', ' '),
        fc.constantFrom(':', ''),
        (date, offset, separator, colon) => {
          const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
          const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
          const zone = `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}${colon}${two(Math.abs(offset) % 60)}`;
          expect(readTime(`${local.replace('T', separator)}000${zone}`)?.at).toBe(date.getTime());
        },
      ),
    );
  });
});

describe('an event', () => {
  test.each([
    [{ properties: [] }, { properties: {} }, 'properties'],
    [{ context: [], traits: [] }, { context: {}, traits: {} }, 'traits'],
    [{ properties: 'none' }, { properties: {} }, 'properties'],
    [
      { timestamp: '2026-11-15T10:06:21 am+0400' },
      { timestamp: new Date(RECEIVED).toISOString() },
      'timestamp',
    ],
    [{ timestamp: 1_763_600_000_000 }, { timestamp: '2025-11-20T00:53:20.000Z' }, 'timestamp'],
    [{ timestamp: '2099-01-01T00:00:00Z' }, { timestamp: new Date(RECEIVED).toISOString() }, 'timestamp'],
    [{ messageId: 'm'.repeat(300) }, { messageId: expect.stringMatching(/^[0-9a-f]{64}$/) }, 'messageId'],
    [{ event: 'e'.repeat(300) }, { event: 'e'.repeat(255) }, 'event'],
    [{ anonymousId: { id: 1 } }, { anonymousId: undefined }, 'anonymousId'],
    [{ anonymousId: 'a'.repeat(300) }, { anonymousId: undefined }, 'anonymousId'],
    [{ type: 'Track' }, { type: 'track' }, 'type'],
    [{ type: undefined }, { type: 'track' }, 'type'],
    [{ name: { a: 1 } }, { name: undefined }, 'name'],
  ])('with %j is repaired, and says so', (fields, expected, field) => {
    const { event } = readCustomerEvent({ ...track, ...fields }, origin);
    expect(event).toMatchObject(expected);
    expect(event?.repairs?.map((repair) => repair.field)).toContain(field);
  });

  test.each([
    [{ name: 'n'.repeat(300), type: 'page' }, { name: 'n'.repeat(300) }],
    [{ messageId: 17 }, { messageId: '17' }],
    [{ messageId: ' ' }, { messageId: expect.stringMatching(/^[0-9a-f-]{36}$/) }],
    [
      { userId: '', anonymousId: 7 },
      { userId: undefined, anonymousId: '7' },
    ],
    [
      { userId: '  ', anonymousId: 'a' },
      { userId: undefined, anonymousId: 'a' },
    ],
    [{ userId: null, traits: { email: 'A@example.com' } }, { traits: { email: 'A@example.com' } }],
    [{ timestamp: '2026-11-20 01:00:30 UTC' }, { timestamp: INSTANT }],
    // How long before it was sent: two days.
    [
      { originalTimestamp: '2026-11-23T10:00:00.000Z', sentAt: '2026-11-25T10:00:00.000Z' },
      { timestamp: '2026-11-27T12:00:00.000Z' },
    ],
    [
      {
        timestamp: '2026-11-20T01:00:30Z',
        originalTimestamp: '2026-11-23T10:00:00.000Z',
        sentAt: '2026-11-25T10:00:00.000Z',
      },
      { timestamp: INSTANT },
    ],
  ])('with %j is taken as it is', (fields, expected) => {
    const { event } = readCustomerEvent({ ...track, ...fields }, origin);
    expect(event).toMatchObject(expected);
    expect(event?.repairs).toBeUndefined();
  });

  test.each([
    ['text', '(event)'],
    [[], '(event)'],
    [{ ...track, event: '' }, 'event'],
    [{ ...track, type: 'purchase' }, 'type'],
    [{ ...track, userId: '' }, 'userId'],
    [{ ...track, userId: 'null' }, 'userId'],
    [{ ...track, type: 'group' }, 'groupId'],
    [{ ...track, type: 'alias', previousId: '' }, 'previousId'],
  ])('is refused where it has no meaning: %j', (raw, field) => {
    expect(readCustomerEvent(raw, origin).problems).toMatchObject([{ field }]);
  });

  test('is never refused for the form of a field that it does not need', () => {
    const optional = [
      'properties',
      'traits',
      'context',
      'timestamp',
      'sentAt',
      'originalTimestamp',
      'name',
      'category',
      'messageId',
      'anonymousId',
    ];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...optional), fc.jsonValue()), (fields) => {
        const { event } = readCustomerEvent({ ...track, ...fields }, origin);
        expect(event).toMatchObject({ type: 'track', event: 'E', userId: 'u' });
        expect(identifiersOf(event ?? { ...track, type: 'track' }).length).toBeGreaterThan(0);
      }),
    );
  });
});
