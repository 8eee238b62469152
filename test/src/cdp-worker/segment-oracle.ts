/** What a segment means, said a second time and in another way: profile by profile, in memory. */
import {
  parseField,
  timeOf,
  type EventFilter,
  type Operator,
  type SegmentCondition,
  type SegmentTree,
} from '@stratum/shared/customer-data';

export interface OracleEvent {
  name: string;
  properties: Record<string, unknown>;
  occurredAt: number;
}

export interface OracleProfile {
  id: number;
  external_id: string | null;
  lifecycle_stage: string | null;
  total_events: number;
  total_purchases: number;
  total_revenue: number;
  first_seen_at: number | null;
  last_seen_at: number | null;
  traits: Record<string, unknown>;
  identifiers: string[];
  rfm: { recency: number; frequency: number; monetary: number } | null;
  segments: number[];
  events: OracleEvent[];
}

const DAY = 86_400_000;

export function isMember(tree: SegmentTree, profile: OracleProfile, now: number): boolean {
  const parts = [
    ...tree.conditions.map((condition) => holds(condition, profile, now)),
    ...tree.groups.map((group) => isMember(group, profile, now)),
  ];
  if (tree.logic === 'and') return parts.every(Boolean);
  return tree.logic === 'or' ? parts.some(Boolean) : !parts.some(Boolean);
}

function holds(condition: SegmentCondition, profile: OracleProfile, now: number): boolean {
  const { operator, value } = condition;
  const field = parseField(condition.field);
  if (field === undefined) throw new Error(condition.field);
  const events = (name: string): OracleEvent[] =>
    profile.events.filter(
      (event) =>
        event.name === name &&
        event.occurredAt <= now &&
        (condition.within_days === undefined || event.occurredAt > now - condition.within_days * DAY) &&
        (condition.where ?? []).every((filter) => filterHolds(filter, event, now)),
    );
  switch (field.kind) {
    case 'text':
      return compare(profile[field.column], operator, value, now);
    case 'number':
      return compare(profile[field.column], operator, value, now);
    case 'time':
      return compareTime(profile[field.column], operator, value, now);
    case 'trait':
      return compare(profile.traits[field.name], operator, value, now);
    case 'identifier':
      return profile.identifiers.includes(field.type) === (operator === 'is_not_null');
    case 'rfm':
      return compare(profile.rfm?.[field.score], operator, value, now);
    case 'segment':
      return profile.segments.includes(field.id) === (operator === 'equals');
    case 'event_count':
      return compare(events(field.event).length, operator, value, now);
    case 'event_exists':
      return events(field.event).length > 0 === value;
    case 'event_time': {
      const times = events(field.event).map(({ occurredAt }) => occurredAt);
      const time =
        times.length === 0 ? null : field.which === 'first' ? Math.min(...times) : Math.max(...times);
      return compareTime(time, operator, value, now);
    }
    case 'event_property':
      return events(field.event).some(({ properties }) =>
        compare(properties[field.property], operator, value, now),
      );
  }
}

function filterHolds({ property, operator, value }: EventFilter, event: OracleEvent, now: number): boolean {
  return compare(event.properties[property], operator, value, now);
}

function compareTime(time: number | null, operator: Operator, value: unknown, now: number): boolean {
  if (operator === 'is_null') return time === null;
  if (operator === 'is_not_null') return time !== null;
  if (time === null) return false;
  if (operator === 'before') return time < (timeOf(String(value))?.getTime() ?? NaN);
  if (operator === 'after') return time > (timeOf(String(value))?.getTime() ?? NaN);
  return time > now - Number(value) * DAY && time <= now;
}

function compare(actual: unknown, operator: Operator, value: unknown, now: number): boolean {
  const missing = actual === undefined || actual === null;
  const list = Array.isArray(value) ? value : [];
  // Other than JavaScript's own: '' and '0x1f' are no numbers.
  const isNumber =
    typeof actual === 'number' ||
    (typeof actual === 'string' && /^ *[+-]?\d+(\.\d+)?(e\d+)? *$/.test(actual));
  const number = isNumber ? Number(actual) : NaN;
  const text = typeof actual === 'string' ? actual : undefined;
  switch (operator) {
    case 'is_null':
      return missing;
    case 'is_not_null':
      return !missing;
    case 'equals':
      return !missing && actual === value;
    case 'not_equals':
      return actual !== value;
    case 'in':
      return list.includes(actual);
    case 'not_in':
      return !list.includes(actual);
    case 'contains':
      return Array.isArray(actual) ? actual.includes(value) : (text?.includes(String(value)) ?? false);
    case 'not_contains':
      return !compare(actual, 'contains', value, now);
    case 'starts_with':
      return text?.startsWith(String(value)) ?? false;
    case 'ends_with':
      return text?.endsWith(String(value)) ?? false;
    case 'gt':
      return number > Number(value);
    case 'gte':
      return number >= Number(value);
    case 'lt':
      return number < Number(value);
    case 'lte':
      return number <= Number(value);
    case 'between':
      return number >= Number(list[0]) && number <= Number(list[1]);
    case 'before':
    case 'after':
    case 'within_last': {
      const unix = typeof actual === 'number' ? actual : /^\d{10}$/.test(text ?? '') ? Number(text) : 0;
      const time = unix >= 1e8 && unix < 1e11 ? unix * 1_000 : (timeOf(text ?? '')?.getTime() ?? NaN);
      return compareTime(Number.isNaN(time) ? null : time, operator, value, now);
    }
  }
}
