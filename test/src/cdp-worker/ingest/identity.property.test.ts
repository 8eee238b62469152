/** Whose events are whose, against a plain union-find: in any batches, by two writers at once, with messages that come again. */
import type { IncomingEvent } from '@stratum/cdp-worker';
import { lookupHash, plainHash } from '@stratum/shared';
import { identifiersOf, type CustomerEvent } from '@stratum/shared/customer-events';
import { unmergeProfile } from '@stratum/shared/profiles';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { incoming, NO_LIMITS, openWriter, TENANT, type WriterFixture } from './fixture.js';

const RUNS = 25;
const name = (prefix: string, most: number): fc.Arbitrary<string> =>
  fc.nat({ max: most - 1 }).map((n) => `${prefix}-${n}`);
const maybe = (value: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> =>
  fc.option(value, { nil: undefined });

/** Few people and many events, so that everything meets everything. */
const eventArbitrary: fc.Arbitrary<Partial<CustomerEvent>> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        userId: maybe(name('u', 5)),
        anonymousId: maybe(name('a', 8)),
        email: maybe(name('e', 4)),
        revenue: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
      })
      .filter(({ userId, anonymousId }) => userId !== undefined || anonymousId !== undefined)
      .map(({ userId, anonymousId, email, revenue }) => ({
        ...(revenue === undefined ? {} : { event: 'Order Completed', properties: { revenue } }),
        ...(userId === undefined ? {} : { userId }),
        ...(anonymousId === undefined ? {} : { anonymousId }),
        ...(email === undefined ? {} : { traits: { email: `${email}@example.com` } }),
      })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ userId: name('u', 5), previousId: fc.oneof(name('u', 5), name('a', 8)) })
      .map((ids) => ({ type: 'alias' as const, ...ids })),
  },
);

interface Delivery {
  /** Sizes of the batches, in turn. */
  sizes: number[];
  /** Which writer has each batch. */
  writers: boolean[];
  /** Which batches come a second time. */
  again: boolean[];
}

const deliveryArbitrary: fc.Arbitrary<Delivery> = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
  writers: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
  again: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
});

test('agrees with union-find', async () => {
  const fixture = await openWriter(NO_LIMITS);
  await fc.assert(
    fc.asyncProperty(
      fc.array(eventArbitrary, { minLength: 1, maxLength: 40 }),
      deliveryArbitrary,
      async (fields, delivery) => {
        await empty(fixture);
        const events = fields.map((each, index) => incoming({ ...each, messageId: `p-${index}` }));
        await deliver(fixture, events, delivery);
        expect(await actual(fixture)).toEqual(expected(events));
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
});

test('within limits, no profile holds users that nothing but a device joins, and every event is its user’s', async () => {
  const fixture = await openWriter();
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc
          .record({ userId: maybe(name('u', 4)), anonymousId: name('a', 4) })
          .map(({ userId, anonymousId }) => ({
            anonymousId,
            ...(userId === undefined ? {} : { userId }),
          })),
        { minLength: 1, maxLength: 40 },
      ),
      deliveryArbitrary,
      async (fields, delivery) => {
        await empty(fixture);
        const events = fields.map((each, index) => incoming({ ...each, messageId: `p-${index}` }));
        await deliver(fixture, events, delivery);
        const users = new Set(fields.map(({ userId }) => userId).filter((userId) => userId !== undefined));
        const profiles = await fixture.query<{ external_id: string; user_ids: number }>(
          'SELECT external_id, user_ids FROM cdp_profile WHERE merged_into IS NULL AND external_id IS NOT NULL',
        );
        expect(new Set(profiles.map(({ external_id: id }) => id))).toEqual(users);
        expect(profiles.every(({ user_ids: count }) => count === 1)).toBe(true);
        const owners = await fixture.query<{ message_id: string; external_id: string | null }>(
          'SELECT e.message_id, p.external_id FROM cdp_event e JOIN cdp_profile p ON p.id = e.profile_id',
        );
        expect(owners).toHaveLength(events.length);
        for (const { message_id: id, external_id: owner } of owners) {
          const { userId } = fields[Number(id.slice(2))] ?? {};
          if (userId !== undefined) expect(owner).toBe(userId);
        }
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
});

test('undone, merge after merge, each profile has its own events and totals, and keeps them', async () => {
  const fixture = await openWriter(NO_LIMITS);
  const { query, worker } = fixture;
  let undone = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(eventArbitrary, { minLength: 15, maxLength: 40 }),
      fc.array(eventArbitrary, { maxLength: 10 }),
      deliveryArbitrary,
      fc.nat(),
      async (fields, later, delivery, choice) => {
        await empty(fixture);
        // One by one, so that everything that can merge does.
        const events = fields.map((each, index) => incoming({ ...each, messageId: `p-${index}` }));
        await deliver(fixture, events, { ...delivery, sizes: [1] });
        for (;;) {
          const open = await query<{ profile_id: string }>(
            `SELECT m.profile_id FROM cdp_merge m JOIN cdp_profile s ON s.id = m.into_profile_id
             WHERE m.undone_at IS NULL AND s.merged_into IS NULL ORDER BY m.id`,
          );
          const chosen = open[choice % Math.max(1, open.length)];
          if (chosen === undefined) break;
          await unmergeProfile(worker, { tenantId: TENANT, profileId: Number(chosen.profile_id) });
          undone++;
          await checkTotals(fixture);
        }
        await deliver(
          fixture,
          later.map((each, index) => incoming({ ...each, messageId: `l-${index}` })),
          delivery,
        );
        await checkTotals(fixture);
        // Nothing has brought together again what was taken apart.
        expect(
          await query(
            `SELECT FROM cdp_merge m JOIN cdp_merge u ON u.undone_at IS NOT NULL
               AND least(u.profile_id, u.into_profile_id) = least(m.profile_id, m.into_profile_id)
               AND greatest(u.profile_id, u.into_profile_id) = greatest(m.profile_id, m.into_profile_id)
             WHERE m.undone_at IS NULL`,
          ),
        ).toEqual([]);
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
  expect(undone).toBeGreaterThan(RUNS);
});

/** What profiles count is what there is. */
async function checkTotals({ query }: WriterFixture): Promise<void> {
  const rows = await query(
    `SELECT id FROM cdp_profile p WHERE merged_into IS NULL AND (
       total_events <> (SELECT count(*) FROM cdp_event e WHERE e.profile_id = p.id)
       OR total_purchases <> (SELECT count(*) FROM cdp_event e WHERE e.profile_id = p.id AND name = 'Order Completed')
       OR total_revenue <> (SELECT coalesce(sum((properties ->> 'revenue')::numeric), 0) FROM cdp_event e WHERE e.profile_id = p.id)
       OR first_seen_at IS DISTINCT FROM (SELECT min(occurred_at) FROM cdp_event e WHERE e.profile_id = p.id)
       OR last_seen_at IS DISTINCT FROM (SELECT max(occurred_at) FROM cdp_event e WHERE e.profile_id = p.id)
       OR identities <> (SELECT count(*) FROM cdp_identity i WHERE i.profile_id = p.id)
       OR user_ids <> (SELECT count(*) FROM cdp_identity i WHERE i.profile_id = p.id AND type = 'user_id'))`,
  );
  expect(rows).toEqual([]);
}

async function empty({ owner }: WriterFixture): Promise<void> {
  await owner.query('TRUNCATE cdp_event, cdp_message, cdp_identity, cdp_merge, cdp_profile CASCADE');
}

/** Both writers work at the same time, each through its own batches in turn. */
async function deliver(
  { writer, otherWriter }: WriterFixture,
  events: readonly IncomingEvent[],
  { sizes, writers, again }: Delivery,
): Promise<void> {
  const queues: [IncomingEvent[][], IncomingEvent[][]] = [[], []];
  for (let from = 0, n = 0; from < events.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    const batch = events.slice(from, from + size);
    from += size;
    queues[writers[n % writers.length] === true ? 0 : 1].push(batch);
    // What comes again may come to the other one, and with another time.
    if (again[n % again.length] === true)
      queues[writers[n % writers.length] === true ? 1 : 0].push(
        batch.map((each) => ({ ...each, receivedAt: '2026-11-21T00:00:00.000Z' })),
      );
  }
  await Promise.all(
    [writer, otherWriter].map(async (each, index) => {
      for (const batch of queues[index] ?? []) await each.write(TENANT, batch);
    }),
  );
}

interface Picture {
  /** For each person: identifiers, messages, purchases, revenue. */
  people: string[];
}

function expected(events: readonly IncomingEvent[]): Picture {
  const parents = new Map<string, string>();
  const root = (key: string): string => {
    const parent = parents.get(key) ?? key;
    return parent === key ? key : root(parent);
  };
  const keys = ({ event }: IncomingEvent): string[] =>
    identifiersOf(event).map(({ type, value }) => `${type} ${value}`);
  for (const event of events) {
    const [first = '', ...others] = keys(event);
    for (const other of [first, ...others]) {
      if (!parents.has(other)) parents.set(other, other);
      parents.set(root(other), root(first));
    }
  }
  const people = new Map<
    string,
    { identifiers: string[]; messages: string[]; purchases: number; revenue: number }
  >();
  const personOf = (key: string) => {
    const person = people.get(root(key)) ?? { identifiers: [], messages: [], purchases: 0, revenue: 0 };
    people.set(root(key), person);
    return person;
  };
  for (const key of parents.keys()) personOf(key).identifiers.push(key);
  for (const each of events) {
    const person = personOf(keys(each)[0] ?? '');
    person.messages.push(each.event.messageId);
    if (each.event.event !== 'Order Completed') continue;
    person.purchases++;
    person.revenue += Number(each.event.properties?.['revenue']);
  }
  return { people: [...people.values()].map(paint).toSorted() };
}

async function actual({ query, keys }: WriterFixture): Promise<Picture> {
  const profiles = await query<{
    id: string;
    total_events: number;
    purchases: number;
    revenue: number;
    identities: number;
  }>(
    'SELECT id, total_events::int, total_purchases::int AS purchases, total_revenue::float8 AS revenue, identities FROM cdp_profile WHERE merged_into IS NULL',
  );
  // Identifiers are found by the hashes of all that there can be: the database does not tell them.
  const hashes = await query<{ type: string; hash: string; profile_id: string }>(
    `SELECT type, encode(value_hash, 'hex') AS hash, profile_id FROM cdp_identity`,
  );
  const numbers = Array.from({ length: 10 }, (_, n) => n);
  const names = [
    ...numbers.flatMap((n) => [`u-${n}`, `a-${n}`]),
    ...numbers.map((n) => `e-${n}@example.com`),
  ];
  const valueOf = new Map(names.map((value) => [lookupHash(keys, TENANT, plainHash(value)).hash, value]));
  const events = await query<{ profile_id: string; message_id: string }>(
    'SELECT profile_id, message_id FROM cdp_event',
  );
  const people = profiles.map(({ id, total_events: total, purchases, revenue, identities }) => {
    const identifiers = hashes
      .filter((each) => each.profile_id === id)
      .map(({ type, hash }) => `${type} ${valueOf.get(hash)}`);
    const messages = events
      .filter((each) => each.profile_id === id)
      .map(({ message_id: message }) => message);
    expect(total, 'the count of events').toBe(messages.length);
    expect(identities, 'the count of identifiers').toBe(identifiers.length);
    return paint({ identifiers, messages, purchases, revenue });
  });
  return { people: people.toSorted() };
}

function paint(person: {
  identifiers: string[];
  messages: string[];
  purchases: number;
  revenue: number;
}): string {
  return JSON.stringify({
    ...person,
    identifiers: person.identifiers.toSorted(),
    messages: person.messages.toSorted(),
  });
}
