/** What a segment would hold, before it is saved. */
import { createCdpHandlers } from '@stratum/cdp-worker';
import { previewCdpSegment } from '@stratum/shared';
import type { SegmentTree } from '@stratum/shared/customer-data';
import { expect, test } from 'vitest';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';

async function openPreview(): Promise<Platform> {
  const platform = await openPlatform();
  platform.startWorker('cdp', createCdpHandlers({ pool: platform.database.as('stratum_cdp_worker') }));
  return platform;
}

/** One profile for each of the traits, with an event whose property `total` has the same value as the trait `age`. */
async function addProfiles(
  { query }: Platform,
  traits: readonly Record<string, unknown>[],
  tenantId = TENANT,
): Promise<void> {
  await query(
    `INSERT INTO cdp_profile (tenant_id, id, traits, first_seen_at, last_seen_at)
     SELECT $1, row_number() OVER (), value, now(), now() FROM jsonb_array_elements($2)`,
    [tenantId, JSON.stringify(traits)],
  );
  await query(
    `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, properties, occurred_at, received_at)
     SELECT tenant_id, 'e' || id, id, 'Order Completed', jsonb_build_object('total', traits -> 'age'), now() - interval '1 hour', now()
     FROM cdp_profile WHERE tenant_id = $1`,
    [tenantId],
  );
}

const TRAITS = [
  { age: 34, since: '2026-11-01' },
  { age: '34', since: '1st of May' },
  { age: 'thirty', since: '2026-W45-1' },
  { age: '', since: true },
  { age: null, since: null },
  { age: [40], since: 'yesterday' },
  {},
];

const tree = (conditions: SegmentTree['conditions'], logic: SegmentTree['logic'] = 'and'): SegmentTree => ({
  logic,
  conditions,
  groups: [],
});

test.each<[name: string, definition: SegmentTree, profiles: number, unreadable: unknown[]]>([
  [
    'numbers, of which empty and missing ones are none',
    tree([{ field: 'trait.age', operator: 'gte', value: 30 }]),
    2,
    [{ field: 'trait.age', as: 'number', values: 2 }],
  ],
  [
    'times',
    tree([{ field: 'trait.since', operator: 'after', value: '2026-10-01' }]),
    2,
    [{ field: 'trait.since', as: 'time', values: 3 }],
  ],
  [
    'words, which can always be read',
    tree([{ field: 'trait.age', operator: 'equals', value: 'thirty' }]),
    1,
    [],
  ],
  [
    'properties of events, once for each field',
    tree(
      [
        { field: 'event.Order Completed.property.total', operator: 'gte', value: 30 },
        { field: 'event.Order Completed.property.total', operator: 'lt', value: 10 },
      ],
      'or',
    ),
    2,
    [{ field: 'event.Order Completed.property.total', as: 'number', values: 2 }],
  ],
  [
    'filters of events, in groups too',
    {
      logic: 'not',
      conditions: [],
      groups: [
        tree([
          {
            field: 'event.Order Completed.exists',
            operator: 'equals',
            value: true,
            where: [{ property: 'total', operator: 'gt', value: 30 }],
          },
        ]),
      ],
    },
    5,
    [{ field: 'event.Order Completed.property.total', as: 'number', values: 2 }],
  ],
  [
    'events of days that do not count',
    tree([{ field: 'event.Order Completed.property.total', operator: 'gt', value: 30, within_days: 0.001 }]),
    0,
    [],
  ],
])('counts %s', async (_, definition, profiles, unreadable) => {
  const preview = await openPreview();
  await addProfiles(preview, TRAITS);
  await addProfiles(preview, [{ age: 50 }, { age: 'many' }], OTHER_TENANT);
  expect(await preview.run(previewCdpSegment, { tenant_id: TENANT, definition })).toEqual({
    profile_count: profiles,
    all_profiles: TRAITS.length,
    unreadable,
  });
  expect(await preview.query('SELECT FROM cdp_segment')).toEqual([]);
});

test('a preview that takes too long ends, and says what to do', { timeout: 90_000 }, async () => {
  const preview = await openPreview();
  await addProfiles(preview, TRAITS);
  // Somebody holds the table: to the statement it is the same as much work.
  const holder = await preview.database.owner.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE cdp_event IN ACCESS EXCLUSIVE MODE');
    const definition = tree([{ field: 'event.Order Completed.count', operator: 'gte', value: 1 }]);
    const { id } = await preview.client.enqueue(previewCdpSegment, { tenant_id: TENANT, definition });
    expect(await preview.client.result(id, { timeoutMs: 60_000 })).toMatchObject({
      state: 'FAILURE',
      retries: 0,
      error: { message: expect.stringContaining('longer than 25 seconds') },
    });
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
});
