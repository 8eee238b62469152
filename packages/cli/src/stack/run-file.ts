/** `.stratum/run.json`: where everything of the running local stack listens. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { commandLineOf } from '@stratum/jobs/processes';
import { homeFolder } from './home.js';

/** URLs; `null` for what does not run. */
export interface Addresses {
  nats: string;
  nats_monitor: string | null;
  database: string;
  api: string | null;
  dashboard: string | null;
  sandbox: string | null;
}

export interface RunFile extends Addresses {
  pid: number;
}

const runFile = (): string => join(homeFolder(), 'run.json');
const claimFile = (): string => join(homeFolder(), 'up.pid');

/**
 * Takes the folder for this process: two stacks on the same data would stop each other's servers.
 * @throws Error naming the process that has it
 */
export async function claimHome(): Promise<void> {
  await mkdir(homeFolder(), { recursive: true });
  const owner = Number(await readFile(claimFile(), 'utf8').catch(() => '0'));
  if (owner > 0 && owner !== process.pid && (await isStack(owner))) {
    const run = await readRunFile();
    throw new Error(
      `It is already running (process ${owner}${run === undefined ? ', still starting' : `, NATS at ${run.nats}`}). ` +
        `Stop it with Ctrl-C where it runs, or: kill ${owner}`,
    );
  }
  await rm(claimFile(), { force: true });
  // `wx`: of two that start at once, one succeeds.
  await writeFile(claimFile(), String(process.pid), { flag: 'wx' });
}

export async function releaseHome(): Promise<void> {
  await rm(claimFile(), { force: true });
}

/** The running stack, or `undefined`; a file left by a killed one does not count. */
export async function readRunFile(): Promise<RunFile | undefined> {
  try {
    // `writeRunFile` alone writes it, and whole. A schema library would take longer to load than the command that asks.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
    const found = JSON.parse(await readFile(runFile(), 'utf8')) as RunFile;
    return (await isStack(found.pid)) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Written beside and renamed: readers see all of it or nothing. The file holds the database's password: it is the owner's alone. */
export async function writeRunFile(addresses: Addresses): Promise<void> {
  const path = runFile();
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify({ ...addresses, pid: process.pid }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  await rename(draft, path);
}

export async function removeRunFile(): Promise<void> {
  await rm(runFile(), { force: true });
}

/** The number of a killed stack may belong to another program by now. */
async function isStack(pid: number): Promise<boolean> {
  return (await commandLineOf(pid)).includes('stratum');
}
