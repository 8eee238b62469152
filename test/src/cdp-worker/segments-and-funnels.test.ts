/** Segments, scores and funnels against a second opinion: in memory, profile by profile, and on paper. */
import { createCdpHandlers } from '@stratum/cdp-worker';
import { runTask, type TaskRun } from '@stratum/jobs/testing';
import {
  computeAllCdpSegments,
  computeCdpFunnel,
  computeCdpRfm,
  computeCdpSegment,
  DOMAIN_EVENT_DATA,
  withTenant,
} from '@stratum/shared';
import { createDomainEventRelay, domainEventNames, ensureDomainEventStream } from '@stratum/scheduler';
import { funnelSchema, saveSegment, timeOf, type SegmentTree } from '@stratum/shared/customer-data';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';
import { NOW, profileBodies, trees } from './segment-arbitraries.js';
import { isMember, type OracleEvent, type OracleProfile } from './segment-oracle.js';

const tickAt = (time: number): { scheduledBy: { entry: string; tick: Date } } => ({
  scheduledBy: { entry: 'test', tick: new Date(time) },
});

async function runCdp({ database }: Platform, task: string, payload: unknown, at = NOW): Promise<TaskRun> {
  const handler = createCdpHandlers({ pool: database.as('stratum_cdp_worker') }).find(
    ({ contract }) => contract.name === task,
  );
  if (handler === undefined) throw new Error(task);
  const run = await runTask(handler, payload, tickAt(at));
  return run;
}

async function insertProfiles(
  { query }: Platform,
  profiles: readonly OracleProfile[],
  tenantId = TENANT,
): Promise<void> {
  const time = (value: number | null): string | null =>
    value === null ? null : new Date(value).toISOString();
  await query(
    `INSERT INTO cdp_profile (tenant_id, id, external_id, lifecycle_stage, traits, total_events, total_purchases, total_revenue, first_seen_at, last_seen_at)
     SELECT $1, id, external_id, lifecycle_stage, traits, total_events, total_purchases, total_revenue, first_seen_at, last_seen_at
     FROM jsonb_to_recordset($2::jsonb) AS p (id bigint, external_id text, lifecycle_stage text, traits jsonb, total_events bigint,
       total_purchases bigint, total_revenue numeric, first_seen_at timestamptz, last_seen_at timestamptz)`,
    [
      tenantId,
      JSON.stringify(
        profiles.map((p) => ({
          ...p,
          first_seen_at: time(p.first_seen_at),
          last_seen_at: time(p.last_seen_at),
        })),
      ),
    ],
  );
  const events = profiles.flatMap((profile) =>
    profile.events.map((event, index) => ({
      ...event,
      profile_id: profile.id,
      message_id: `${profile.id}-${index}`,
      occurred_at: time(event.occurredAt),
    })),
  );
  await query(
    `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, properties, occurred_at)
     SELECT $1, message_id, profile_id, name, properties, occurred_at
     FROM jsonb_to_recordset($2::jsonb) AS e (message_id text, profile_id bigint, name text, properties jsonb, occurred_at timestamptz)`,
    [tenantId, JSON.stringify(events)],
  );
  await query(
    `INSERT INTO cdp_identity (tenant_id, type, value_hash, profile_id)
     SELECT $1, type, sha256((type || profile_id)::bytea), profile_id FROM jsonb_to_recordset($2::jsonb) AS i (type text, profile_id bigint)`,
    [
      tenantId,
      JSON.stringify(
        profiles.flatMap(({ id, identifiers }) => identifiers.map((type) => ({ type, profile_id: id }))),
      ),
    ],
  );
  await query(
    `INSERT INTO cdp_rfm SELECT $1, profile_id, recency, frequency, monetary
     FROM jsonb_to_recordset($2::jsonb) AS r (profile_id bigint, recency int, frequency int, monetary int)`,
    [
      tenantId,
      JSON.stringify(profiles.flatMap(({ id, rfm }) => (rfm === null ? [] : [{ profile_id: id, ...rfm }]))),
    ],
  );
  await query(
    `INSERT INTO cdp_segment_membership (tenant_id, segment_id, profile_id, entered_at)
     SELECT $1, segment_id, profile_id, now() FROM jsonb_to_recordset($2::jsonb) AS m (segment_id bigint, profile_id bigint)`,
    [
      tenantId,
      JSON.stringify(
        profiles.flatMap(({ id, segments }) =>
          segments.map((segment) => ({ segment_id: segment, profile_id: id })),
        ),
      ),
    ],
  );
}

const plain: Omit<OracleProfile, 'id'> = {
  external_id: null,
  lifecycle_stage: null,
  total_events: 0,
  total_purchases: 0,
  total_revenue: 0,
  first_seen_at: null,
  last_seen_at: null,
  traits: {},
  identifiers: [],
  rfm: null,
  segments: [],
  events: [],
};

async function save(
  { database }: Platform,
  name: string,
  definition: unknown,
  tenantId = TENANT,
): Promise<number> {
  return withTenant(database.owner, tenantId, (client) => saveSegment(client, { name, definition }));
}

async function members({ query }: Platform, segmentId: number): Promise<number[]> {
  const rows = await query<{ profile_id: string }>(
    'SELECT profile_id FROM cdp_segment_membership WHERE segment_id = $1 AND exited_at IS NULL ORDER BY profile_id',
    [segmentId],
  );
  return rows.map(({ profile_id: id }) => Number(id));
}

describe('a segment', () => {
  test('has the same members as the plain reading of its definition has, on random data', async () => {
    const platform = await openPlatform();
    const { query } = platform;
    for (const id of [1, 2])
      await query(
        `INSERT INTO cdp_segment (tenant_id, id, name, type, definition) VALUES (1, $1, $2, 'static', '{}')`,
        [id, `Static ${id}`],
      );
    await query(
      `INSERT INTO cdp_segment (tenant_id, id, name, definition) VALUES (1, 3, 'Under test', '{}')`,
    );
    const someone = { ...plain, id: 999, traits: { tier: 'gold' }, lifecycle_stage: 'gold', total_events: 3 };
    await insertProfiles(platform, [someone], OTHER_TENANT);
    await fc.assert(
      fc.asyncProperty(
        fc.array(profileBodies, { minLength: 1, maxLength: 25 }),
        fc.array(trees, { minLength: 5, maxLength: 12 }),
        async (bodies, definitions) => {
          await query(
            'DELETE FROM cdp_segment_membership; DELETE FROM cdp_rfm; DELETE FROM cdp_identity; DELETE FROM cdp_event; DELETE FROM cdp_profile WHERE tenant_id = 1',
          );
          const profiles = bodies.map((body, index) => ({ ...body, id: index + 1 }));
          await insertProfiles(platform, profiles);
          for (const tree of definitions) {
            await query('UPDATE cdp_segment SET definition = $1 WHERE id = 3', [JSON.stringify(tree)]);
            const run = await runCdp(platform, computeCdpSegment.name, { segment_id: 3 });
            const expected = profiles.filter((profile) => isMember(tree, profile, NOW)).map(({ id }) => id);
            expect(run.error, JSON.stringify(tree)).toBeUndefined();
            expect(run.result, JSON.stringify(tree)).toMatchObject({ profile_count: expected.length });
            expect(await members(platform, 3), JSON.stringify(tree)).toEqual(expected);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('records and publishes entries and exits, and does nothing without changes', async () => {
    const platform = await openPlatform();
    const { query, connection, database, prefix } = platform;
    await insertProfiles(
      platform,
      [1, 2, 3].map((id) => ({ ...plain, id, total_purchases: id })),
    );
    const segmentId = await save(platform, 'Buyers', {
      logic: 'and',
      conditions: [{ field: 'profile.total_purchases', operator: 'gte', value: 2 }],
    });
    const compute = async (at: number): Promise<unknown> =>
      (await runCdp(platform, computeCdpSegment.name, { segment_id: segmentId }, at)).result;
    expect(await compute(NOW)).toEqual({ segment_id: segmentId, profile_count: 2, entered: 2, exited: 0 });
    await query('UPDATE cdp_profile SET total_purchases = 3 - total_purchases + 1 WHERE tenant_id = 1');
    expect(await compute(NOW + 1_000)).toEqual({
      segment_id: segmentId,
      profile_count: 2,
      entered: 1,
      exited: 1,
    });
    expect(await compute(NOW + 2_000)).toEqual({
      segment_id: segmentId,
      profile_count: 2,
      entered: 0,
      exited: 0,
    });
    const rows = await query(
      'SELECT profile_id, exited_at FROM cdp_segment_membership ORDER BY entered_at, profile_id',
    );
    expect(rows).toEqual([
      { profile_id: '2', exited_at: null },
      { profile_id: '3', exited_at: new Date(NOW + 1_000) },
      { profile_id: '1', exited_at: null },
    ]);
    expect(await query('SELECT profile_count, last_computed_at FROM cdp_segment')).toEqual([
      { profile_count: '2', last_computed_at: new Date(NOW + 2_000) },
    ]);
    await ensureDomainEventStream(connection, {
      STRATUM_PREFIX: prefix,
      STRATUM_REPLICAS: 1,
      DOMAIN_EVENTS_MAX_BYTES: 1_048_576,
    });
    const relays = [1, 2].map(() =>
      createDomainEventRelay({
        pool: database.as('stratum_scheduler'),
        connection,
        prefix,
        logger: pino({ level: 'silent' }),
      }),
    );
    for (const relay of relays) relay.start();
    onTestFinished(async () => {
      await Promise.all(relays.map((relay) => relay.stop()));
    });
    await waitFor(
      'all to be published',
      async () => (await query('SELECT FROM domain_event WHERE published_at IS NULL')).length === 0,
    );
    const names = domainEventNames(prefix);
    const { state } = await (await jetstreamManager(connection)).streams.info(names.stream);
    expect(state.messages).toBe(3);
    const consumer = await jetstream(connection).consumers.get(names.stream, {
      filter_subjects: [names.subject(TENANT, 'segment.exited')],
    });
    const message = await consumer.next({ expires: 2_000 });
    expect(message?.json()).toMatchObject({
      type: 'segment.exited',
      tenant_id: 1,
      data: { segment_id: segmentId, profile_ids: [3] },
    });
    for (const { type, data } of await query<{ type: 'segment.entered' | 'segment.exited'; data: unknown }>(
      'SELECT type, data FROM domain_event',
    ))
      expect(DOMAIN_EVENT_DATA[type].strict().parse(data)).toEqual(data);
  });

  test('follows those it depends on, in one round', async () => {
    const platform = await openPlatform();
    const { startWorker, run, query, database } = platform;
    await insertProfiles(
      platform,
      [1, 2].map((id) => ({ ...plain, id, total_purchases: id, total_revenue: id })),
    );
    const first = await save(platform, 'First', {
      logic: 'and',
      conditions: [{ field: 'profile.total_purchases', operator: 'gte', value: 2 }],
    });
    const inFirst = { field: `segment.${first}`, operator: 'equals', value: true };
    const second = await save(platform, 'Second', { logic: 'and', conditions: [inFirst] });
    const third = await save(platform, 'Third', {
      logic: 'not',
      conditions: [inFirst, { field: `segment.${second}`, operator: 'equals', value: true }],
    });
    startWorker('cdp', createCdpHandlers({ pool: database.as('stratum_cdp_worker') }));
    expect(await run(computeAllCdpSegments, {}, { id: 'round', ...tickAt(NOW) })).toEqual({ enqueued: 2 });
    await waitFor('the last one', async () => {
      const [row] = await query<{ last_slot: string | null }>(
        'SELECT last_slot FROM cdp_segment WHERE id = $1',
        [third],
      );
      return row?.last_slot === String(NOW);
    });
    expect([
      await members(platform, first),
      await members(platform, second),
      await members(platform, third),
    ]).toEqual([[2], [2], [1]]);
  });

  test('that would be a part of itself is refused, also over others', async () => {
    const platform = await openPlatform();
    const everyone = {
      logic: 'and',
      conditions: [{ field: 'profile.total_events', operator: 'gte', value: 0 }],
    };
    const a = await save(platform, 'A', everyone);
    const b = await save(platform, 'B', {
      logic: 'and',
      conditions: [{ field: `segment.${a}`, operator: 'equals', value: true }],
    });
    const circle = save(platform, 'A', {
      logic: 'and',
      conditions: [{ field: `segment.${b}`, operator: 'equals', value: true }],
    });
    await expect(circle).rejects.toMatchObject({
      code: 'segment_cycle',
      message: `A segment cannot depend on itself: ${a} → ${b} → ${a}.`,
    });
    expect(await platform.query('SELECT depends_on FROM cdp_segment WHERE id = $1', [a])).toEqual([
      { depends_on: [] },
    ]);
  });

  test.each([
    [{ logic: 'and', conditions: [], groups: [] }, 'is empty'],
    [
      { logic: 'and', conditions: [{ field: 'profile.password', operator: 'equals', value: 1 }] },
      'there is no field "profile.password"',
    ],
    [
      { logic: 'and', conditions: [{ field: 'profile.total_events', operator: 'contains', value: 'x' }] },
      'cannot be compared with contains',
    ],
    [{ logic: 'and', conditions: [{ field: 'trait.x', operator: 'gt', value: '5' }] }, 'must be a number'],
    [
      { logic: 'and', conditions: [{ field: 'trait.x', operator: 'before', value: '2026-02-31' }] },
      'must be a date',
    ],
    [
      { logic: 'and', conditions: [{ field: 'trait.x', operator: 'equals', value: 1, within_days: 3 }] },
      'for events only',
    ],
  ])('with the definition %j is refused: %s', async (definition, message) => {
    const platform = await openPlatform();
    await expect(save(platform, 'Bad', definition)).rejects.toThrow(message);
  });

  test('of another tenant, or of nobody, cannot be named', async () => {
    const platform = await openPlatform();
    await insertProfiles(platform, [{ ...plain, id: 1 }]);
    await insertProfiles(platform, [{ ...plain, id: 2 }], OTHER_TENANT);
    const everyone = {
      logic: 'and',
      conditions: [{ field: 'profile.total_events', operator: 'gte', value: 0 }],
    } satisfies Partial<SegmentTree>;
    const theirs = await save(platform, 'Theirs', everyone, OTHER_TENANT);
    await runCdp(platform, computeCdpSegment.name, { segment_id: theirs });
    expect(await members(platform, theirs)).toEqual([2]);
    const mine = await save(platform, 'Mine', {
      logic: 'and',
      conditions: [{ field: `segment.${theirs}`, operator: 'equals', value: true }],
    });
    await runCdp(platform, computeCdpSegment.name, { segment_id: mine });
    expect(await members(platform, mine)).toEqual([]);
    const missing = await runCdp(platform, computeCdpSegment.name, { segment_id: 4_711 });
    expect(missing).toMatchObject({ outcome: 'failed', error: { message: 'There is no segment 4711.' } });
  });
});

describe('RFM scores', () => {
  async function buyers({ query }: Platform, all: { revenue: number; purchases: number }[]): Promise<void> {
    await query(
      `INSERT INTO cdp_profile (tenant_id, id, total_revenue, total_purchases, last_purchase_at)
       SELECT 1, row_number() OVER (), revenue, purchases, CASE WHEN purchases > 0 THEN timestamptz '2026-11-01Z' + row_number() OVER () * interval '1 day' END
       FROM jsonb_to_recordset($1::jsonb) AS b (revenue numeric, purchases bigint)`,
      [JSON.stringify(all)],
    );
  }

  test('are quintiles in which equal values get equal scores', async () => {
    const platform = await openPlatform();
    const { query } = platform;
    // Revenue 10, 20, 20, 30, 50: the shares below are 0, 0.2, 0.2, 0.6 and 0.8, so the scores 1, 2, 2, 4, 5.
    await buyers(
      platform,
      [10, 20, 20, 30, 50, 0].map((revenue) => ({ revenue, purchases: revenue === 0 ? 0 : 1 })),
    );
    const run = await runCdp(platform, computeCdpRfm.name, { tenant_id: TENANT });
    expect(run.result).toEqual({ tenant_id: TENANT, scored: 5, changed: 5, enqueued: 0 });
    const rows = await query('SELECT recency, frequency, monetary FROM cdp_rfm ORDER BY profile_id');
    expect(rows).toEqual([
      { recency: 1, frequency: 1, monetary: 1 },
      { recency: 2, frequency: 1, monetary: 2 },
      { recency: 3, frequency: 1, monetary: 2 },
      { recency: 4, frequency: 1, monetary: 4 },
      { recency: 5, frequency: 1, monetary: 5 },
    ]);
    expect((await runCdp(platform, computeCdpRfm.name, { tenant_id: TENANT })).result).toMatchObject({
      changed: 0,
    });
  });

  test.each([85, 80, 50])('of buyers of whom %i %% bought once tell those from the others', async (share) => {
    const platform = await openPlatform();
    const purchases = Array.from({ length: 200 }, (_, index) => (index < 2 * share ? 1 : 2 + (index % 9)));
    await buyers(
      platform,
      purchases.map((each) => ({ revenue: each, purchases: each })),
    );
    await runCdp(platform, computeCdpRfm.name, { tenant_id: TENANT });
    const rows = await platform.query<{ frequency: number }>(
      'SELECT frequency FROM cdp_rfm ORDER BY profile_id',
    );
    const below = (value: number): number => purchases.filter((each) => each < value).length;
    expect(rows.map(({ frequency }) => frequency)).toEqual(
      purchases.map((each) => 1 + Math.floor((5 * below(each)) / purchases.length)),
    );
  });
});

describe('a funnel', () => {
  const at = (time: string): number => Date.parse(`2026-11-20T${time}:00Z`);
  const viewed = (time: string, device: string): OracleEvent => ({
    name: 'Viewed',
    occurredAt: at(time),
    properties: { device },
  });
  const did = (name: string, time: string): OracleEvent => ({ name, occurredAt: at(time), properties: {} });

  async function addFunnel({ query }: Platform, definition: unknown): Promise<number> {
    const [row] = await query<{ id: string }>(
      `INSERT INTO cdp_funnel (tenant_id, name, definition) VALUES (1, 'Funnel', $1) RETURNING id`,
      [JSON.stringify(definition)],
    );
    return Number(row?.id);
  }

  test('counts profiles per step, in order and within the window', async () => {
    const platform = await openPlatform();
    const funnelId = await addFunnel(platform, {
      steps: [{ event: 'Viewed' }, { event: 'Added' }, { event: 'Bought' }],
      window_seconds: 3_600,
      breakdown: 'device',
    });
    await insertProfiles(platform, [
      // All three steps: after 600 s and 1,200 s.
      { ...plain, id: 1, events: [viewed('10:00', 'mobile'), did('Added', '10:10'), did('Bought', '10:30')] },
      // Bought before looking: two steps, after 1,200 s.
      { ...plain, id: 2, events: [did('Bought', '09:00'), viewed('10:00', 'mobile'), did('Added', '10:20')] },
      // Took longer than the window.
      { ...plain, id: 3, events: [viewed('10:00', 'desktop'), did('Added', '11:30')] },
      // The first look was too early, the second leads to the end: after 1,800 s and 1,200 s.
      {
        ...plain,
        id: 4,
        events: [
          viewed('09:00', 'mobile'),
          viewed('10:00', 'desktop'),
          did('Added', '10:30'),
          did('Bought', '10:50'),
        ],
      },
      // Never began.
      { ...plain, id: 5, events: [did('Added', '10:00')] },
    ]);
    const run = await runCdp(platform, computeCdpFunnel.name, { funnel_id: funnelId });
    expect(run.result).toEqual({ funnel_id: funnelId, entered: 4, completed: 2 });
    const [result] = await platform.query('SELECT steps, breakdown FROM cdp_funnel_result');
    expect(result).toMatchObject({
      steps: [
        { event: 'Viewed', profiles: 4, conversion: 1, dropped: 1, median_seconds: null },
        { event: 'Added', profiles: 3, conversion: 0.75, dropped: 1, median_seconds: 1_200 },
        // The 95 % interval of 2 of 4 is 0.15 to 0.85.
        {
          event: 'Bought',
          profiles: 2,
          overall: 0.5,
          median_seconds: 1_200,
          interval: { low: expect.closeTo(0.15, 3), high: expect.closeTo(0.85, 3) },
        },
      ],
      breakdown: [
        { value: 'desktop', steps: [{ profiles: 2 }, { profiles: 1 }, { profiles: 1 }] },
        { value: 'mobile', steps: [{ profiles: 2 }, { profiles: 2 }, { profiles: 1 }] },
      ],
    });
  });

  test.each([
    [{ operator: 'gt', value: 'much' }, 'must be a number'],
    [{ operator: 'between', value: 3 }, 'must be two numbers'],
    [{ operator: 'is_null', value: 1 }, 'must be left out'],
    [{ operator: 'before', value: '31.2.2026' }, 'must be a date'],
  ])('with the filter %j is refused: %s', (filter, message) => {
    const steps = [{ event: 'A', where: [{ property: 'p', ...filter }] }, { event: 'B' }];
    expect(JSON.stringify(funnelSchema.safeParse({ steps }).error?.issues)).toContain(message);
  });

  test('lists the most frequent values and sums up the rest', async () => {
    const platform = await openPlatform();
    const funnelId = await addFunnel(platform, {
      steps: [{ event: 'Viewed' }, { event: 'Added' }],
      window_seconds: 3_600,
      breakdown: 'device',
    });
    // Two profiles of each of 20 devices; one of each of three more, of which one gets on.
    const devices = [
      ...Array.from({ length: 20 }, (_, index) => [`d${10 + index}`, `d${10 + index}`]).flat(),
      'x1',
      'x2',
      'x3',
    ];
    await insertProfiles(
      platform,
      devices.map((device, index) => ({
        ...plain,
        id: index + 1,
        events: [viewed('10:00', device), ...(device === 'x1' ? [did('Added', '10:10')] : [])],
      })),
    );
    await runCdp(platform, computeCdpFunnel.name, { funnel_id: funnelId });
    const [result] = await platform.query<{ breakdown: { value: string; steps: { profiles: number }[] }[] }>(
      'SELECT breakdown FROM cdp_funnel_result',
    );
    expect(result?.breakdown).toHaveLength(21);
    expect(result?.breakdown[0]).toMatchObject({ value: 'd10', steps: [{ profiles: 2 }, { profiles: 0 }] });
    expect(result?.breakdown.at(-1)).toMatchObject({
      value: '(other)',
      steps: [{ profiles: 3 }, { profiles: 1, median_seconds: null }],
    });
  });

  test('takes events of one and the same time in the order of its steps', async () => {
    const platform = await openPlatform();
    const together = ['Paid', 'Viewed', 'Added'].map((name) => did(name, '10:00'));
    await insertProfiles(platform, [{ ...plain, id: 1, events: together }]);
    const funnelId = await addFunnel(platform, {
      steps: ['Viewed', 'Added', 'Paid'].map((event) => ({ event })),
    });
    const run = await runCdp(platform, computeCdpFunnel.name, { funnel_id: funnelId });
    expect(run.result).toEqual({ funnel_id: funnelId, entered: 1, completed: 1 });
  });

  test.each<[string, string[], [string, number][], number]>([
    [
      'two that fit the first step, one of them the second',
      ['A', 'A=2'],
      [
        ['A', 1],
        ['A', 2],
      ],
      2,
    ],
    [
      'three A and C',
      ['A', 'C', 'A', 'A'],
      [
        ['A', 1],
        ['A', 1],
        ['A', 1],
        ['C', 1],
      ],
      4,
    ],
    [
      'two A and C',
      ['A', 'C', 'A', 'A'],
      [
        ['A', 1],
        ['A', 1],
        ['C', 1],
      ],
      3,
    ],
    ['one that fits both steps', ['A', 'A'], [['A', 1]], 1],
  ])('of one time, %s, gets as far as it can', async (_name, steps, events, depth) => {
    const platform = await openPlatform();
    const happened = events.map(([name, v]) => ({ ...did(name, '10:00'), properties: { v } }));
    await insertProfiles(platform, [{ ...plain, id: 1, events: happened }]);
    const funnelId = await addFunnel(platform, { steps: steps.map(stepOf) });
    await runCdp(platform, computeCdpFunnel.name, { funnel_id: funnelId });
    const [result] = await platform.query<{ steps: { profiles: number }[] }>(
      'SELECT steps FROM cdp_funnel_result',
    );
    expect(result?.steps.filter(({ profiles }) => profiles === 1)).toHaveLength(depth);
  });

  /** `A=2`: the event A whose v is 2. */
  function stepOf(step: string): { event: string; where?: unknown[] } {
    const [event = '', v] = step.split('=');
    return v === undefined
      ? { event }
      : { event, where: [{ property: 'v', operator: 'equals', value: Number(v) }] };
  }

  test.each([[['A', 'B', 'C']], [['A', 'B', 'C', 'A']], [['A', 'A=2', 'B', 'A']]])(
    'of %j finds the deepest chain that there is, on random events',
    async (steps) => {
      const platform = await openPlatform();
      const { query } = platform;
      const minute = 60_000;
      // So few minutes that many events share one.
      const someEvents = fc.array(
        fc.record({
          name: fc.constantFrom('A', 'B', 'C'),
          v: fc.constantFrom(1, 2),
          minutes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 })),
        }),
        { maxLength: 8 },
      );
      const windowMinutes = 10;
      const funnelId = await addFunnel(platform, {
        steps: steps.map(stepOf),
        window_seconds: windowMinutes * 60,
      });
      await fc.assert(
        fc.asyncProperty(fc.array(someEvents, { minLength: 1, maxLength: 20 }), async (all) => {
          await query('DELETE FROM cdp_event; DELETE FROM cdp_profile');
          const profiles = all.map((events, index) => ({
            ...plain,
            id: index + 1,
            events: events.map(({ name, v, minutes }) => ({
              name,
              properties: { v },
              occurredAt: NOW - minutes * minute,
            })),
          }));
          await insertProfiles(platform, profiles);
          await runCdp(platform, computeCdpFunnel.name, { funnel_id: funnelId });
          const depths = profiles.map(({ events }) => deepest(events, steps, windowMinutes * minute));
          const [result] = await query<{ steps: { profiles: number }[] }>(
            'SELECT steps FROM cdp_funnel_result',
          );
          const expected = steps.map((_step, index) => depths.filter((depth) => depth > index).length);
          expect(result?.steps.map((step) => step.profiles)).toEqual(expected);
        }),
        { numRuns: 25 },
      );
    },
  );

  /** Tries every chain of different events, of which none lies before the last. */
  function deepest(events: readonly OracleEvent[], steps: readonly string[], windowMs: number): number {
    const fits = ({ name, properties }: OracleEvent, step = ''): boolean => {
      const [event, v] = step.split('=');
      return name === event && (v === undefined || properties['v'] === Number(v));
    };
    const from = (used: readonly OracleEvent[]): number => {
      const [first, last] = [used[0]?.occurredAt ?? 0, used.at(-1)?.occurredAt ?? 0];
      const next = events.filter(
        (event) =>
          !used.includes(event) &&
          fits(event, steps[used.length]) &&
          event.occurredAt >= last &&
          (used.length === 0 || event.occurredAt <= first + windowMs),
      );
      return Math.max(used.length, ...next.map((event) => from([...used, event])));
    };
    return from([]);
  }
});

test('times and numbers of customers are read in all their common forms', async () => {
  const { query } = await openPlatform();
  const at = '2026-11-20T10:00:00.000Z';
  const times: [unknown, string | null][] = [
    ['2026-11-20T10:00:00Z', at],
    ['2026-11-20T10:00:00+00:00', at],
    ['2026-11-20T11:00:00+01:00', at],
    ['2026-11-20T05:30-0430', at],
    ['2026-11-20T12+02', at],
    ['2026-11-20T10:00:00.000000Z', at],
    ['2026-11-20T10:00:00.000000000Z', at],
    ['2026-11-20T10:00:00,5', '2026-11-20T10:00:00.500Z'],
    ['2026-11-20T10:00:00', at],
    ['2026-11-20 10:00:00 UTC', at],
    ['20261120T100000Z', at],
    ['2026-W47-5T10:00Z', at],
    ['2026W475T1000', at],
    ['2026-324T10:00Z', at],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2026-11-19T24:00:00Z', '2026-11-20T00:00:00.000Z'],
    ['2020-W53-5', '2021-01-01T00:00:00.000Z'],
    ['2024-366', '2024-12-31T00:00:00.000Z'],
    ['2026-02-29', null],
    ['2026-02-31T10:00:00Z', null],
    ['2026-13-01', null],
    ['2026-366', null],
    ['2026-W54-1', null],
    ['2026-11-20T25:00:00Z', null],
    ['2026-11-20T10:60:00Z', null],
    ['0000-01-01', null],
    ['20.11.2026', null],
    ['tomorrow', null],
    ['', null],
  ];
  for (const [text, expected] of times)
    expect(timeOf(String(text))?.toISOString() ?? null, String(text)).toBe(expected);
  const unix: [unknown, string | null][] = [
    [1_795_168_800, at],
    ['1795168800', at],
    ['1795168800.5', '2026-11-20T10:00:00.500Z'],
    [1_795_168_800_000, at],
    ['1795168800000', at],
    [34, null],
    [true, null],
    [['2026-11-20'], null],
  ];
  const all = [...times, ...unix];
  const read = await query<{ time: Date | null }>(
    'SELECT read_time(value) AS time FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (value, place) ORDER BY place',
    [JSON.stringify(all.map(([value]) => value))],
  );
  expect(read.map(({ time }, index) => [all[index]?.[0], time?.toISOString() ?? null])).toEqual(all);
  const numbers: [unknown, number | null][] = [
    [34, 34],
    ['34', 34],
    [' -2.50 ', -2.5],
    ['1e3', 1_000],
    ['.5', 0.5],
    ['1,5', null],
    ['', null],
    ['0x10', null],
    ['NaN', null],
    [true, null],
    [null, null],
  ];
  const counted = await query<{ number: number | null }>(
    'SELECT read_number(value)::float8 AS number FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (value, place) ORDER BY place',
    [JSON.stringify(numbers.map(([value]) => value))],
  );
  expect(counted.map(({ number }) => number)).toEqual(numbers.map(([, number]) => number));
});
