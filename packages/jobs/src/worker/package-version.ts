/** The version of this package, as its manifest says. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const manifestSchema = z.object({ version: z.string() });

let version: string | undefined;

/** Read once, at first use. The manifest lies at the same distance from the source and from the built file. */
export function packageVersion(): string {
  version ??= manifestSchema.parse(
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')),
  ).version;
  return version;
}
