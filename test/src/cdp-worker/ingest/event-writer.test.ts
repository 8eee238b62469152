/** Customer events in the database, written by the worker's own writer. */
import { withTenant } from '@stratum/shared';
import { unmergeProfile } from '@stratum/shared/profiles';
import { describe, expect, test } from 'vitest';
import { incoming, openWriter, SOURCE, TENANT, type WriterFixture } from './fixture.js';

const PROFILE = `SELECT id::int, external_id, traits, total_events::int, total_purchases::int, total_revenue::float8, user_ids, identities,
  first_seen_at, last_seen_at, last_purchase_at FROM cdp_profile WHERE merged_into IS NULL ORDER BY id`;

async function profiles({ query }: WriterFixture): Promise<Record<string, unknown>[]> {
  return query(PROFILE);
}

describe('an event', () => {
  test('is stored once, however often it arrives and whatever its timestamp', async () => {
    const fixture = await openWriter();
    const { writer, otherWriter } = fixture;
    const event = incoming({ userId: 'u-1', messageId: 'same', timestamp: '2026-10-01T00:00:00Z' });
    const later = { ...event, event: { ...event.event, timestamp: '2026-11-02T00:00:00Z' } };
    expect(await writer.write(TENANT, [event, later])).toMatchObject({ stored: 1, repeated: 1 });
    expect(await otherWriter.write(TENANT, [later])).toMatchObject({ stored: 0, repeated: 1 });
    await Promise.all(
      Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? writer : otherWriter).write(TENANT, [event, later])),
    );
    // Another source may count its messages in the same way; another tenant has nothing to do with it.
    expect(await writer.write(TENANT, [{ ...event, sourceId: SOURCE + 1 }])).toMatchObject({ stored: 1 });
    expect(await writer.write(2, [event])).toMatchObject({ stored: 1 });
    expect(await profiles(fixture)).toMatchObject([{ external_id: 'u-1', total_events: 2 }]);
  });

  test('lands in the partition of its month, and in the rest when it is years old', async () => {
    const { writer, owner } = await openWriter();
    const month = new Date();
    const old = '2003-02-01T00:00:00Z';
    await writer.write(TENANT, [
      incoming({ userId: 'u', timestamp: month.toISOString() }),
      incoming({ userId: 'u', timestamp: old }),
    ]);
    const { rows } = await owner.query(
      'SELECT tableoid::regclass::text AS name FROM cdp_event ORDER BY occurred_at',
    );
    const name = `cdp_event_${month.toISOString().slice(0, 7).replace('-', '_')}`;
    expect(rows).toEqual([{ name: 'cdp_event_rest' }, { name }]);
  });

  test('that cannot be written is set aside with the reason, and holds up no other', async () => {
    const { writer, owner, query } = await openWriter();
    await owner.query(
      `ALTER TABLE cdp_event ADD CONSTRAINT no_poison CHECK (name <> 'Poison' AND properties ->> 'revenue' <> '7')`,
    );
    const events = Array.from({ length: 21 }, (_, n) =>
      incoming({
        userId: `u-${n}`,
        event: n % 10 === 3 ? 'Poison' : 'Order Completed',
        properties: { revenue: n },
      }),
    );
    expect(await writer.write(TENANT, events)).toMatchObject({ stored: 18, rejected: 3 });
    const rejected = await query<{ message_id: string; error: string; payload: Buffer }>(
      'SELECT * FROM cdp_rejected_event',
    );
    expect(rejected).toHaveLength(3);
    expect(rejected[0]?.error).toContain('no_poison');
    expect(rejected[0]?.payload.toString('utf8')).toContain('Poison');
    // When the cause is gone, it may be sent again.
    await owner.query('ALTER TABLE cdp_event DROP CONSTRAINT no_poison');
    expect(await writer.write(TENANT, events)).toMatchObject({ stored: 3, repeated: 18, rejected: 0 });
  });

  test('with characters that the database refuses is stored with replacement characters', async () => {
    const { writer, query } = await openWriter();
    const properties = { 'a\0': 'x\0y', half: '\ud800', whole: '😀', deep: [{ '\udc00': '\0' }] };
    expect(await writer.write(TENANT, [incoming({ userId: 'u', properties })])).toMatchObject({ stored: 1 });
    expect(await query('SELECT properties FROM cdp_event')).toEqual([
      { properties: { 'a\uFFFD': 'x\uFFFDy', half: '\uFFFD', whole: '😀', deep: [{ '\uFFFD': '\uFFFD' }] } },
    ]);
  });

  test('is a purchase when an order is completed, and its revenue counts in the tenant’s currency', async () => {
    const fixture = await openWriter();
    const order = (properties: Record<string, unknown>) =>
      incoming({ userId: 'u', event: 'Order Completed', properties, timestamp: '2026-11-01T10:00:00Z' });
    await fixture.writer.write(TENANT, [
      order({ revenue: 10.1 }),
      order({ total: '20.20', currency: 'usd' }),
      order({ revenue: 0.000001, value: 5 }),
      order({ revenue: 1_000, currency: 'EUR' }),
      order({ revenue: 'much' }),
      order({ revenue: 1e300 }),
      incoming({ userId: 'u', properties: { revenue: 7 }, timestamp: '2026-11-03T10:00:00Z' }),
    ]);
    expect(await profiles(fixture)).toMatchObject([
      {
        total_events: 7,
        total_purchases: 6,
        total_revenue: 30.300001,
        first_seen_at: new Date('2026-11-01T10:00:00Z'),
        last_seen_at: new Date('2026-11-03T10:00:00Z'),
        last_purchase_at: new Date('2026-11-01T10:00:00Z'),
      },
    ]);
  });
});

describe('a refund', () => {
  const track = (event: string, properties: Record<string, unknown>, userId = 'u') =>
    incoming({ userId, event, properties, timestamp: '2026-11-01T10:00:00Z' });
  const order = (properties: Record<string, unknown>) => track('Order Completed', properties);
  const refund = (properties: Record<string, unknown>) => track('Order Refunded', properties);

  // By hand: 100.10 + 49.90 + 20.00 = 170.00 were earned.
  test.each([
    // 170.00 − 30.05
    ['of a part', [refund({ order_id: 'A', total: 30.05, currency: 'USD' })], '139.95'],
    // 170.00 − 30.05 − 9.95: each is one of its own
    [
      'of two parts',
      [refund({ order_id: 'A', total: 30.05 }), refund({ order_id: 'A', total: '9.95' })],
      '130',
    ],
    // 170.00 − 100.10
    ['of a whole order, told by its id alone', [refund({ order_id: 'A' })], '69.9'],
    // 170.00 − 30.05 − (100.10 − 30.05)
    ['of the rest of an order', [refund({ order_id: 'A', total: 30.05 }), refund({ order_id: 'A' })], '69.9'],
    // 170.00 − 100.10, and nothing more is left of it
    ['of a whole order twice', [refund({ order_id: 'A' }), refund({ order_id: 'A' })], '69.9'],
    // The customer gets 107.10 back with the tax; the order brought 100.10.
    ['with the tax that was no revenue', [refund({ order_id: 'A', total: 107.1 })], '69.9'],
    // 170.00 − 2 · 12.30 − 0.05
    [
      'of products',
      [refund({ order_id: 2, products: [{ price: 12.3, quantity: 2 }, { price: '0.05' }] })],
      '145.35',
    ],
    ['with a minus', [refund({ order_id: 'A', revenue: -10 })], '160'],
    ['of an order that nobody knows is believed', [refund({ order_id: 'elsewhere', total: 70 })], '100'],
    ['of no order is believed', [refund({ total: 70 })], '100'],
    ['of neither an order nor an amount', [refund({}), refund({ order_id: 'elsewhere' })], '170'],
    ['in another currency', [refund({ order_id: 'A', total: 50, currency: 'EUR' })], '170'],
    // 170.00 − 20.00
    ['of a payment whose order is known', [refund({ payment_intent: 'pi_1', total: 20 })], '150'],
    ['of a payment that was no order', [refund({ payment_intent: 'pi_2', total: 20 })], '170'],
    ['by somebody else', [track('Order Refunded', { order_id: 'A' }, 'other')], '170'],
  ])(
    '%s lowers the revenue by it, to the cent, in the same batch or a later one',
    async (_name, refunds, left) => {
      const orders = [
        order({ order_id: 'A', revenue: 100.1, total: 107.1 }),
        order({ order_id: 2, revenue: 49.9 }),
        order({ order_id: 'C', total: 20, payment_intent: 'pi_1' }),
      ];
      const revenue = async (batches: (typeof orders)[]): Promise<unknown> => {
        const { writer, query } = await openWriter();
        for (const batch of batches) await writer.write(TENANT, batch);
        return query(
          `SELECT trim_scale(total_revenue)::text AS revenue, total_purchases::int AS purchases FROM cdp_profile WHERE external_id = 'u'`,
        );
      };
      const expected = [{ revenue: left, purchases: 3 }];
      expect(await revenue([[...orders, ...refunds]])).toEqual(expected);
      expect(await revenue([orders, ...refunds.map((each) => [each])])).toEqual(expected);
    },
  );

  test('that arrives twice counts once, and returns to its profile when a merge is undone', async () => {
    const { writer, worker, query, profileOf } = await openWriter();
    const anonymous = (event: string, properties: Record<string, unknown>) =>
      incoming({ anonymousId: 'a', event, properties, timestamp: '2026-11-01T10:00:00Z' });
    const given = anonymous('Order Refunded', { order_id: 'B', total: 5.5 });
    await writer.write(TENANT, [order({ order_id: 'A', revenue: 10 })]);
    await writer.write(TENANT, [anonymous('Order Completed', { order_id: 'B', revenue: 20 })]);
    const part = await profileOf('anonymous_id', 'a');
    await writer.write(TENANT, [incoming({ userId: 'u', anonymousId: 'a' })]);
    await writer.write(TENANT, [given]);
    await writer.write(TENANT, [given]);
    const revenues = `SELECT trim_scale(total_revenue)::text AS revenue FROM cdp_profile WHERE merged_into IS NULL ORDER BY id`;
    expect(await query(revenues)).toEqual([{ revenue: '24.5' }]);
    await unmergeProfile(worker, { tenantId: TENANT, profileId: part ?? 0 });
    expect(await query(revenues)).toEqual([{ revenue: '10' }, { revenue: '14.5' }]);
  });
});

describe('identifiers', () => {
  test('are found by their hash, stored encrypted, and nowhere in clear text', async () => {
    const { writer, owner, decrypted, profileOf } = await openWriter();
    await writer.write(TENANT, [
      incoming({ type: 'identify', userId: 'u-1', traits: { email: ' Ann@Example.COM ', plan: 'pro' } }),
      incoming({ userId: 'u-1', context: { traits: { email: 'ann@example.com' }, ip: '::' } }),
    ]);
    expect(await decrypted('email', 'ann@example.com')).toBe('ann@example.com');
    expect(await profileOf('email', 'ann@example.com')).toBe(await profileOf('user_id', 'u-1'));
    const { rows } = await owner.query<{ text: string }>(
      `SELECT string_agg(t::text, ' ') AS text FROM (SELECT e::text AS t FROM cdp_event e UNION ALL SELECT p::text FROM cdp_profile p UNION ALL SELECT i::text FROM cdp_identity i) all_rows`,
    );
    expect(rows[0]?.text.toLowerCase()).not.toContain('example.com');
    expect(rows[0]?.text).toContain('pro');
  });

  test('of a user that an import has written lead to the imported profile', async () => {
    const fixture = await openWriter();
    await fixture.owner.query(
      `INSERT INTO cdp_profile (tenant_id, external_id, traits, total_events) VALUES (1, 'u-1', '{"plan": "club"}', 5)`,
    );
    await fixture.writer.write(TENANT, [incoming({ userId: 'u-1', anonymousId: 'a-1' })]);
    expect(await profiles(fixture)).toMatchObject([
      { external_id: 'u-1', total_events: 6, identities: 2, traits: { plan: 'club' } },
    ]);
    expect(await fixture.profileOf('user_id', 'u-1')).toBe(await fixture.profileOf('anonymous_id', 'a-1'));
  });

  test('that six people type at one kiosk keep them apart, in any order and in any batches', async () => {
    const names = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay'];
    const { writer, profileOf } = await openWriter();
    await writer.write(TENANT, [incoming({ anonymousId: 'kiosk' })]);
    const visits = [...names, ...names.toReversed()].map((name) =>
      incoming({ anonymousId: 'kiosk', traits: { email: `${name}@example.com` } }),
    );
    expect(await writer.write(TENANT, visits.slice(0, 4))).toMatchObject({ refusedLinks: 3 });
    await writer.write(TENANT, visits.slice(4));
    const found = await Promise.all(names.map((name) => profileOf('email', `${name}@example.com`)));
    expect(new Set(found).size).toBe(names.length);
  });

  test('that hundreds share join no hundreds', async () => {
    const fixture = await openWriter();
    const shared = Array.from({ length: 300 }, (_, n) => [
      incoming({ userId: `kiosk-${n}`, anonymousId: 'the-kiosk' }),
      incoming({ userId: `mail-${n}`, traits: { email: 'office@example.com' } }),
    ]).flat();
    for (let from = 0; from < shared.length; from += 100)
      await fixture.writer.write(TENANT, shared.slice(from, from + 100));
    const people = await profiles(fixture);
    const most = Math.max(...people.map(({ user_ids: users }) => Number(users)));
    expect(most).toBe(5);
    expect(people).toHaveLength(300 + 300 - 4);
    expect(people.reduce((sum, { total_events: events }) => sum + Number(events), 0)).toBe(600);
  });

  test('of two that have done too much to be moved stay apart', async () => {
    const fixture = await openWriter();
    const { writer, owner } = fixture;
    await writer.write(TENANT, [incoming({ userId: 'u-1' }), incoming({ anonymousId: 'a-1' })]);
    await owner.query('UPDATE cdp_profile SET total_events = 1000000');
    expect(await writer.write(TENANT, [incoming({ userId: 'u-1', anonymousId: 'a-1' })])).toMatchObject({
      merged: 0,
      refusedLinks: 1,
    });
    expect(await profiles(fixture)).toMatchObject([{ total_events: 1_000_001 }, { total_events: 1_000_000 }]);
  });

  test('of a crowd of devices grow into no profile without bounds', async () => {
    const fixture = await openWriter();
    const crowd = Array.from({ length: 1_200 }, (_, n) =>
      incoming({ anonymousId: `a-${n}`, traits: { email: 'test@example.com' } }),
    );
    const outcome = await fixture.writer.write(TENANT, crowd);
    expect(outcome.stored).toBe(1_200);
    expect(outcome.refusedLinks).toBeGreaterThan(600);
    expect(await profiles(fixture)).toMatchObject([{ identities: 500, total_events: 1_200 }]);
  });
});

describe('a trait', () => {
  const said = (fields: Parameters<typeof incoming>[0], day: number) =>
    incoming({ type: 'identify', timestamp: `2026-11-${day}T00:00:00Z`, ...fields });
  const three = [
    said({ userId: 'u', traits: { plan: 'free', city: 'Rome' } }, 11),
    said({ userId: 'u', traits: { plan: 'pro', seats: 3 } }, 13),
    said({ userId: 'u', traits: { plan: 'trial', seats: 1, since: 2 } }, 12),
  ];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];

  test.each(orders)('is the newest event’s, whatever the order of arrival: %j %j %j', async (...order) => {
    const fixture = await openWriter();
    const events = order.flatMap((index) => three[index] ?? []);
    // The last two share a batch.
    await fixture.writer.write(TENANT, events.slice(0, 1));
    await fixture.writer.write(TENANT, events.slice(1));
    expect(await profiles(fixture)).toMatchObject([
      { traits: { plan: 'pro', city: 'Rome', seats: 3, since: 2 } },
    ]);
  });

  test('of two profiles that become one is the newer one’s, and goes back with them', async () => {
    const fixture = await openWriter();
    const { writer, worker, profileOf } = fixture;
    await writer.write(TENANT, [said({ anonymousId: 'a', traits: { plan: 'pro', city: 'Rome' } }, 13)]);
    await writer.write(TENANT, [said({ userId: 'u', traits: { plan: 'free', city: 'Oslo', seats: 1 } }, 12)]);
    const visitor = (await profileOf('anonymous_id', 'a')) ?? 0;
    await writer.write(TENANT, [incoming({ userId: 'u', anonymousId: 'a' })]);
    await writer.write(TENANT, [said({ userId: 'u', traits: { city: 'Kiel' } }, 14)]);
    expect(await profiles(fixture)).toMatchObject([{ traits: { plan: 'pro', city: 'Kiel', seats: 1 } }]);
    await unmergeProfile(worker, { tenantId: TENANT, profileId: visitor });
    expect(await profiles(fixture)).toMatchObject([
      { traits: { plan: 'pro', city: 'Rome' } },
      { traits: { plan: 'free', city: 'Kiel', seats: 1 } },
    ]);
  });
});

describe('a merge', () => {
  /** A visitor with a past, who turns out to be a known user. */
  async function merged(): Promise<WriterFixture & { user: number; visitor: number }> {
    const fixture = await openWriter();
    const { writer, profileOf } = fixture;
    await writer.write(TENANT, [
      incoming({
        type: 'identify',
        userId: 'u-1',
        traits: { plan: 'pro' },
        timestamp: '2026-11-05T00:00:00Z',
      }),
      incoming({
        anonymousId: 'a-2',
        event: 'Order Completed',
        properties: { revenue: 9 },
        timestamp: '2026-11-01T00:00:00Z',
      }),
      incoming({
        type: 'identify',
        anonymousId: 'a-2',
        traits: { plan: 'free', city: 'Bern' },
        timestamp: '2026-11-02T00:00:00Z',
      }),
    ]);
    const [user = 0, visitor = 0] = [
      await profileOf('user_id', 'u-1'),
      await profileOf('anonymous_id', 'a-2'),
    ];
    expect(visitor).not.toBe(user);
    expect(
      await writer.write(TENANT, [
        incoming({ userId: 'u-1', anonymousId: 'a-2', timestamp: '2026-11-06T00:00:00Z' }),
      ]),
    ).toMatchObject({ merged: 1 });
    return { ...fixture, user, visitor };
  }

  test('moves identifiers, events, totals, traits and memberships, and is recorded', async () => {
    const fixture = await openWriter();
    const { writer, owner, query, profileOf } = fixture;
    await writer.write(TENANT, [incoming({ userId: 'u-1' }), incoming({ anonymousId: 'a-2' })]);
    const visitor = await profileOf('anonymous_id', 'a-2');
    await owner.query(
      `INSERT INTO cdp_segment (tenant_id, id, name, type, definition) VALUES (1, 1, 'By hand', 'static', '{}'), (1, 2, 'Computed', 'dynamic', '{}')`,
    );
    await owner.query(
      `INSERT INTO cdp_segment_membership (tenant_id, segment_id, profile_id, entered_at) SELECT 1, n, $1, now() FROM generate_series(1, 2) n`,
      [visitor],
    );
    await writer.write(TENANT, [incoming({ userId: 'u-1', anonymousId: 'a-2' })]);
    const user = await profileOf('user_id', 'u-1');
    expect(await profileOf('anonymous_id', 'a-2')).toBe(user);
    expect(await query('SELECT count(*)::int FROM cdp_event WHERE profile_id = $1', [user])).toEqual([
      { count: 3 },
    ]);
    expect(
      await query('SELECT segment_id::int FROM cdp_segment_membership WHERE profile_id = $1', [user]),
    ).toEqual([{ segment_id: 1 }]);
    expect(
      await query('SELECT profile_id::int, into_profile_id::int, reason, undone_at FROM cdp_merge'),
    ).toEqual([{ profile_id: visitor, into_profile_id: user, reason: 'anonymous_id', undone_at: null }]);
  });

  test('joins totals and traits; the identified user’s traits take precedence', async () => {
    expect(await profiles(await merged())).toMatchObject([
      {
        external_id: 'u-1',
        traits: { plan: 'pro', city: 'Bern' },
        total_events: 4,
        total_purchases: 1,
        total_revenue: 9,
        user_ids: 1,
        identities: 2,
        first_seen_at: new Date('2026-11-01T00:00:00Z'),
        last_seen_at: new Date('2026-11-06T00:00:00Z'),
      },
    ]);
  });

  test('is undone with all that has come since, and is not made again', async () => {
    const fixture = await merged();
    const { writer, worker, user, visitor, profileOf } = fixture;
    await writer.write(TENANT, [
      incoming({
        anonymousId: 'a-2',
        event: 'Order Completed',
        properties: { revenue: 4 },
        timestamp: '2026-11-07T00:00:00Z',
      }),
      incoming({ userId: 'u-1', timestamp: '2026-11-08T00:00:00Z' }),
    ]);
    const done = await unmergeProfile(worker, { tenantId: TENANT, profileId: visitor });
    expect(done).toMatchObject({ profile_id: visitor, from_profile_id: user, identities: 1, events: 3 });
    const apart = [
      {
        id: user,
        traits: { plan: 'pro' },
        total_events: 3,
        total_purchases: 0,
        total_revenue: 0,
        user_ids: 1,
        identities: 1,
        first_seen_at: new Date('2026-11-05T00:00:00Z'),
        last_seen_at: new Date('2026-11-08T00:00:00Z'),
        last_purchase_at: null,
      },
      {
        id: visitor,
        traits: { plan: 'free', city: 'Bern' },
        total_events: 3,
        total_purchases: 2,
        total_revenue: 13,
        user_ids: 0,
        identities: 1,
        first_seen_at: new Date('2026-11-01T00:00:00Z'),
        last_seen_at: new Date('2026-11-07T00:00:00Z'),
      },
    ];
    expect(await profiles(fixture)).toMatchObject(apart);
    await writer.write(TENANT, [incoming({ userId: 'u-1', anonymousId: 'a-2' })]);
    expect(await profileOf('anonymous_id', 'a-2')).toBe(visitor);
    expect(await profiles(fixture)).toMatchObject([
      { id: user, total_events: 4 },
      { id: visitor, total_events: 3 },
    ]);
    await expect(unmergeProfile(worker, { tenantId: TENANT, profileId: visitor })).rejects.toThrow(
      /part of no other/,
    );
  });

  test('of merges is undone from the outside in', async () => {
    const fixture = await openWriter();
    const { writer, worker, profileOf } = fixture;
    const write = (fields: Parameters<typeof incoming>[0]) => writer.write(TENANT, [incoming(fields)]);
    await write({ anonymousId: 'a-1' });
    await write({ anonymousId: 'a-2' });
    await write({ anonymousId: 'a-1', traits: { email: 'ann@example.com' } });
    await write({ anonymousId: 'a-2', traits: { email: 'ann@example.com' } });
    const [first = 0, second = 0] = await Promise.all([
      profileOf('anonymous_id', 'a-1'),
      profileOf('anonymous_id', 'a-2'),
    ]);
    expect(first).toBe(second);
    await write({ userId: 'u-1' });
    await write({ userId: 'u-1', anonymousId: 'a-2' });
    const user = await profileOf('user_id', 'u-1');
    expect(await profileOf('anonymous_id', 'a-1')).toBe(user);
    const inner = first + 1;
    await expect(unmergeProfile(worker, { tenantId: TENANT, profileId: inner })).rejects.toThrow(
      `unmerge ${first} first`,
    );
    await unmergeProfile(worker, { tenantId: TENANT, profileId: first });
    await unmergeProfile(worker, { tenantId: TENANT, profileId: inner });
    const events = await withTenant(worker, TENANT, (client) =>
      client.query('SELECT profile_id::int AS id, count(*)::int FROM cdp_event GROUP BY 1 ORDER BY 1'),
    );
    // The event that joined the two named the address first, and that was the first one's.
    expect(events.rows).toEqual([
      { id: first, count: 3 },
      { id: inner, count: 1 },
      { id: user, count: 2 },
    ]);
    expect(await profiles(fixture)).toMatchObject([
      { id: first, total_events: 3 },
      { id: inner, total_events: 1 },
      { id: user, total_events: 2 },
    ]);
  });
});
