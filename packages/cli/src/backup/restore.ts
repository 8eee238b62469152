/** Brings streams and database to the state of a backup. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { emptySchemas, load, readFacts, schemasInUse } from './database-copy.js';
import type { Source } from './create.js';
import { DATABASE_FILE, streamFile, type Manifest } from './manifest.js';
import { consumersAtWork, ownStreams } from './own-streams.js';
import { findClientProgram } from './postgres-client.js';
import { restoreSnapshot } from './stream-snapshot.js';

export interface RestoreOptions {
  /** Of a verified backup. */
  manifest: Manifest;
  folder: string;
  /** Leaves the streams as they are. */
  withoutStreams: boolean;
  /** Copies of each stream. Default: as in the backup. */
  replicas?: number;
  onProgress: (done: number, total: number, name: string) => void;
}

/** What a restore would remove. */
export interface InTheWay {
  streams: StreamInfo[];
  schemas: string[];
}

/**
 * What is in the target already. Streams without messages are not in the way: a service has made them while it started.
 * @throws Error while somebody works there, or when a program is missing
 */
export async function lookAtTarget(
  { connection, prefix, database }: Source,
  { manifest, withoutStreams }: Pick<RestoreOptions, 'manifest' | 'withoutStreams'>,
): Promise<InTheWay> {
  if (manifest.prefix !== prefix)
    throw new Error(
      `The backup has the prefix "${manifest.prefix}", and STRATUM_PREFIX is "${prefix}". Its subjects would not fit.`,
    );
  if (database !== undefined && manifest.database === null)
    throw new Error('The backup holds no database. Restore the streams alone with --without-database.');
  const present = withoutStreams ? [] : await ownStreams(connection, prefix);
  const busy = await consumersAtWork(connection, present);
  if (busy.length > 0)
    throw new Error(
      `Somebody takes tasks from ${busy.slice(0, 3).join(', ')}. Stop the services first: they hold places in streams that a restore takes back.`,
    );
  if (database === undefined) return { streams: present.filter(isFilled), schemas: [] };
  const { major } = await readFacts(database.pool);
  await findClientProgram('pg_restore', major);
  return { streams: present.filter(isFilled), schemas: await schemasInUse(database.pool) };
}

function isFilled({ state }: StreamInfo): boolean {
  return state.messages > 0;
}

/** @returns the number of messages of each stream */
export async function restoreBackup(
  source: Source,
  options: RestoreOptions,
): Promise<Record<string, number>> {
  const { manifest, onProgress, withoutStreams } = options;
  const streams = withoutStreams ? [] : manifest.streams;
  const total = streams.length + (source.database === undefined ? 0 : 1);
  // The database is all or nothing, so it goes first: if it fails, the streams are as they were.
  if (source.database !== undefined) {
    onProgress(0, total, 'database');
    await restoreDatabase(source.database, options.folder);
  }
  const counts: Record<string, number> = {};
  if (withoutStreams) return counts;
  const manager = await jetstreamManager(source.connection, { checkAPI: false });
  const present = new Set(
    (await ownStreams(source.connection, source.prefix)).map(({ config }) => config.name),
  );
  for (const [index, stream] of streams.entries()) {
    const { name, config, state } = stream;
    onProgress(total - streams.length + index, total, name);
    // One by one: what the server refuses for one of them, a right or room, leaves those behind it as they were.
    if (present.delete(name)) await manager.streams.delete(name);
    const copies = options.replicas ?? config.num_replicas;
    const made = await restoreSnapshot(
      source.connection,
      { config: { ...config, num_replicas: copies }, state },
      createReadStream(streamFile(options.folder, name), { highWaterMark: CHUNK_BYTES }),
    );
    counts[name] = made.messages;
  }
  for (const name of present) await manager.streams.delete(name);
  return counts;
}

/** Below the server's largest payload, 1 MiB by default. */
const CHUNK_BYTES = 128 * 1024;

async function restoreDatabase(
  { pool, url }: NonNullable<Source['database']>,
  folder: string,
): Promise<void> {
  const { major } = await readFacts(pool);
  const program = await findClientProgram('pg_restore', major);
  await emptySchemas(pool, await schemasInUse(pool));
  await load(pool, program, url, join(folder, DATABASE_FILE));
}
