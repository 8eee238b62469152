/** Finds a recent nats-server: installed, cached, from Debian's packages, or from the official release. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAtLeast, MINIMUM_SERVER_VERSION } from '../broker/server-version.js';
import { JobsError } from '../errors.js';
import { fetchFromDebian } from './debian-package.js';
import { withFileLock } from './file-lock.js';
import { fetchRelease } from './release-archive.js';
import { runCommand } from './run-command.js';

export interface FindNatsServerOptions {
  /** Folder for a fetched server: `<cacheDir>/bin/nats-server`. */
  cacheDir: string;
  /** Receives progress messages of slow steps. */
  onProgress?: (message: string) => void;
}

export interface NatsServerBinary {
  path: string;
  version: string;
  source: 'NATS_SERVER_BIN' | 'PATH' | 'cache' | 'debian' | 'release';
}

const VERSION_TIMEOUT_MS = 10_000;

/** @throws JobsError `invalid_configuration` that lists the attempts and the remedy */
export async function findNatsServer(options: FindNatsServerOptions): Promise<NatsServerBinary> {
  const configured = process.env['NATS_SERVER_BIN'];
  const cached = join(options.cacheDir, 'bin', 'nats-server');
  const found =
    (configured && (await usable(configured, 'NATS_SERVER_BIN'))) ||
    (await usable('nats-server', 'PATH')) ||
    (await usable(cached, 'cache'));
  if (found) return found;
  await mkdir(join(options.cacheDir, 'bin'), { recursive: true });
  // Two processes that start at the same time fetch it once.
  return withFileLock(
    `${cached}.lock`,
    async () => (await usable(cached, 'cache')) ?? fetchServer(cached, options),
  );
}

async function fetchServer(target: string, { onProgress }: FindNatsServerOptions): Promise<NatsServerBinary> {
  const failures: string[] = [];
  const sources = [
    { source: 'debian', label: "Debian's packages", fetch: fetchFromDebian },
    { source: 'release', label: 'the official release', fetch: fetchRelease },
  ] as const;
  for (const { source, label, fetch } of sources) {
    try {
      onProgress?.(`fetching nats-server from ${label}`);
      await fetch(target);
      const binary = await usable(target, source);
      if (binary) return binary;
      failures.push(
        `${label}: what was fetched does not run here or is older than ${MINIMUM_SERVER_VERSION}`,
      );
    } catch (error) {
      failures.push(`${label}: ${error instanceof Error ? firstLine(error.message) : String(error)}`);
    }
  }
  throw new JobsError(
    'invalid_configuration',
    `No nats-server of version ${MINIMUM_SERVER_VERSION} or newer was found, and none could be fetched (${failures.join('; ')}). ` +
      'Install one (https://docs.nats.io/running-a-nats-service/introduction/installation) so that it is on the PATH, ' +
      'name its path in NATS_SERVER_BIN, or name a running server in NATS_URL.',
    { details: { failures } },
  );
}

async function usable(
  path: string,
  source: NatsServerBinary['source'],
): Promise<NatsServerBinary | undefined> {
  try {
    const version = (await runCommand(path, ['--version'], VERSION_TIMEOUT_MS))
      .replace(/^.*v(?=\d)/s, '')
      .trim();
    return isAtLeast(version, MINIMUM_SERVER_VERSION) ? { path, version, source } : undefined;
  } catch {
    return undefined;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
