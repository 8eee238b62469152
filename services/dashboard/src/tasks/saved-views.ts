/** Searches that people have given a name: their own, and those that others of the same tenant share. */
import { randomId } from '@stratum/shared';
import type { PoolClient } from 'pg';
import { z } from 'zod';

const MAX_NAME = 60;
const MAX_QUERY = 1_000;
/** Of one owner. */
const MAX_VIEWS = 100;
const MAX_HOURS = 9_600;
const ID_LENGTH = 16;

const time = z.iso.datetime();
const viewFields = {
  name: z.string().trim().min(1).max(MAX_NAME),
  q: z.string().max(MAX_QUERY),
  hours: z
    .int()
    .min(1)
    .max(MAX_HOURS)
    .nullable()
    .describe('The last so many hours; `null`: from `from` to `to`.'),
  from: time.nullable(),
  to: time.nullable(),
  shared: z.boolean().describe('Whether everybody of the tenant sees it.'),
};

export const newView = z
  .strictObject({
    ...viewFields,
    hours: viewFields.hours.default(null),
    from: time.nullable().default(null),
    to: time.nullable().default(null),
    shared: z.boolean().default(false),
  })
  .refine(({ hours, from, to }) => hours === null || (from === null && to === null), {
    message: 'either the last hours, or from one time to another',
    path: ['hours'],
  });
export type NewView = z.output<typeof newView>;

export const savedView = z
  .object({ id: z.string(), ...viewFields, own: z.boolean().describe('Whether the viewer has saved it.') })
  .meta({ id: 'SavedView' });
export type SavedView = z.output<typeof savedView>;

interface ViewRow {
  id: string;
  owner: string;
  name: string;
  query: string;
  hours: number | null;
  since: Date | null;
  until: Date | null;
  shared: boolean;
}

const COLUMNS = 'id, owner, name, query, hours, since, until, shared';

/** Whose views they are: sessions of links come and go, and belong to whoever may make one. */
export function ownerOf(actor: string): string {
  return actor.startsWith('link/') ? 'link' : actor;
}

/** By name, in the tenant's context. */
export async function listViews(client: PoolClient, owner: string): Promise<SavedView[]> {
  const { rows } = await client.query<ViewRow>(
    `SELECT ${COLUMNS} FROM saved_view WHERE tenant_id = current_tenant() AND (owner = $1 OR shared) ORDER BY lower(name), id LIMIT 500`,
    [owner],
  );
  return rows.map((row) => toView(row, owner));
}

/** One of the same name is replaced. `undefined`: the owner has a hundred already. */
export async function saveView(
  client: PoolClient,
  owner: string,
  { name, q, hours, from, to, shared }: NewView,
): Promise<SavedView | undefined> {
  const { rows } = await client.query<ViewRow>(
    `INSERT INTO saved_view (tenant_id, id, owner, name, query, hours, since, until, shared)
     SELECT current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8
     WHERE (SELECT count(*) FROM saved_view WHERE tenant_id = current_tenant() AND owner = $2 AND name <> $3) < $9
     ON CONFLICT (tenant_id, owner, name) DO UPDATE SET query = $4, hours = $5, since = $6, until = $7, shared = $8 RETURNING ${COLUMNS}`,
    [randomId(ID_LENGTH), owner, name, q, hours, from, to, shared, MAX_VIEWS],
  );
  const [row] = rows;
  return row && toView(row, owner);
}

/** `undefined`: the viewer sees none of that id. */
export async function findView(
  client: PoolClient,
  owner: string,
  id: string,
): Promise<SavedView | undefined> {
  const { rows } = await client.query<ViewRow>(
    `SELECT ${COLUMNS} FROM saved_view WHERE tenant_id = current_tenant() AND id = $2 AND (owner = $1 OR shared)`,
    [owner, id],
  );
  const [row] = rows;
  return row && toView(row, owner);
}

export async function removeView(client: PoolClient, id: string): Promise<void> {
  await client.query('DELETE FROM saved_view WHERE tenant_id = current_tenant() AND id = $1', [id]);
}

function toView({ owner, query: q, since, until, ...row }: ViewRow, viewer: string): SavedView {
  return {
    ...row,
    q,
    from: since?.toISOString() ?? null,
    to: until?.toISOString() ?? null,
    own: owner === viewer,
  };
}
