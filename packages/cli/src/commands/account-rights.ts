import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namesFor } from '@stratum/jobs';
import { loadConfiguration, QUEUES, TENANT_TASKS } from '@stratum/shared';
import { typed } from '../frame/invocation.js';
import { counted, printJson } from '../output.js';
import { accountFiles, withTables } from '../rights/account-files.js';
import { PRODUCERS_FILE, readProducers } from '../rights/producers.js';

interface AccountOptions {
  folder: string;
  prefix?: string;
  check?: boolean;
  json?: boolean;
}

const README = 'README.md';

export async function writeAccounts({ folder, prefix, check, json }: AccountOptions): Promise<void> {
  const producers = await readProducers(join(folder, PRODUCERS_FILE), TENANT_TASKS);
  const queues = QUEUES.map(({ name }) => name);
  const { STRATUM_QUEUE_SHARDS: shards } = loadConfiguration(['STRATUM_QUEUE_SHARDS'], process.env);
  const rights = { names: namesFor(prefix, shards), queues, shards, producers, contracts: TENANT_TASKS };
  const files = new Map(accountFiles(rights));
  const readme = await textOf(join(folder, README));
  if (readme !== undefined) files.set(README, withTables(readme, rights));
  const outdated: string[] = [];
  for (const [path, text] of files) if ((await textOf(join(folder, path))) !== text) outdated.push(path);
  const surplus = (await producerFiles(folder)).filter((path) => !files.has(path));
  if (check && outdated.length + surplus.length > 0)
    throw new Error(
      `Out of date: ${[...outdated, ...surplus].join(', ')}. Run ${typed('topology accounts')} and commit the files that it writes.`,
    );
  if (!check) {
    await mkdir(join(folder, 'producers'), { recursive: true });
    for (const path of outdated) await writeFile(join(folder, path), files.get(path) ?? '');
    for (const path of surplus) await rm(join(folder, path));
  }
  if (json) printJson({ folder, written: check ? [] : outdated, removed: check ? [] : surplus });
  else if (check) console.log(`All ${files.size} files in ${folder} are up to date.`);
  else console.log(`Wrote ${counted(outdated.length, 'file')} and removed ${surplus.length} in ${folder}.`);
}

async function producerFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'producers')).catch(() => []);
  return names.filter((name) => name.endsWith('.conf')).map((name) => `producers/${name}`);
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
