/** Files of this package, found from wherever the module that asks lies: built modules are joined into few files. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

let manifest: URL | undefined;

/** @param path from the package's folder, such as `dist/isolation/entry.cjs` */
export function packageFile(path: string): URL {
  manifest ??= pathToFileURL(createRequire(import.meta.url).resolve('@stratum/jobs/package.json'));
  return new URL(path, manifest);
}
