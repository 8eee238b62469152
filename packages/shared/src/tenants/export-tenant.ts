/** Everything that the database holds of a tenant, as a stream of rows. Encrypted identifiers are readable in it; secrets and hashes are left out. */
import type { Pool } from 'pg';
import { openCredentials, type CredentialOwner } from '../credentials/credentials.js';
import type { KeyRing } from '../credentials/key-ring.js';
import { transaction, type Queryable } from '../database/database.js';

export interface ExportedRow {
  table: string;
  row: Readonly<Record<string, unknown>>;
}

type Row = Readonly<Record<string, unknown>>;

/** Columns that hold what people are known by, encrypted. */
const SEALED: Readonly<
  Record<
    string,
    { column: string; keyId: string; as: string; ownerOf: (tenantId: number, row: Row) => CredentialOwner }
  >
> = {
  cdp_identity: {
    column: 'ciphertext',
    keyId: 'key_id',
    as: 'value',
    ownerOf: (tenantId, row) => ({
      tenantId,
      platform: `cdp_${String(row['type'])}`,
      externalId: digits(row['value_hash']),
    }),
  },
  whatsapp_contact: {
    column: 'phone',
    keyId: 'phone_key_id',
    as: 'phone_number',
    ownerOf: (tenantId, row) => ({
      tenantId,
      platform: 'whatsapp_contact',
      externalId: digits(row['phone_hash']),
    }),
  },
};
/** As `to_jsonb` writes bytes. */
const BYTES = /^\\x[0-9a-f]*$/;
const PAGE = 500;

/** As the owner of the database, or as `stratum_api`. Reads in one transaction, so that all rows are of one moment. */
export async function exportTenant(
  pool: Pool,
  keys: KeyRing,
  tenantId: number,
  onRow: (row: ExportedRow) => Promise<void> | void,
): Promise<number> {
  return transaction(pool, async (client) => {
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows: tenants } = await client.query<{ row: Row }>(
      'SELECT to_jsonb(known) AS row FROM all_tenants() AS known WHERE id = $1',
      [tenantId],
    );
    let count = 0;
    for (const { row } of tenants) {
      await onRow({ table: 'tenant', row });
      count++;
    }
    const { rows: tables } = await client.query<{ name: string }>(
      'SELECT name FROM tenant_tables() ORDER BY name',
    );
    for (const { name } of tables)
      for await (const row of rowsOf(client, tenantId, name)) {
        await onRow({ table: name, row: readableRow(keys, tenantId, name, row) });
        count++;
      }
    return count;
  });
}

async function* rowsOf(client: Queryable, tenantId: number, table: string): AsyncGenerator<Row> {
  await client.query({
    text: `DECLARE exported NO SCROLL CURSOR FOR SELECT tenant_rows(${tenantId}, ${quoted(table)}) AS row`,
  });
  for (;;) {
    const { rows } = await client.query<{ row: Row }>(`FETCH ${PAGE} FROM exported`);
    for (const { row } of rows) yield row;
    if (rows.length < PAGE) break;
  }
  await client.query('CLOSE exported');
}

/** Statements that declare cursors take no parameters. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A row as people read it: what identifies them is decrypted, other bytes are left out. */
export function readableRow(keys: KeyRing, tenantId: number, table: string, row: Row): Row {
  const shown = Object.fromEntries(Object.entries(row).filter(([, value]) => !isBytes(value)));
  const sealed = SEALED[table];
  if (sealed === undefined) return shown;
  const [bytes, keyId] = [row[sealed.column], row[sealed.keyId]];
  if (typeof bytes !== 'string' || typeof keyId !== 'string') return shown;
  const ciphertext = Buffer.from(digits(bytes), 'hex');
  return {
    ...shown,
    [sealed.as]: openCredentials(keys, sealed.ownerOf(tenantId, row), { keyId, ciphertext }),
  };
}

function isBytes(value: unknown): boolean {
  return typeof value === 'string' && BYTES.test(value);
}

function digits(bytes: unknown): string {
  return typeof bytes === 'string' ? bytes.slice(2) : '';
}
