/** Reads the configuration module of an own application. */
import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineConfig, type StratumConfig, type StratumConfigOptions } from '@stratum/jobs';
import { ConfigurationError } from '../configuration/settings.js';

const TYPESCRIPT = new Set(['.ts', '.mts', '.cts']);

/**
 * Imports a module whose default export is the value that `defineConfig` returned. Its options are resolved again, so that the
 * module may use another version of the framework. TypeScript is loaded without a build, on every version of Node.
 * @throws ConfigurationError that names the file; JobsError `invalid_configuration` that names every wrong field
 */
export async function loadConfig(file: string): Promise<StratumConfig> {
  const path = resolve(file);
  if (!existsSync(path)) throw new ConfigurationError([`the configuration file ${path} does not exist`]);
  const options = optionsOf(await importDefault(path));
  if (options === undefined)
    throw new ConfigurationError([
      `${path} has no default export made by defineConfig; write \`export default defineConfig({ … })\``,
    ]);
  return defineConfig(options);
}

async function importDefault(path: string): Promise<unknown> {
  try {
    return (await importModule(path)).default;
  } catch (cause) {
    throw new ConfigurationError([`${path} cannot be loaded: ${reasonOf(cause)}`], { cause });
  }
}

async function importModule(path: string): Promise<{ default?: unknown }> {
  if (!TYPESCRIPT.has(extname(path))) return import(pathToFileURL(path).href);
  // Loaded only where it is needed: Node 20 has no TypeScript, and Node 22 refuses imports of `.js` that name a `.ts` file.
  const { createJiti } = await import('jiti');
  return createJiti(path, { interopDefault: false }).import(path);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The value that `defineConfig` returned, or its options as a plain object, which `defineConfig` then checks. */
function optionsOf(exported: unknown): StratumConfigOptions | undefined {
  if (typeof exported !== 'object' || exported === null) return undefined;
  const options = 'options' in exported ? exported.options : exported;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- defineConfig checks every field
  return options as StratumConfigOptions;
}
