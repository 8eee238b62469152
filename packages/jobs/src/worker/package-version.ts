/** The version of this package, as its manifest says. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { packageFile } from '../values/package-file.js';

const manifestSchema = z.object({ version: z.string() });

let version: string | undefined;

/** Read once, at first use. */
export function packageVersion(): string {
  version ??= manifestSchema.parse(JSON.parse(readFileSync(packageFile('package.json'), 'utf8'))).version;
  return version;
}
