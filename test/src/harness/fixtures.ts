/** What a test file takes for itself. Everything is given back when the test ends. */
import { randomBytes } from 'node:crypto';
import { connectToNats } from '@stratum/jobs';
import { openDatabase, type ServiceRole } from '@stratum/shared';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { Client, escapeIdentifier, type Pool } from 'pg';
import { inject, onTestFinished } from 'vitest';

/** A prefix that nobody else uses; its streams are removed when the test ends. */
export async function testNamespace(): Promise<{
  connection: NatsConnection;
  prefix: string;
  natsUrl: string;
}> {
  const natsUrl = inject('natsUrl');
  const prefix = `t${randomBytes(5).toString('hex')}`;
  const connection = await connectToNats({ servers: natsUrl, name: prefix });
  onTestFinished(async () => {
    const manager = await jetstreamManager(connection);
    for await (const name of manager.streams.names()) {
      if (name.includes(`${prefix}_`)) await manager.streams.delete(name);
    }
    await connection.close();
  });
  return { connection, prefix, natsUrl };
}

/** An empty database. */
export function emptyDatabase(): Promise<string> {
  return createDatabase();
}

/** The same rows with the same ids, in a database of its own. Nobody may be connected to the first one meanwhile. */
export function copyOfDatabase(url: string): Promise<string> {
  return createDatabase(new URL(url).pathname.slice(1));
}

async function createDatabase(template?: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  // Without a disk to wait for, copied files take half the time of logged pages.
  const copied = template === undefined ? '' : ` TEMPLATE ${escapeIdentifier(template)} STRATEGY FILE_COPY`;
  await asAdmin(`CREATE DATABASE ${escapeIdentifier(name)}${copied}`);
  onTestFinished(() => asAdmin(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`));
  const url = new URL(inject('adminDatabaseUrl'));
  url.pathname = `/${name}`;
  return url.href;
}

export interface TestDatabase {
  url: string;
  /** As the owner. */
  owner: Pool;
  /** With the rights of the sync worker. */
  syncWorker: Pool;
  /** With the rights of a service. */
  as: (role: ServiceRole) => Pool;
}

/** A database with the current schema. */
export async function testDatabase(): Promise<TestDatabase> {
  const url = await createDatabase(inject('schemaDatabase'));
  const owner = openDatabase({ url, name: 'test-owner' });
  const pools = new Map<ServiceRole, Pool>();
  const as = (role: ServiceRole): Pool => {
    const pool = pools.get(role) ?? openDatabase({ url, name: 'test-service', role });
    pools.set(role, pool);
    return pool;
  };
  onTestFinished(async () => {
    await Promise.all([owner.end(), ...[...pools.values()].map((pool) => pool.end())]);
  });
  return { url, owner, syncWorker: as('stratum_sync_worker'), as };
}

/** Text of a key ring that only this test knows. */
export function testKeyText(id = 'test'): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}

async function asAdmin(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject('adminDatabaseUrl') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
