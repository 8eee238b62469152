/** Folders of the repository and of the local stack. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root: this file lies four folders below it, in the sources and in the build. */
export const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** Where the local stack keeps its data. `STRATUM_HOME` moves it. */
export function homeFolder(): string {
  return process.env['STRATUM_HOME'] || join(ROOT, '.stratum');
}
