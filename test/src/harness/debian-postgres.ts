/** A PostgreSQL server of Debian's packages, which come with `pg_dump` and `pg_restore` of the same version. */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { programsIn, startPostgres, type EmbeddedPostgres } from '@stratum/cli/embedded';
import { onTestFinished, type TestContext } from 'vitest';
import { dataFolder } from './data-folder.js';
import { skipNotRun } from './not-run.js';

const FOLDER = '/usr/lib/postgresql';
const NEEDED = ['initdb', 'postgres', 'pg_dump', 'pg_restore'];

/** The server of the newest version, ended with the test; the test is skipped where none is installed. */
export async function debianPostgres(context: TestContext): Promise<EmbeddedPostgres> {
  const versions = existsSync(FOLDER) ? readdirSync(FOLDER).toSorted((a, b) => Number(b) - Number(a)) : [];
  const bin = versions
    .map((version) => join(FOLDER, version, 'bin'))
    .find((folder) => NEEDED.every((name) => existsSync(join(folder, name))));
  if (bin === undefined)
    return skipNotRun(context, 'pg_dump beside a server of its version: apt-get install postgresql');
  const dataDir = await dataFolder('stratum-debian-postgres-');
  const server = await startPostgres({
    dataDir,
    durable: false,
    programs: programsIn(bin),
  });
  onTestFinished(async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  return server;
}
