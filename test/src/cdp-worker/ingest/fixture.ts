/** A writer of customer events on a database of its own. */
import { EventWriter, type IdentityLimits, type IncomingEvent } from '@stratum/cdp-worker';
import { lookupHash, openCredentials, parseKeyRing, withTenant, type KeyRing } from '@stratum/shared';
import {
  customerEventSchema,
  identifier,
  type CustomerEvent,
  type IdentifierType,
} from '@stratum/shared/customer-events';
import type { Pool, QueryResultRow } from 'pg';
import { testDatabase, testKeyText } from '../../harness/index.js';

export const TENANT = 1;
export const SOURCE = 7;
/** As a union-find has it: everything named together is one. */
export const NO_LIMITS: IdentityLimits = {
  users: { anonymous_id: 1e9, email: 1e9, user_id: 1e9 },
  addresses: { anonymous_id: 1e9, email: 1e9, user_id: 1e9 },
  identities: 1e9,
  movedEvents: 1e9,
};

export interface WriterFixture {
  owner: Pool;
  keys: KeyRing;
  worker: Pool;
  writer: EventWriter;
  /** Another one, as another process would have. */
  otherWriter: EventWriter;
  /** Of the first tenant. */
  query: <Row extends QueryResultRow>(sql: string, values?: unknown[]) => Promise<Row[]>;
  /** The profile that an identifier leads to; `undefined` when it is not known. */
  profileOf: (type: IdentifierType, value: string) => Promise<number | undefined>;
  /** What is kept of an identifier, decrypted. */
  decrypted: (type: IdentifierType, value: string) => Promise<unknown>;
}

export async function openWriter(limits?: IdentityLimits): Promise<WriterFixture> {
  const database = await testDatabase();
  const keys = parseKeyRing(testKeyText());
  await database.owner.query(
    `INSERT INTO tenant (id, name, currency) VALUES (1, 'One', 'USD'), (2, 'Two', 'EUR')`,
  );
  const worker = database.as('stratum_cdp_worker');
  const options = { pool: worker, keys, ...(limits === undefined ? {} : { limits }) };
  const query = <Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    withTenant(worker, TENANT, async (client) => (await client.query<Row>(sql, values)).rows);
  return {
    owner: database.owner,
    keys,
    worker,
    writer: new EventWriter(options),
    otherWriter: new EventWriter(options),
    query,
    profileOf: async (type, value) => {
      const [row] = await query<{ profile_id: string }>(
        `SELECT profile_id FROM cdp_identity WHERE type = $1 AND value_hash = decode($2, 'hex')`,
        [type, lookupHash(keys, TENANT, identifier(type, value).hash).hash],
      );
      return row && Number(row.profile_id);
    },
    decrypted: async (type, value) => {
      const { hash } = lookupHash(keys, TENANT, identifier(type, value).hash);
      const [row] = await query<{ ciphertext: Buffer; key_id: string }>(
        `SELECT ciphertext, key_id FROM cdp_identity WHERE type = $1 AND value_hash = decode($2, 'hex')`,
        [type, hash],
      );
      if (row === undefined) return undefined;
      const owner = { tenantId: TENANT, platform: `cdp_${type}`, externalId: hash };
      return openCredentials(keys, owner, { keyId: row.key_id, ciphertext: row.ciphertext });
    },
  };
}

let nextMessage = 0;

/** A track event unless it says otherwise, with a message id of its own. */
export function incoming(
  fields: Partial<CustomerEvent>,
  receivedAt = '2026-11-20T12:00:00.000Z',
): IncomingEvent {
  const event = customerEventSchema.parse({
    type: 'track',
    event: 'Seen',
    messageId: `m-${nextMessage++}`,
    ...fields,
  });
  return { sourceId: SOURCE, receivedAt, event };
}
