/** PostgreSQL's own programs for a copy of a database: `pg_dump` writes it, `pg_restore` reads it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

type Program = 'pg_dump' | 'pg_restore';

export interface ClientProgram {
  path: string;
  /** For example `18.1`. */
  version: string;
}

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';
const VERSION_TIMEOUT_MS = 10_000;
/** Of its last words. */
const MAX_ERROR = 4_000;

/**
 * The program of the lowest version that knows this server: an older one refuses.
 * @param major of the server, for example 18
 * @throws Error that names the missing package and what was found
 */
export async function findClientProgram(name: Program, major: number): Promise<ClientProgram> {
  const installed = existsSync(DEBIAN) ? await readdir(DEBIAN) : [];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...installed.map((version) => join(DEBIAN, version, 'bin')),
  ];
  const found: ClientProgram[] = [];
  for (const path of folders.map((folder) => join(folder, name)).filter((each) => existsSync(each))) {
    const version = await versionOf(path);
    if (version !== undefined) found.push({ path, version });
  }
  const fitting = found
    .filter(({ version }) => majorOf(version) >= major)
    .toSorted((a, b) => majorOf(a.version) - majorOf(b.version));
  if (fitting[0] !== undefined) return fitting[0];
  const has =
    found.length === 0
      ? 'none is installed'
      : `there is only ${[...new Set(found.map(({ version }) => version))].join(', ')}`;
  throw new Error(
    `The server is PostgreSQL ${major}, and needs ${name} of version ${major} or newer; ${has}. Install the package postgresql-client-${major}, put its programs on the PATH, or leave the database out with --without-database and copy it by your own means.`,
  );
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    return /\) (\d+(?:\.\d+)*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/**
 * Runs the program on a database until it ends. The password goes through the environment: every user of the machine sees arguments.
 * @param write takes what it prints. Default: it prints nothing
 * @throws Error with its last words
 */
export async function runClientProgram(
  { path }: ClientProgram,
  args: readonly string[],
  databaseUrl: string,
  write?: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  // A parameter of ours, which PostgreSQL does not know.
  url.searchParams.delete('pooling');
  const child = spawn(path, [...args, `--dbname=${url.href}`], {
    env: { ...process.env, ...(password === '' ? {} : { PGPASSWORD: password }), PGCONNECT_TIMEOUT: '10' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-MAX_ERROR)));
  const ended = once(child, 'close');
  // Awaited once all that it prints was taken.
  ended.catch(() => undefined);
  try {
    for await (const chunk of child.stdout) if (chunk instanceof Buffer) await write?.(chunk);
    await ended;
  } finally {
    child.kill();
  }
  if (child.exitCode !== 0)
    throw new Error(`${path} failed (${child.signalCode ?? child.exitCode}): ${errors.trim()}`);
}
