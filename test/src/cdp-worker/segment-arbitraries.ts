/** Random profiles, and random segments that have something to say about them. */
import fc from 'fast-check';
import { OPERATORS, segmentTreeSchema, type Operator, type SegmentTree } from '@stratum/shared/customer-data';
import type { OracleProfile } from './segment-oracle.js';

export const NOW = Date.parse('2026-11-20T12:00:00Z');

const words = fc.constantFrom('gold', 'golden', 'silver', 'old', "O'Hara", '50%_off', 'ü', '');
const someWords = fc.constantFrom('gold', 'old', 'sil', "O'", '%', 'ü');
const dates = fc.constantFrom(
  '2026-11-19',
  '2026-11-20T08:00:00Z',
  '2026-02-31',
  '2026-10-01T00:00:00.500Z',
  '2026-11-19T23:30:00.123456789-01:00',
  '2026-11-20 08:00',
  '20261001T000000+0100',
  '2026-W47-4',
  '1793520000',
  'yesterday',
);
const numberTexts = fc.constantFrom('2', ' 2.5', '1e1', '-3', '0x10', '1,5');
const validDates = fc.constantFrom(
  '2026-11-19',
  '2026-11-20T08:00:00Z',
  '2026-10-01',
  '2026-11-20T10:00+02:00',
);
const numbers = fc.constantFrom(-1, 0, 1, 2, 3, 2.5, 10);
const traitValue = fc.oneof(
  words,
  dates,
  numberTexts,
  fc.constant(1_793_520_000),
  numbers,
  fc.boolean(),
  fc.constant(null),
  fc.array(words, { maxLength: 3 }),
);
const traitNames = fc.constantFrom('tier', 'city', 'a.b');
const eventNames = fc.constantFrom('Order Completed', 'Viewed', 'v1.opened', 'a.property.b');
/** As fields name them: those that could be misread as JSON strings. */
const fieldName = (event: string): string => (event.includes('.property.') ? JSON.stringify(event) : event);
const propertyNames = fc.constantFrom('value', 'colour');
const past = fc.integer({ min: -2, max: 60 * 24 }).map((hours) => NOW - hours * 3_600_000);

const sparse = <T>(names: fc.Arbitrary<string>, values: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(names, values), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs));

export const profileBodies: fc.Arbitrary<Omit<OracleProfile, 'id'>> = fc.record({
  external_id: fc.constant(null),
  lifecycle_stage: fc.option(fc.constantFrom('lead', 'customer', 'gold')),
  total_events: fc.integer({ min: 0, max: 12 }),
  total_purchases: fc.integer({ min: 0, max: 3 }),
  total_revenue: numbers.map(Math.abs),
  first_seen_at: fc.option(past),
  last_seen_at: fc.option(past),
  traits: sparse(traitNames, traitValue),
  identifiers: fc.subarray(['email', 'phone']),
  rfm: fc.option(
    fc.record({
      recency: fc.integer({ min: 1, max: 5 }),
      frequency: fc.integer({ min: 1, max: 5 }),
      monetary: fc.integer({ min: 1, max: 5 }),
    }),
  ),
  segments: fc.subarray([1, 2]),
  events: fc.array(
    fc.record({ name: eventNames, properties: sparse(propertyNames, traitValue), occurredAt: past }),
    { maxLength: 6 },
  ),
});

const json: readonly Operator[] = OPERATORS;
const text: Operator[] = [
  'equals',
  'not_equals',
  'contains',
  'not_contains',
  'starts_with',
  'ends_with',
  'in',
  'not_in',
  'is_null',
  'is_not_null',
];
const number: Operator[] = ['equals', 'not_equals', 'gt', 'gte', 'lt', 'lte', 'between', 'in', 'not_in'];
const count: Operator[] = ['equals', 'not_equals', 'gt', 'gte', 'lt', 'lte', 'between'];
const time: Operator[] = ['before', 'after', 'within_last', 'is_null', 'is_not_null'];
const any = json.filter(
  (operator) => !['is_null', 'not_equals', 'not_contains', 'not_in'].includes(operator),
);

function valueFor(operator: Operator, numeric: boolean): fc.Arbitrary<unknown> {
  const scalar = numeric ? numbers : fc.oneof(words, numbers, fc.boolean());
  switch (operator) {
    case 'is_null':
    case 'is_not_null':
      return fc.constant(undefined);
    case 'between':
      return fc.tuple(numbers, numbers);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return numbers;
    case 'within_last':
      return fc.constantFrom(0.5, 1, 7, 30);
    case 'before':
    case 'after':
      return validDates;
    case 'in':
    case 'not_in':
      return fc.array(scalar, { minLength: 1, maxLength: 3 });
    case 'equals':
    case 'not_equals':
      return scalar;
    default:
      return someWords;
  }
}

function comparison(
  operators: readonly Operator[],
  numeric: boolean,
): fc.Arbitrary<{ operator: Operator; value?: unknown }> {
  return fc
    .constantFrom(...operators)
    .chain((operator) =>
      valueFor(operator, numeric).map((value) => (value === undefined ? { operator } : { operator, value })),
    );
}

const filter = fc
  .tuple(propertyNames, comparison(json, false))
  .map(([property, rest]) => ({ property, ...rest }));
const scope = fc.record(
  { within_days: fc.constantFrom(0.5, 7, 30), where: fc.array(filter, { maxLength: 2 }) },
  { requiredKeys: [] },
);

const textOnly = (each: { value?: unknown }): boolean =>
  (Array.isArray(each.value) ? each.value : [each.value]).every(
    (value) => value === undefined || typeof value === 'string',
  );

const condition = fc.oneof(
  comparison(text, false)
    .filter(textOnly)
    .map((rest) => ({ field: 'profile.lifecycle_stage', ...rest })),
  fc
    .tuple(fc.constantFrom('total_events', 'total_purchases', 'total_revenue'), comparison(number, true))
    .map(([name, rest]) => ({ field: `profile.${name}`, ...rest })),
  fc
    .tuple(fc.constantFrom('first_seen_at', 'last_seen_at'), comparison(time, false))
    .map(([name, rest]) => ({ field: `profile.${name}`, ...rest })),
  fc.tuple(traitNames, comparison(json, false)).map(([name, rest]) => ({ field: `trait.${name}`, ...rest })),
  comparison(['is_null', 'is_not_null'], false).map((rest) => ({ field: 'identifier.email', ...rest })),
  comparison([...number, 'is_null', 'is_not_null'], true).map((rest) => ({ field: 'rfm.monetary', ...rest })),
  fc
    .tuple(fc.constantFrom(1, 2), fc.constantFrom('equals', 'not_equals'))
    .map(([id, operator]) => ({ field: `segment.${id}`, operator, value: true })),
  fc
    .tuple(eventNames, comparison(count, true), scope)
    .map(([name, rest, more]) => ({ field: `event.${fieldName(name)}.count`, ...rest, ...more })),
  fc.tuple(eventNames, fc.boolean(), scope).map(([name, value, more]) => ({
    field: `event.${fieldName(name)}.exists`,
    operator: 'equals',
    value,
    ...more,
  })),
  fc
    .tuple(eventNames, fc.constantFrom('first', 'last'), comparison(time, false), scope)
    .map(([name, which, rest, more]) => ({ field: `event.${fieldName(name)}.${which}`, ...rest, ...more })),
  fc.tuple(eventNames, propertyNames, comparison(any, false), scope).map(([name, property, rest, more]) => ({
    field: `event.${fieldName(name)}.property.${property}`,
    ...rest,
    ...more,
  })),
);

/** So deep that groups hold groups. */
const MAX_DEPTH = 2;

function tree(depth: number): fc.Arbitrary<unknown> {
  const groups = depth < MAX_DEPTH ? fc.array(tree(depth + 1), { maxLength: 2 }) : fc.constant([]);
  return fc
    .record({
      logic: fc.constantFrom('and', 'or', 'not'),
      conditions: fc.array(condition, { maxLength: 3 }),
      groups,
    })
    .filter(({ conditions, groups: inner }) => conditions.length + inner.length > 0);
}

export const trees: fc.Arbitrary<SegmentTree> = tree(0).map((each) => segmentTreeSchema.parse(each));
