/**
 * Rows that a tenant makes and changes itself, and jobs read: one definition of each kind serves the API and the command. All of it inside the
 * caller's transaction, as the tenant, connected as `stratum_api`.
 */
import type { TaskContract } from '@stratum/jobs';
import { fieldOf } from '@stratum/jobs/internal';
import type { z } from 'zod';
import type { Scope } from '../api-keys/scopes.js';
import type { KeyRing } from '../credentials/key-ring.js';
import type { Queryable } from '../database/database.js';

export type Fields = Readonly<Record<string, unknown>>;

export interface RecordContext {
  client: Queryable;
  keys: KeyRing;
  tenantId: number;
  /** The record before its change; `undefined`: it is new. */
  before: Fields | undefined;
}

export type RecordTable =
  | 'cms_post'
  | 'cms_site'
  | 'competitor'
  | 'shared_cost'
  | 'whatsapp_account'
  | 'whatsapp_contact'
  | 'whatsapp_message'
  | 'whatsapp_template';

/** Tables about people. */
export type PersonalTable = 'whatsapp_contact' | 'whatsapp_message';

/** Tables of definitions, by their names in the audit log. */
export const DEFINITIONS = { rule: 'rule', cdp_segment: 'segment', cdp_funnel: 'funnel' } as const;
export type DefinitionTable = keyof typeof DEFINITIONS;
/** What the audit log calls the removal of a record. */
export type RecordRemoval = `${(typeof DEFINITIONS)[DefinitionTable] | 'shared_cost'}.removed`;

export interface RecordKind {
  /** One of them, for example `competitor`. */
  noun: string;
  /** Several of them. */
  plural: string;
  /** Behind `/v1/`. */
  path: string;
  scopes: { read: Scope; write: Scope };
  table: RecordTable | DefinitionTable;
  /** For records about people: each reading is audited, and these fields are in no entry of the audit log. */
  personal?: { table: PersonalTable; unaudited: readonly string[] };
  /** SQL: the rows that are there. Default: all of them. */
  present?: string;
  /** SQL of each field that is shown, `id` first. */
  columns: Readonly<Record<string, string>>;
  view: z.ZodObject;
  create: z.ZodObject;
  change: z.ZodObject;
  /** Values of the row's columns, for the fields that are given. Secrets are sealed here. */
  toRow: (input: Fields, context: RecordContext) => Fields | Promise<Fields>;
  /** What no single field can say. @param record as it would be */
  check?: (record: Fields) => { field: string; message: string } | undefined;
  /** SQL: the records that may still be changed, and why others may not. */
  changeable?: { when: string; reason: string };
  /** Refuses a stored record for what it makes of others. @throws RecordError */
  stored?: (client: Queryable, id: number) => Promise<void>;
  /** The task that follows a change of the definition. */
  computation?: (id: number, tenantId: number) => { contract: TaskContract; payload: unknown };
  /** SQL that removes the record `$1`. Default: nothing is removed. */
  remove?: { statement: string; action: RecordRemoval };
}

/** Why a record cannot be made or changed so. */
export class RecordError extends Error {
  readonly code = 'record_error';

  constructor(
    readonly kind: 'conflict' | 'invalid',
    message: string,
    readonly field?: string,
  ) {
    super(message);
    this.name = 'RecordError';
  }
}

/** Those after `after`, by their ids. */
export async function listRecords(
  client: Queryable,
  kind: RecordKind,
  { after = 0, limit = 1_000 }: { after?: number; limit?: number } = {},
): Promise<Fields[]> {
  const { rows } = await client.query<{ record: Fields }>(
    `${select(kind)} AND id > $1 ORDER BY id LIMIT $2) r`,
    [after, limit],
  );
  return rows.map(({ record }) => record);
}

export async function findRecord(
  client: Queryable,
  kind: RecordKind,
  id: number,
): Promise<Fields | undefined> {
  const { rows } = await client.query<{ record: Fields }>(`${select(kind)} AND id = $1) r`, [id]);
  return rows[0]?.record;
}

/** The id of the record of that name, for kinds whose names are unique. */
export async function idOfRecord(
  client: Queryable,
  { table, present = 'true' }: RecordKind,
  name: string,
): Promise<number | undefined> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM ${table} WHERE tenant_id = current_tenant() AND name = $1 AND ${present}`,
    [name],
  );
  return rows[0] === undefined ? undefined : Number(rows[0].id);
}

/** @param input as `kind.create` has parsed it. @throws RecordError */
export async function createRecord(
  kind: RecordKind,
  input: Fields,
  context: Omit<RecordContext, 'before'>,
): Promise<Fields> {
  requireSense(kind, input);
  const row = await kind.toRow(input, { ...context, before: undefined });
  const names = Object.keys(row);
  const { rows } = await explained(kind, () =>
    context.client.query<{ id: string }>(
      `INSERT INTO ${kind.table} (${['tenant_id', ...names].join(', ')})
       VALUES (${['current_tenant()', ...names.map((_, index) => `$${index + 1}`)].join(', ')}) RETURNING id`,
      Object.values(row),
    ),
  );
  await kind.stored?.(context.client, Number(rows[0]?.id));
  const made = await findRecord(context.client, kind, Number(rows[0]?.id));
  if (made === undefined) throw new Error(`The ${kind.noun} was not stored.`);
  return made;
}

/** @param input as `kind.change` has parsed it. `undefined`: there is none. @throws RecordError */
export async function changeRecord(
  kind: RecordKind,
  id: number,
  input: Fields,
  context: Omit<RecordContext, 'before'>,
): Promise<{ before: Fields; after: Fields } | undefined> {
  const { client } = context;
  const before = await findRecord(client, kind, id);
  if (before === undefined) return undefined;
  requireSense(kind, { ...before, ...input });
  const row = await kind.toRow(input, { ...context, before });
  const names = Object.keys(row);
  if (names.length === 0) return { before, after: before };
  const { when = 'true', reason = '' } = kind.changeable ?? {};
  const { rowCount } = await explained(kind, () =>
    client.query(
      `UPDATE ${kind.table} SET ${names.map((name, index) => `${name} = $${index + 2}`).join(', ')}
       WHERE tenant_id = current_tenant() AND id = $1 AND (${when})`,
      [id, ...Object.values(row)],
    ),
  );
  if (rowCount === 0) throw new RecordError('conflict', `The ${kind.noun} ${id} ${reason}.`);
  await kind.stored?.(client, id);
  return { before, after: (await findRecord(client, kind, id)) ?? before };
}

/** The record that was removed. `undefined`: there is none. @throws RecordError */
export async function removeRecord(
  kind: RecordKind,
  id: number,
  client: Queryable,
): Promise<Fields | undefined> {
  const before = await findRecord(client, kind, id);
  const { statement } = kind.remove ?? {};
  if (before === undefined || statement === undefined) return undefined;
  const { rowCount } = await client.query(statement, [id]);
  if (rowCount === 0)
    throw new RecordError('conflict', `Other ${kind.plural} depend on the ${kind.noun} ${id}.`);
  return before;
}

function select({ table, columns, present = 'true' }: RecordKind): string {
  const fields = Object.entries(columns).map(([name, sql]) => `${sql} AS ${name}`);
  return `SELECT to_jsonb(r) AS record FROM (SELECT ${fields.join(', ')} FROM ${table} WHERE tenant_id = current_tenant() AND ${present}`;
}

function requireSense({ check }: RecordKind, record: Fields): void {
  const problem = check?.(record);
  if (problem !== undefined)
    throw new RecordError('invalid', `${problem.field}: ${problem.message}`, problem.field);
}

const UNIQUE = '23505';
const FOREIGN_KEY = '23503';

async function explained<T>({ noun }: RecordKind, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = fieldOf(error, 'code');
    if (code === UNIQUE) throw new RecordError('conflict', `This ${noun} already exists.`);
    if (code !== FOREIGN_KEY) throw error;
    // PostgreSQL names the columns to those alone who may read the other table: `whatsapp_message_tenant_id_account_id_fkey`.
    const field = /_tenant_id_(\w+)_fkey$/.exec(String(fieldOf(error, 'constraint')))?.[1];
    throw new RecordError('invalid', `${field ?? 'An id'}: there is no such record`, field);
  }
}
