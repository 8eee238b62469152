/** Finds the configuration file of an own application. Loads nothing heavy: every command looks for it. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from '@stratum/shared/broker';

const FILES = ['ts', 'mts', 'js', 'mjs'].map((extension) => `stratum.config.${extension}`);

/**
 * Returns `STRATUM_CONFIG`, else the nearest `stratum.config.*` in the directory and those above it.
 * @throws ConfigurationError if a directory has several
 */
export function findConfigFile(
  environment: NodeJS.ProcessEnv = process.env,
  directory: string = process.cwd(),
): string | undefined {
  const named = environment['STRATUM_CONFIG'];
  if (named !== undefined && named !== '') return resolve(directory, named);
  const [file, second] = FILES.map((name) => join(directory, name)).filter((path) => existsSync(path));
  if (file !== undefined && second !== undefined)
    throw new ConfigurationError([
      `${file} and ${second} are both there; remove one, or name one with --config`,
    ]);
  const above = dirname(directory);
  if (file !== undefined || above === directory) return file;
  return findConfigFile(environment, above);
}
