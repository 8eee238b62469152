/**
 * The language of segments: a tree of conditions over profiles and what they did.
 *
 * A comparison with something that is not there is false, and its negation (`not_equals`, `not_contains`, `not_in`) true.
 * `not` holds when none of its parts does.
 */
import { z } from 'zod';
import { timeOf } from './time-text.js';

export const OPERATORS = [
  'equals',
  'not_equals',
  'contains',
  'not_contains',
  'starts_with',
  'ends_with',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'in',
  'not_in',
  'is_null',
  'is_not_null',
  'before',
  'after',
  'within_last',
] as const;
export type Operator = (typeof OPERATORS)[number];

const TEXT_FIELDS = ['lifecycle_stage', 'external_id'] as const;
const NUMBER_FIELDS = ['total_events', 'total_purchases', 'total_revenue'] as const;
const TIME_FIELDS = ['first_seen_at', 'last_seen_at'] as const;
export const RFM_FIELDS = ['recency', 'frequency', 'monetary'] as const;

const scalar = z.union([z.string().max(1_000), z.number(), z.boolean()]);
const value = z.union([scalar, z.array(scalar).min(1).max(1_000)]);

const eventFilterSchema = z.object({
  property: z.string().min(1).max(200),
  operator: z.enum(OPERATORS),
  value: value.optional(),
});
/** Condition on a property of an event. */
export type EventFilter = z.output<typeof eventFilterSchema>;

/** The kind of a field, which decides its operators. */
export type FieldKind =
  | { kind: 'text'; column: (typeof TEXT_FIELDS)[number] }
  | { kind: 'number'; column: (typeof NUMBER_FIELDS)[number] }
  | { kind: 'time'; column: (typeof TIME_FIELDS)[number] }
  | { kind: 'trait'; name: string }
  | { kind: 'identifier'; type: string }
  | { kind: 'event_count'; event: string }
  | { kind: 'event_exists'; event: string }
  | { kind: 'event_time'; event: string; which: 'first' | 'last' }
  | { kind: 'event_property'; event: string; property: string }
  | { kind: 'segment'; id: number }
  | { kind: 'rfm'; score: (typeof RFM_FIELDS)[number] };

/** `undefined` for a path that means nothing. */
export function parseField(path: string): FieldKind | undefined {
  const [root = '', ...rest] = path.split('.');
  const name = rest.join('.');
  switch (root) {
    case 'profile':
      return profileField(name);
    case 'trait':
      return name === '' ? undefined : { kind: 'trait', name };
    case 'identifier':
      return name === '' ? undefined : { kind: 'identifier', type: name };
    case 'segment':
      return /^[1-9]\d{0,15}$/.test(name) ? { kind: 'segment', id: Number(name) } : undefined;
    case 'rfm': {
      const score = RFM_FIELDS.find((each) => each === name);
      return score === undefined ? undefined : { kind: 'rfm', score };
    }
    case 'event':
      return eventField(name);
    default:
      return undefined;
  }
}

function profileField(name: string): FieldKind | undefined {
  const text = TEXT_FIELDS.find((each) => each === name);
  if (text !== undefined) return { kind: 'text', column: text };
  const number = NUMBER_FIELDS.find((each) => each === name);
  if (number !== undefined) return { kind: 'number', column: number };
  const time = TIME_FIELDS.find((each) => each === name);
  return time === undefined ? undefined : { kind: 'time', column: time };
}

/**
 * Names of events may contain dots, so the attribute comes last. A name that contains `.property.` or ends like an attribute is written as
 * a JSON string: `event."a.property.b".count`.
 */
function eventField(name: string): FieldKind | undefined {
  const quoted = /^("(?:[^"\\]|\\.)*")\.(.+)$/.exec(name);
  if (quoted?.[1] && quoted[2]) {
    const event = textOfJson(quoted[1]);
    if (event === undefined || event === '') return undefined;
    const property = /^property\.(.+)$/.exec(quoted[2])?.[1];
    return property === undefined
      ? eventAttribute(event, quoted[2])
      : { kind: 'event_property', event, property };
  }
  const property = /^(.+)\.property\.(.+)$/.exec(name);
  if (property?.[1] && property[2])
    return { kind: 'event_property', event: property[1], property: property[2] };
  const [, event, what] = /^(.+)\.(count|exists|first|last)$/.exec(name) ?? [];
  return event === undefined ? undefined : eventAttribute(event, what);
}

function eventAttribute(event: string, what: string | undefined): FieldKind | undefined {
  if (what === 'count') return { kind: 'event_count', event };
  if (what === 'exists') return { kind: 'event_exists', event };
  return what === 'first' || what === 'last' ? { kind: 'event_time', event, which: what } : undefined;
}

function textOfJson(json: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(json);
    return typeof parsed === 'string' ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const NUMERIC: readonly Operator[] = [
  'equals',
  'not_equals',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'in',
  'not_in',
];
const TEXTUAL: readonly Operator[] = [
  'equals',
  'not_equals',
  'contains',
  'not_contains',
  'starts_with',
  'ends_with',
  'in',
  'not_in',
];
const TEMPORAL: readonly Operator[] = ['before', 'after', 'within_last'];
const PRESENCE: readonly Operator[] = ['is_null', 'is_not_null'];

const ALLOWED: Readonly<Record<FieldKind['kind'], readonly Operator[]>> = {
  text: [...TEXTUAL, ...PRESENCE],
  number: NUMERIC,
  time: [...TEMPORAL, ...PRESENCE],
  trait: OPERATORS,
  identifier: PRESENCE,
  event_count: ['equals', 'not_equals', 'gt', 'gte', 'lt', 'lte', 'between'],
  event_exists: ['equals'],
  event_time: [...TEMPORAL, ...PRESENCE],
  event_property: OPERATORS.filter(
    (operator) => !['is_null', 'not_equals', 'not_contains', 'not_in'].includes(operator),
  ),
  segment: ['equals', 'not_equals'],
  rfm: [...NUMERIC, ...PRESENCE],
};

const conditionSchema = z
  .strictObject({
    field: z.string().max(500),
    operator: z.enum(OPERATORS),
    value: value.optional(),
    /** Only events of this number of days count. */
    within_days: z.number().positive().max(3_650).optional(),
    /** Only events with these properties count. */
    where: z.array(eventFilterSchema).max(20).optional(),
  })
  .check((context) => {
    const problem = conditionProblem(context.value);
    if (problem !== undefined) {
      context.issues.push({
        code: 'custom',
        message: problem.message,
        path: [problem.field],
        input: context.value,
      });
    }
  });
export type SegmentCondition = z.output<typeof conditionSchema>;

export interface SegmentTree {
  logic: 'and' | 'or' | 'not';
  conditions: SegmentCondition[];
  groups: SegmentTree[];
}

export interface SegmentTreeInput {
  logic: 'and' | 'or' | 'not';
  conditions?: z.input<typeof conditionSchema>[] | undefined;
  groups?: SegmentTreeInput[] | undefined;
}

const MAX_PARTS = 50;

export const segmentTreeSchema: z.ZodType<SegmentTree, SegmentTreeInput> = z
  .strictObject({
    logic: z.enum(['and', 'or', 'not']),
    conditions: z.array(conditionSchema).max(MAX_PARTS).default([]),
    get groups() {
      return z.array(segmentTreeSchema).max(MAX_PARTS).default([]);
    },
  })
  .refine(({ conditions, groups }) => conditions.length + groups.length > 0, {
    message: 'is empty; add a condition',
    path: ['conditions'],
  })
  .meta({ id: 'SegmentTree' });

function conditionProblem(condition: {
  field: string;
  operator: Operator;
  value?: unknown;
  within_days?: number | undefined;
  where?: EventFilter[] | undefined;
}): { field: string; message: string } | undefined {
  const field = parseField(condition.field);
  if (field === undefined) return { field: 'field', message: `there is no field "${condition.field}"` };
  const allowed = ALLOWED[field.kind];
  if (!allowed.includes(condition.operator)) {
    return {
      field: 'operator',
      message: `"${condition.field}" cannot be compared with ${condition.operator}; it has ${allowed.join(', ')}`,
    };
  }
  const isEvent = field.kind.startsWith('event_');
  if (!isEvent && (condition.within_days !== undefined || condition.where !== undefined)) {
    return { field: 'field', message: 'within_days and where are for events only' };
  }
  const numeric = ['number', 'rfm', 'event_count'].includes(field.kind);
  const problem = valueProblem(condition.operator, condition.value, { numeric });
  if (problem !== undefined) return { field: 'value', message: problem };
  for (const [index, filter] of (condition.where ?? []).entries()) {
    const wrong = valueProblem(filter.operator, filter.value, { numeric: false });
    if (wrong !== undefined)
      return { field: 'where', message: `filter ${index + 1} (${filter.property}): ${wrong}` };
  }
  if (field.kind === 'event_exists' && typeof condition.value !== 'boolean')
    return { field: 'value', message: 'must be true or false' };
  if (field.kind === 'segment' && condition.value !== true)
    return { field: 'value', message: 'must be true: equals true is a member, not_equals true is none' };
  return undefined;
}

const isNumber = (each: unknown): boolean => typeof each === 'number';

/** The problem of an operator's value; `undefined` when there is none. */
export function valueProblem(
  operator: Operator,
  given: unknown,
  { numeric }: { numeric: boolean },
): string | undefined {
  switch (operator) {
    case 'is_null':
    case 'is_not_null':
      return given === undefined ? undefined : 'must be left out';
    case 'between':
      return Array.isArray(given) && given.length === 2 && given.every(isNumber)
        ? undefined
        : 'must be two numbers';
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return isNumber(given) ? undefined : 'must be a number';
    case 'within_last':
      return typeof given === 'number' && given > 0 && given <= 3_650
        ? undefined
        : 'must be a number of days';
    case 'before':
    case 'after':
      return typeof given === 'string' && timeOf(given) !== undefined
        ? undefined
        : 'must be a date such as 2026-11-20 or 2026-11-20T10:00:00+01:00';
    case 'in':
    case 'not_in':
      if (!Array.isArray(given)) return 'must be a list';
      return numeric && !given.every(isNumber) ? 'must be a list of numbers' : undefined;
    case 'equals':
    case 'not_equals':
      if (given === undefined || Array.isArray(given)) return 'must be one value';
      return numeric && !isNumber(given) ? 'must be a number' : undefined;
    case 'contains':
    case 'not_contains':
    case 'starts_with':
    case 'ends_with':
      return typeof given === 'string' && given !== '' ? undefined : 'must be a string';
  }
}

/** The segments that a tree names. */
export function dependenciesOf(tree: SegmentTree): number[] {
  const own = tree.conditions.flatMap(({ field }) => {
    const parsed = parseField(field);
    return parsed?.kind === 'segment' ? [parsed.id] : [];
  });
  return [...new Set([...own, ...tree.groups.flatMap(dependenciesOf)])].toSorted((a, b) => a - b);
}
