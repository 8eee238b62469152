/**
 * Sets of rows that jobs computed, for reading: one description of each set serves the API, the command and CSV. All of it inside the caller's
 * transaction, as the tenant, connected as `stratum_api`.
 */
import { z } from 'zod';
import type { Scope } from '../api-keys/scopes.js';
import type { Queryable } from '../database/database.js';

export type Row = Readonly<Record<string, unknown>>;

/** A kind of value: how it is shown, and how a cursor's text becomes one again. */
const KINDS = {
  id: { schema: z.int(), sql: 'bigint', numeric: true },
  number: { schema: z.number(), sql: 'float8', numeric: true },
  /** Decimal text: a number would lose digits. */
  money: { schema: z.string(), sql: 'numeric', numeric: true },
  text: { schema: z.string(), sql: 'text', numeric: false },
  texts: { schema: z.array(z.string()), sql: 'text[]', numeric: false },
  date: { schema: z.iso.date(), sql: 'date', numeric: false },
  time: { schema: z.iso.datetime({ offset: true }), sql: 'timestamptz', numeric: false },
  json: { schema: z.unknown(), sql: 'jsonb', numeric: false },
} as const;
type Kind = keyof typeof KINDS;

export interface ReportColumn {
  kind: Kind;
  /** Expression over the tables of the set. */
  sql: string;
  nullable?: boolean;
  description?: string;
}

export interface ReportFilter {
  /** Of a text, as a query or a command line has it. */
  schema: z.ZodType;
  /** SQL. @param place of the value */
  condition: (place: string) => string;
}

export interface Report {
  /** Behind `/v1/`. */
  path: string;
  /** In the `stratum reports` command, and of downloaded files. */
  name: string;
  /** One line: what it lists, in which order. */
  summary: string;
  description?: string;
  scope: Scope;
  /** The tables; each row belongs to the tenant. */
  from: string;
  columns: Readonly<Record<string, ReportColumn>>;
  /** Columns that are unique together, never null, and led by an index. */
  order: { by: readonly string[]; descending: boolean };
  filters: Readonly<Record<string, ReportFilter>>;
}

export function viewOf({ name, columns }: Report): z.ZodObject {
  const fields = Object.entries(columns).map(([field, { kind, nullable, description }]) => {
    const schema = nullable === true ? KINDS[kind].schema.nullable() : KINDS[kind].schema;
    return [field, description === undefined ? schema : schema.describe(description)];
  });
  const words = name.split('-').map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
  return z.object(Object.fromEntries(fields)).meta({ id: `${words.join('')}Row` });
}

export function filtersOf({ filters }: Report): Record<string, z.ZodOptional> {
  return Object.fromEntries(Object.entries(filters).map(([name, { schema }]) => [name, z.optional(schema)]));
}

export interface Reading {
  filters: Readonly<Record<string, unknown>>;
  /** Where the page begins: `positionOf` the row before it. */
  after?: readonly unknown[] | undefined;
  limit: number;
}

/** A position in the order of a set, for cursors. */
export function positionSchema({ columns, order }: Report): z.ZodType<unknown[]> {
  const [first, ...others] = order.by.map((name) => KINDS[columns[name]?.kind ?? 'text'].schema);
  if (first === undefined) throw new Error('A set has an order.');
  return z.tuple([first, ...others]);
}

export function positionOf({ order }: Report, row: Row): unknown[] {
  return order.by.map((name) => row[name]);
}

export async function readReport(client: Queryable, report: Report, reading: Reading): Promise<Row[]> {
  const { columns, from, order } = report;
  const values: unknown[] = [];
  const place = (value: unknown): string => `$${values.push(value)}`;
  const conditions = Object.entries(report.filters).flatMap(([name, { condition }]) => {
    const value = reading.filters[name];
    return value === undefined ? [] : [condition(place(value))];
  });
  const keys = order.by.map((name) => columns[name]?.sql ?? name);
  if (reading.after !== undefined) {
    const places = reading.after.map(
      (value, index) => `${place(value)}::${KINDS[columns[order.by[index] ?? '']?.kind ?? 'text'].sql}`,
    );
    conditions.push(`(${keys.join(', ')}) ${order.descending ? '<' : '>'} (${places.join(', ')})`);
  }
  const shown = Object.entries(columns).map(([name, { kind, sql }]) =>
    kind === 'money' ? `trim_scale(${sql})::text AS ${name}` : `${sql} AS ${name}`,
  );
  const direction = order.descending ? ' DESC' : '';
  const { rows } = await client.query<{ row: Row }>(
    `SELECT to_jsonb(r) AS row FROM (SELECT ${shown.join(', ')} FROM ${from}
     ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
     ORDER BY ${keys.map((key) => `${key}${direction}`).join(', ')} LIMIT ${place(reading.limit)}) r`,
    values,
  );
  return rows.map(({ row }) => row);
}

/** The columns whose cells hold numbers: the others are text, which a spreadsheet could take for a formula. */
export function csvColumns({ columns }: Report): { name: string; numeric: boolean }[] {
  return Object.entries(columns).map(([name, { kind }]) => ({ name, numeric: KINDS[kind].numeric }));
}
