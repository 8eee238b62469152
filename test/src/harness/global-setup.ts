/** One NATS server and one PostgreSQL for the whole test run; every test file takes a prefix and a database of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from '@stratum/jobs/embedded';
import type { TestProject } from 'vitest/node';
import { startBackend } from './backend.js';

declare module 'vitest' {
  export interface ProvidedContext {
    natsUrl: string;
    natsBinary: string;
    /** A user that may create databases and roles, on the database `postgres`. */
    adminDatabaseUrl: string;
  }
}

const CACHE = fileURLToPath(new URL('../../../.stratum', import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-test-'));
  const binary = await findNatsServer({
    cacheDir: CACHE,
    onProgress: (message) => process.stdout.write(`${message}\n`),
  });
  const backend = await startBackend({ folder, natsBinary: binary.path });
  process.stdout.write(`Servers of this test run: ${backend.description}\n`);
  project.provide('natsUrl', backend.natsUrl);
  project.provide('natsBinary', binary.path);
  project.provide('adminDatabaseUrl', backend.adminDatabaseUrl);
  return async () => {
    await backend.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
