/**
 * Compiles a segment's tree to one condition on `cdp_profile p`. What asks for events becomes a set of profiles that is worked out once,
 * not a look-up for each profile.
 */
import {
  parseField,
  type FieldKind,
  type SegmentCondition,
  type SegmentTree,
} from '@stratum/shared/customer-data';
import { Statement } from '../sql.js';
import { compareNumber, compareTime, endsWith, isNotTrue, isTrue, jsonCondition } from './json-condition.js';

export interface CompiledSegment {
  /** A condition on `p`; `$1` is the tenant, `$2` the time. */
  condition: string;
  values: unknown[];
}

const TENANT = '$1::bigint';
const NOW = '$2::timestamptz';

export function compileSegment(
  tree: SegmentTree,
  { tenantId, now }: { tenantId: number; now: Date },
): CompiledSegment {
  const statement = new Statement();
  statement.values.push(tenantId, now);
  const condition = compileTree(statement, tree);
  return { condition, values: statement.values };
}

function compileTree(statement: Statement, { logic, conditions, groups }: SegmentTree): string {
  const parts = [
    ...conditions.map((condition) => compileCondition(statement, condition)),
    ...groups.map((group) => compileTree(statement, group)),
  ];
  const joined = parts.map((part) => `(${part})`).join(logic === 'and' ? ' AND ' : ' OR ');
  return logic === 'not' ? `NOT (${joined})` : joined;
}

function compileCondition(statement: Statement, condition: SegmentCondition): string {
  const field = parseField(condition.field);
  if (field === undefined) throw new RangeError(`there is no field "${condition.field}"`);
  switch (field.kind) {
    case 'text':
      return textCondition(statement, `p.${field.column}`, condition);
    case 'number':
      return numberCondition(statement, `p.${field.column}`, condition);
    case 'time':
      return timeCondition(statement, `p.${field.column}`, condition);
    case 'trait':
      return jsonCondition(statement, 'p.traits', field.name, condition, NOW);
    case 'identifier':
      return identifierCondition(statement, field.type, condition);
    case 'rfm':
      return rfmCondition(statement, field.score, condition);
    case 'segment':
      return segmentCondition(statement, field.id, condition);
    case 'event_count':
      return countCondition(statement, field.event, condition);
    case 'event_exists': {
      const performed = `p.id IN (${eventsOf(statement, field.event, condition)})`;
      return condition.value === true ? performed : `NOT (${performed})`;
    }
    case 'event_time':
      return eventTimeCondition(statement, field, condition);
    case 'event_property': {
      const property = { property: field.property, operator: condition.operator, value: condition.value };
      const where = [...(condition.where ?? []), property];
      return `p.id IN (${eventsOf(statement, field.event, { ...condition, where })})`;
    }
  }
}

function textCondition(statement: Statement, column: string, { operator, value }: SegmentCondition): string {
  switch (operator) {
    case 'is_null':
      return `${column} IS NULL`;
    case 'is_not_null':
      return `${column} IS NOT NULL`;
    case 'equals':
      return isTrue(`${column} = ${statement.place(String(value), 'text')}`);
    case 'not_equals':
      return isNotTrue(`${column} = ${statement.place(String(value), 'text')}`);
    case 'in':
      return isTrue(`${column} = ANY(${statement.place(texts(value), 'text[]')})`);
    case 'not_in':
      return isNotTrue(`${column} = ANY(${statement.place(texts(value), 'text[]')})`);
    case 'contains':
      return isTrue(`position(${statement.place(value, 'text')} in ${column}) > 0`);
    case 'not_contains':
      return isNotTrue(`position(${statement.place(value, 'text')} in ${column}) > 0`);
    case 'starts_with':
      return isTrue(`starts_with(${column}, ${statement.place(value, 'text')})`);
    case 'ends_with':
      return isTrue(endsWith(statement, column, value));
    default:
      throw new RangeError(`a text has no operator ${operator}`);
  }
}

function numberCondition(
  statement: Statement,
  column: string,
  { operator, value }: Pick<SegmentCondition, 'operator' | 'value'>,
): string {
  switch (operator) {
    case 'equals':
      return isTrue(`${column} = ${statement.place(value, 'numeric')}`);
    case 'not_equals':
      return isNotTrue(`${column} = ${statement.place(value, 'numeric')}`);
    case 'in':
      return isTrue(`${column} = ANY(${statement.place(value, 'numeric[]')})`);
    case 'not_in':
      return isNotTrue(`${column} = ANY(${statement.place(value, 'numeric[]')})`);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
    case 'between':
      return isTrue(compareNumber(statement, column, operator, value));
    default:
      throw new RangeError(`a number has no operator ${operator}`);
  }
}

function timeCondition(statement: Statement, column: string, { operator, value }: SegmentCondition): string {
  if (operator === 'is_null') return `${column} IS NULL`;
  if (operator === 'is_not_null') return `${column} IS NOT NULL`;
  if (operator === 'before' || operator === 'after' || operator === 'within_last') {
    return isTrue(compareTime(statement, column, operator, value, NOW));
  }
  throw new RangeError(`a time has no operator ${operator}`);
}

function identifierCondition(statement: Statement, type: string, { operator }: SegmentCondition): string {
  const known = `p.id IN (SELECT i.profile_id FROM cdp_identity i WHERE i.tenant_id = ${TENANT} AND i.type = ${statement.place(type, 'text')})`;
  return operator === 'is_not_null' ? known : `NOT (${known})`;
}

function rfmCondition(statement: Statement, score: string, condition: SegmentCondition): string {
  const scored = `SELECT r.profile_id FROM cdp_rfm r WHERE r.tenant_id = ${TENANT}`;
  if (condition.operator === 'is_not_null') return `p.id IN (${scored})`;
  if (condition.operator === 'is_null') return `NOT (p.id IN (${scored}))`;
  const negated = { not_equals: 'equals', not_in: 'in' } as const;
  if (condition.operator === 'not_equals' || condition.operator === 'not_in') {
    const positive = numberCondition(statement, `r.${score}`, {
      operator: negated[condition.operator],
      value: condition.value,
    });
    return `NOT (p.id IN (${scored} AND ${positive}))`;
  }
  return `p.id IN (${scored} AND ${numberCondition(statement, `r.${score}`, condition)})`;
}

function segmentCondition(statement: Statement, id: number, { operator }: SegmentCondition): string {
  const member = `p.id IN (SELECT m.profile_id FROM cdp_segment_membership m WHERE m.tenant_id = ${TENANT} AND m.segment_id = ${statement.place(id, 'bigint')} AND m.exited_at IS NULL)`;
  return operator === 'equals' ? member : `NOT (${member})`;
}

type EventScope = Pick<SegmentCondition, 'within_days' | 'where'>;

/** The profiles with such an event, once for each event. */
function eventsOf(statement: Statement, event: string, scope: EventScope): string {
  return `SELECT e.profile_id FROM cdp_event e WHERE ${eventScope(statement, event, scope)}`;
}

export function eventScope(
  statement: Statement,
  event: string,
  { within_days: days, where = [] }: EventScope,
): string {
  const parts = [
    `e.tenant_id = ${TENANT}`,
    `e.name = ${statement.place(event, 'text')}`,
    `e.occurred_at <= ${NOW}`,
  ];
  if (days !== undefined)
    parts.push(`e.occurred_at > ${NOW} - ${statement.place(days, 'float8')} * interval '1 day'`);
  for (const filter of where)
    parts.push(jsonCondition(statement, 'e.properties', filter.property, filter, NOW));
  return parts.join(' AND ');
}

/** A profile without such an event is in no set, so conditions that hold for none of them are negated. */
function countCondition(statement: Statement, event: string, condition: SegmentCondition): string {
  const having = (test: string): string =>
    `p.id IN (${eventsOf(statement, event, condition)} GROUP BY e.profile_id HAVING ${test})`;
  const place = (value: unknown): string => statement.place(value, 'numeric');
  const { operator, value } = condition;
  const [low, high] = Array.isArray(value)
    ? [Number(value[0]), Number(value[1])]
    : [Number(value), Number(value)];
  const zeroHolds = holdsForCount(operator, low, high, 0);
  const holds =
    operator === 'between'
      ? `count(*) BETWEEN ${place(low)} AND ${place(high)}`
      : `count(*) ${countSign(operator)} ${place(low)}`;
  return zeroHolds ? `NOT (${having(`NOT (${holds})`)})` : having(holds);
}

function countSign(operator: SegmentCondition['operator']): string {
  switch (operator) {
    case 'equals':
      return '=';
    case 'not_equals':
      return '<>';
    case 'gt':
      return '>';
    case 'gte':
      return '>=';
    case 'lt':
      return '<';
    case 'lte':
      return '<=';
    default:
      throw new RangeError(`a count has no operator ${operator}`);
  }
}

function holdsForCount(
  operator: SegmentCondition['operator'],
  low: number,
  high: number,
  count: number,
): boolean {
  switch (operator) {
    case 'equals':
      return count === low;
    case 'not_equals':
      return count !== low;
    case 'gt':
      return count > low;
    case 'gte':
      return count >= low;
    case 'lt':
      return count < low;
    case 'lte':
      return count <= low;
    case 'between':
      return count >= low && count <= high;
    default:
      return false;
  }
}

function eventTimeCondition(
  statement: Statement,
  { event, which }: Extract<FieldKind, { kind: 'event_time' }>,
  condition: SegmentCondition,
): string {
  const { operator, value } = condition;
  const performed = eventsOf(statement, event, condition);
  if (operator === 'is_not_null') return `p.id IN (${performed})`;
  if (operator === 'is_null') return `NOT (p.id IN (${performed}))`;
  if (operator !== 'before' && operator !== 'after' && operator !== 'within_last') {
    throw new RangeError(`a time has no operator ${operator}`);
  }
  const time = which === 'first' ? 'min(e.occurred_at)' : 'max(e.occurred_at)';
  return `p.id IN (${performed} GROUP BY e.profile_id HAVING ${compareTime(statement, time, operator, value, NOW)})`;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
