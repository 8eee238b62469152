/**
 * A backup is a folder. Its manifest names every file with size and checksum, and is written last: without it the folder is no backup. Its files
 * are for their owner's eyes alone, because payloads and personal data are in them.
 *
 *     manifest.json
 *     streams/<name>.snapshot    NATS's own pack of a stream
 *     database.dump              pg_dump's custom format
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { streamFactsSchema } from './stream-snapshot.js';

const FORMAT = 1;
const MANIFEST = 'manifest.json';
export const DATABASE_FILE = 'database.dump';
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

const fileSchema = z.object({ bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
/** As NATS allows it, and nothing that leaves the folder. */
const streamName = z.string().regex(/^[A-Za-z0-9_~-]{1,255}$/);
const manifestSchema = z.object({
  format: z.literal(FORMAT, `It has another format than ${FORMAT}: use the version that wrote it.`),
  /** Of this product. */
  version: z.string(),
  prefix: z.string(),
  started_at: z.iso.datetime(),
  finished_at: z.iso.datetime(),
  streams: z.array(
    fileSchema.extend({ name: streamName, taken_at: z.iso.datetime(), ...streamFactsSchema.shape }),
  ),
  database: fileSchema
    .extend({
      taken_at: z.iso.datetime(),
      server_version: z.string(),
      program: z.string(),
      /** The newest of its schema. */
      migration: z.string().nullable(),
    })
    .nullable(),
});
export type Manifest = z.infer<typeof manifestSchema>;
export type FileFacts = z.infer<typeof fileSchema>;

export function streamFile(folder: string, name: string): string {
  return join(folder, 'streams', `${name}.snapshot`);
}

/** Creates the folder of a new backup. @throws Error when something is in it */
export async function createFolder(folder: string): Promise<void> {
  if (existsSync(folder) && (await readdir(folder)).length > 0)
    throw new Error(`${folder} is not empty. Name a folder that does not exist; every backup has its own.`);
  await mkdir(join(folder, 'streams'), { recursive: true, mode: FOLDER_MODE });
}

/** Writes a file and syncs it to disk. @param produce hands over its parts */
export async function writeFile(
  path: string,
  produce: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<FileFacts> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', FILE_MODE);
  let bytes = 0;
  try {
    await produce(async (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    });
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const draft = join(folder, `${MANIFEST}.unfinished`);
  await writeFile(draft, (write) => write(Buffer.from(JSON.stringify(manifest, undefined, 2))));
  await rename(draft, join(folder, MANIFEST));
  // The new name has to be on the disk as well.
  const entry = await open(folder);
  try {
    await entry.sync();
  } finally {
    await entry.close();
  }
}

/** Reads a backup, and compares every file with it. @throws Error that names what is missing or differs */
export async function verifyBackup(folder: string): Promise<Manifest> {
  const manifest = await readManifest(folder);
  const { streams, database } = manifest;
  const files: [string, FileFacts][] = streams.map((each) => [streamFile(folder, each.name), each]);
  if (database !== null) files.push([join(folder, DATABASE_FILE), database]);
  for (const [path, expected] of files) {
    if (!existsSync(path))
      throw new Error(`${path} is missing: the backup is not complete. Nothing was changed.`);
    const { size } = await stat(path);
    if (size !== expected.bytes || (await checksum(path)) !== expected.sha256)
      throw new Error(`${path} is not what was written: the backup is damaged. Nothing was changed.`);
  }
  return manifest;
}

async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  if (!existsSync(path))
    throw new Error(
      `${dirname(path)} has no ${MANIFEST}: it is no backup, or one that was interrupted. Nothing was changed.`,
    );
  const { success, data, error } = manifestSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (success) return data;
  throw new Error(`${path} cannot be read: ${z.prettifyError(error)}`);
}

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) if (chunk instanceof Buffer) hash.update(chunk);
  return hash.digest('hex');
}
