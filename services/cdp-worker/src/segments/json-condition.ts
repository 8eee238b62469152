/** Conditions on a value of a JSON object: a trait, or a property of an event. */
import { timeOf, type Operator } from '@stratum/shared/customer-data';
import type { Statement } from '../sql.js';

export interface JsonCondition {
  operator: Operator;
  value?: unknown;
}

/** @param object SQL of the jsonb object; @param now SQL of the time */
export function jsonCondition(
  statement: Statement,
  object: string,
  name: string,
  { operator, value }: JsonCondition,
  now: string,
): string {
  const key = statement.place(name, 'text');
  const json = `(${object} -> ${key})`;
  const text = `CASE WHEN jsonb_typeof(${json}) = 'string' THEN ${object} ->> ${key} END`;
  const one = (each: unknown): string => statement.place(JSON.stringify(each), 'jsonb');
  switch (operator) {
    case 'is_null':
      return `coalesce(${json}, 'null') = 'null'`;
    case 'is_not_null':
      return `coalesce(${json}, 'null') <> 'null'`;
    case 'equals':
      return isTrue(`${json} = ${one(value)}`);
    case 'not_equals':
      return isNotTrue(`${json} = ${one(value)}`);
    case 'in':
      return isTrue(`${json} = ANY(${statement.place(jsonTexts(value), 'jsonb[]')})`);
    case 'not_in':
      return isNotTrue(`${json} = ANY(${statement.place(jsonTexts(value), 'jsonb[]')})`);
    case 'contains':
      return isTrue(containsText(statement, json, text, value));
    case 'not_contains':
      return isNotTrue(containsText(statement, json, text, value));
    case 'starts_with':
      return isTrue(`starts_with(${text}, ${statement.place(value, 'text')})`);
    case 'ends_with':
      return isTrue(endsWith(statement, text, value));
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
    case 'between':
      return isTrue(compareNumber(statement, asNumber(json), operator, value));
    case 'before':
    case 'after':
    case 'within_last':
      return isTrue(compareTime(statement, asTime(json), operator, value, now));
  }
}

const SIGNS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

export function compareNumber(
  statement: Statement,
  number: string,
  operator: 'gt' | 'gte' | 'lt' | 'lte' | 'between',
  value: unknown,
): string {
  if (operator === 'between') {
    const [low, high]: unknown[] = Array.isArray(value) ? value : [];
    return `${number} BETWEEN ${statement.place(low, 'numeric')} AND ${statement.place(high, 'numeric')}`;
  }
  return `${number} ${SIGNS[operator]} ${statement.place(value, 'numeric')}`;
}

export function compareTime(
  statement: Statement,
  time: string,
  operator: 'before' | 'after' | 'within_last',
  value: unknown,
  now: string,
): string {
  if (operator === 'within_last') {
    const days = statement.place(value, 'float8');
    return `(${time} > ${now} - ${days} * interval '1 day' AND ${time} <= ${now})`;
  }
  const date = statement.place(timeOf(String(value)), 'timestamptz');
  return `${time} ${operator === 'before' ? '<' : '>'} ${date}`;
}

export function endsWith(statement: Statement, text: string, value: unknown): string {
  const ending = statement.place(value, 'text');
  return `right(${text}, length(${ending})) = ${ending}`;
}

/** A text contains a part; a list contains an element. */
function containsText(statement: Statement, json: string, text: string, value: unknown): string {
  const part = statement.place(value, 'text');
  return `CASE WHEN jsonb_typeof(${json}) = 'array' THEN ${json} @> to_jsonb(ARRAY[${part}]) ELSE position(${part} in ${text}) > 0 END`;
}

/** SQL of the number that a value is, also in text; NULL where it is none. */
function asNumber(json: string): string {
  return `read_number(${json})`;
}

/** SQL of the time that a value is, in any common form of ISO 8601 or as a Unix time; NULL where it is none. */
function asTime(json: string): string {
  return `read_time(${json})`;
}

export function isTrue(condition: string): string {
  return `(${condition}) IS TRUE`;
}

export function isNotTrue(condition: string): string {
  return `(${condition}) IS NOT TRUE`;
}

function jsonTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map((each) => JSON.stringify(each)) : [];
}
