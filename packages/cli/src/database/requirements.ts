/** What the migrations need of a server and a user, and the statements by which an administrator gives what is missing. */
import { SERVICE_ROLES } from '@stratum/shared';
import { escapeIdentifier, type Client } from 'pg';

/** The oldest that the tests run on. */
const OLDEST = 15;
const EXTENSION = 'pg_trgm';

interface State {
  user: string;
  database: string;
  version: number;
  tables: boolean;
  roles: boolean;
  missing_roles: string[];
  extension: 'installed' | 'creatable' | 'forbidden' | 'unknown';
}

/** A trusted extension takes the right to create in the database. */
const STATE = `SELECT current_user AS user, current_database() AS database,
    current_setting('server_version_num')::int / 10000 AS version,
    has_schema_privilege('public', 'CREATE') AS tables,
    rolsuper OR rolcreaterole AS roles,
    ARRAY(SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)) AS missing_roles,
    CASE
      WHEN EXISTS (SELECT FROM pg_extension WHERE extname = $2) THEN 'installed'
      WHEN NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = $2) THEN 'unknown'
      WHEN rolsuper OR has_database_privilege(current_database(), 'CREATE') THEN 'creatable'
      ELSE 'forbidden'
    END AS extension
  FROM pg_roles WHERE rolname = current_user`;

/**
 * Why migrations cannot succeed, with a script for an administrator; `undefined` when nothing is missing, or the connection is lost.
 */
export async function missingRequirements(client: Client): Promise<string | undefined> {
  let state: State | undefined;
  try {
    // A failed migration may have left its transaction open, in which every further statement fails.
    await client.query('ROLLBACK');
    ({
      rows: [state],
    } = await client.query<State>(STATE, [[...SERVICE_ROLES], EXTENSION]));
  } catch {
    return undefined;
  }
  if (state === undefined) return undefined;
  if (state.version < OLDEST)
    return `The server is PostgreSQL ${state.version}; the platform needs ${OLDEST} or newer.`;
  if (state.extension === 'unknown')
    return `The server does not have the extension ${EXTENSION}. It comes with PostgreSQL; on Debian it is in the package postgresql, elsewhere mostly in postgresql-contrib.`;
  return forbidden(state);
}

function forbidden({
  user,
  database,
  tables,
  roles,
  missing_roles: missing,
  extension,
}: State): string | undefined {
  const name = escapeIdentifier(user);
  const gaps: [what: string, statements: string[]][] = [];
  if (!tables)
    gaps.push(['create tables in the schema "public"', [`GRANT USAGE, CREATE ON SCHEMA public TO ${name};`]]);
  if (!roles && missing.length > 0)
    gaps.push([
      'create roles',
      missing.flatMap((role) => [
        `CREATE ROLE ${role} NOLOGIN NOBYPASSRLS;`,
        `GRANT USAGE ON SCHEMA public TO ${role};`,
      ]),
    ]);
  if (extension === 'forbidden')
    gaps.push([`create the extension ${EXTENSION}`, [`CREATE EXTENSION ${EXTENSION};`]]);
  if (gaps.length === 0) return undefined;
  return [
    `The user "${user}" may not ${gaps.map(([what]) => what).join(' or ')} in the database "${database}", which migrations must do. Set DATABASE_URL to the owner of the database, with CREATEROLE, or let an administrator run this in the database "${database}":`,
    '',
    ...gaps.flatMap(([, statements]) => statements),
  ].join('\n');
}
