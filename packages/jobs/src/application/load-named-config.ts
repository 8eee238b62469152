/** The application that the environment names. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { JobsError } from '../errors.js';
import { fieldOf } from '../values/any-value.js';
import { defineConfig, type StratumConfig, type StratumConfigOptions } from './define-config.js';

/**
 * Imports the module whose path `STRATUM_CONFIG` holds; `undefined` without one. Its options are resolved again, because the module may use
 * another version of this package.
 * @throws JobsError `invalid_configuration` that names the file, or every wrong field
 */
export async function loadNamedConfig(environment: NodeJS.ProcessEnv): Promise<StratumConfig | undefined> {
  const named = environment['STRATUM_CONFIG'];
  if (named === undefined || named === '') return undefined;
  const path = resolve(named);
  const exported = await importDefault(path);
  if (typeof exported !== 'object' || exported === null)
    throw unusable(path, 'it has no default export made by defineConfig');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- defineConfig checks every field
  return defineConfig((fieldOf(exported, 'options') ?? exported) as StratumConfigOptions);
}

async function importDefault(path: string): Promise<unknown> {
  try {
    return fieldOf(await import(pathToFileURL(path).href), 'default');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw unusable(path, `${reason}. Before Node.js 22.18, TypeScript needs a loader such as tsx`, cause);
  }
}

function unusable(path: string, reason: string, cause?: unknown): JobsError {
  return new JobsError(
    'invalid_configuration',
    `STRATUM_CONFIG names ${path}, which cannot be used: ${reason}.`,
    { details: { path }, ...(cause === undefined ? {} : { cause }) },
  );
}
