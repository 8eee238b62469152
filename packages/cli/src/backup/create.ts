/** Writes a backup while everything runs. */
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from 'pg';
import { VERSION } from '../version.js';
import { dump, dumpProgram, readFacts } from './database-copy.js';
import {
  createFolder,
  DATABASE_FILE,
  streamFile,
  writeFile,
  writeManifest,
  type Manifest,
} from './manifest.js';
import { ownStreams } from './own-streams.js';
import { takeSnapshot, type StreamFacts } from './stream-snapshot.js';

export interface Source {
  connection: NatsConnection;
  prefix: string;
  /** Left out of the backup when it is `undefined`. */
  database: { pool: Pool; url: string } | undefined;
}

/**
 * The streams first and the database last. Of what happens in between, the database then knows more than the streams: a task that ended meanwhile
 * runs again and finds its effect, and a row of the outbox whose task the streams lack is published again. The other way round, the streams would
 * say of a task that it has ended, and its effect would be in neither.
 * @param onProgress what is copied next, with how many of all are done
 * @returns the manifest, which is on the disk
 */
export async function createBackup(
  { connection, prefix, database }: Source,
  folder: string,
  onProgress: (done: number, total: number, name: string) => void,
): Promise<Manifest> {
  // Whatever may be missing is found before the first byte is written.
  const copied = database === undefined ? undefined : { ...database, ...(await preparedDump(database.pool)) };
  const own = await ownStreams(connection, prefix);
  if (own.length === 0) throw new Error(`The NATS server has no streams with the prefix "${prefix}".`);
  await createFolder(folder);
  const startedAt = new Date();
  const total = own.length + (copied === undefined ? 0 : 1);
  const streams: Manifest['streams'] = [];
  for (const { config } of own) {
    const { name } = config;
    onProgress(streams.length, total, name);
    const takenAt = new Date();
    let facts: StreamFacts | undefined;
    const file = await writeFile(streamFile(folder, name), async (write) => {
      facts = await takeSnapshot(connection, name, write);
    });
    if (facts !== undefined) streams.push({ name, ...file, taken_at: takenAt.toISOString(), ...facts });
  }
  let stored: Manifest['database'] = null;
  if (copied !== undefined) {
    onProgress(streams.length, total, 'database');
    const takenAt = new Date();
    const file = await writeFile(join(folder, DATABASE_FILE), (write) =>
      dump(copied.program, copied.url, write),
    );
    stored = {
      ...file,
      taken_at: takenAt.toISOString(),
      server_version: copied.facts.serverVersion,
      program: `pg_dump ${copied.program.version}`,
      migration: copied.facts.migration,
    };
  }
  const manifest: Manifest = {
    format: 1,
    version: VERSION,
    prefix,
    started_at: startedAt.toISOString(),
    finished_at: new Date().toISOString(),
    streams,
    database: stored,
  };
  await writeManifest(folder, manifest);
  return manifest;
}

async function preparedDump(pool: Pool): Promise<{
  facts: Awaited<ReturnType<typeof readFacts>>;
  program: Awaited<ReturnType<typeof dumpProgram>>;
}> {
  const facts = await readFacts(pool);
  return { facts, program: await dumpProgram(pool, facts) };
}
