/** The files of `docs/reference/contracts`: written, or compared with what is there. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { namesFor } from '@stratum/jobs';
import { QUEUES, TASKS } from '@stratum/shared';
import { stringify } from 'yaml';
import { asyncApiDocument } from './asyncapi.js';
import { jsonSchemaFiles } from './json-schemas.js';

/** Text by path, in the folder of the contracts. */
export type ContractFiles = ReadonlyMap<string, string>;

const GENERATED = /^asyncapi\.(?:json|yaml)$|\.schema\.json$/;

export function contractFiles(version: string): ContractFiles {
  const document = asyncApiDocument({
    names: namesFor(),
    queues: QUEUES.map(({ name }) => name),
    contracts: TASKS,
    version,
  });
  const files = new Map([
    ['asyncapi.json', json(document)],
    ['asyncapi.yaml', stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 })],
  ]);
  for (const [path, schema] of jsonSchemaFiles(TASKS)) files.set(path, json(schema));
  return files;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Writes all, and removes generated files that belong to nothing any more. Other files of the folder stay. */
export async function writeContracts(folder: string, files: ContractFiles): Promise<void> {
  for (const path of await generatedIn(folder)) if (!files.has(path)) await rm(join(folder, path));
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** The files that differ, are missing, or belong to nothing any more. */
export async function outdatedContracts(folder: string, files: ContractFiles): Promise<string[]> {
  const outdated = (await generatedIn(folder)).filter((path) => !files.has(path));
  for (const [path, text] of files) {
    const present = await readFile(join(folder, path), 'utf8').catch(() => undefined);
    if (present !== text) outdated.push(path);
  }
  return outdated.toSorted();
}

async function generatedIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && GENERATED.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
