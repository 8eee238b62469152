/** One NATS server and one PostgreSQL for the whole test run; every test file takes a prefix and a database of its own. */
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import { connectToNats } from '@stratum/jobs';
import { findNatsServer } from '@stratum/jobs/embedded';
import type { TestProject } from 'vitest/node';
import { migrate } from '@stratum/cli/database';
import { Client } from 'pg';
import { startBackend, TEST_REPLICAS } from './backend.js';
import { dataFolder } from './data-folder.js';

declare module 'vitest' {
  export interface ProvidedContext {
    natsUrl: string;
    natsBinary: string;
    /** Copies of each stream. */
    replicas: number;
    /** A user that may create databases and roles, on the database `postgres`. */
    adminDatabaseUrl: string;
    /** Name of a database with the current schema and nothing in it, which nobody is connected to: for copies. */
    schemaDatabase: string;
  }
}

const CACHE = fileURLToPath(new URL('../../../.stratum', import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await dataFolder('stratum-test-');
  const binary = await findNatsServer({
    cacheDir: CACHE,
    onProgress: (message) => process.stdout.write(`${message}\n`),
  });
  const backend = await startBackend({ folder, natsBinary: binary.path });
  process.stdout.write(`Servers of this test run: ${backend.description}\n`);
  await keepStreamFolder(backend.natsUrl);
  project.provide('natsUrl', backend.natsUrl);
  project.provide('natsBinary', binary.path);
  project.provide('replicas', TEST_REPLICAS);
  project.provide('adminDatabaseUrl', backend.adminDatabaseUrl);
  project.provide('schemaDatabase', await makeSchemaDatabase(backend.adminDatabaseUrl));
  return async () => {
    await backend.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

/**
 * When its last stream goes, the server removes the folder of streams, and one that another test creates at that moment fails with
 * "error creating store for stream". This one stays.
 */
async function keepStreamFolder(natsUrl: string): Promise<void> {
  const connection = await connectToNats({ servers: natsUrl, name: 'test-setup' });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEPT_BY_THE_TESTS', subjects: ['kept-by-the-tests'] });
  } finally {
    await connection.close();
  }
}

/** Migrated once: a copy of it takes a tenth of the time. */
async function makeSchemaDatabase(adminUrl: string): Promise<string> {
  const name = `schema_${process.pid}`;
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${name}`);
  } finally {
    await admin.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await migrate({ databaseUrl: url.href });
  return name;
}
